"""Documents as bytes: what is refused, what is hashed, what is read off them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hwcensus import codec, document
from hwcensus.classes.link_kind import Bridge
from hwcensus.classes.net import Ethernet, Net, NetState
from hwcensus.device import Capability, Device
from hwcensus.errors import InvalidDocument
from tests.unit.devices import devices


def taken_apart(raw: bytes) -> document.Document:
    """As a collector does it: the survey puts attributes into order."""
    element = document.parse(raw)
    document.survey(element)
    return document.take_apart(element)


def disordered(element: etree._Element) -> bytes:
    """The same document by another writer: attributes backwards, another indentation, a comment."""
    for one in element.iter():
        attributes = list(one.attrib.items())
        one.attrib.clear()
        for name, value in reversed(attributes):
            one.set(str(name), str(value))
    element.append(etree.Comment("by somebody else"))
    etree.indent(element, "\t")
    return b"<?xml version='1.0'?>\n" + etree.tostring(element, encoding="ascii", xml_declaration=False)


@given(devices())
def test_the_digest_does_not_depend_on_the_writer(device: Device) -> None:
    ours = taken_apart(document.to_bytes(codec.write_device(device)))
    theirs = taken_apart(disordered(codec.write_device(device)))
    assert (theirs.digest, theirs.state_hash) == (ours.digest, ours.state_hash)


@given(devices(), st.sampled_from(["/sys/devices/a", "/sys/devices/b"]))
def test_key_and_state_are_hashed_apart(device: Device, key: str) -> None:
    former = taken_apart(document.to_bytes(codec.write_device(device)))
    now = taken_apart(document.to_bytes(codec.write_device(replace(device, key=key))))
    assert now.digest == former.digest
    assert (now.state_hash == former.state_hash) == (device.key == key)


@given(devices(), devices())
def test_what_two_documents_differ_in_is_named_or_they_are_equal(one: Device, other: Device) -> None:
    old, new = (document.survey(codec.write_device(device)) for device in (one, other))
    if document.to_bytes(codec.write_device(one)) == document.to_bytes(codec.write_device(other)):
        assert document.changed_paths(old, new) == ()
    assert document.changed_paths(old, old) == ()


@given(devices(), devices())
def test_only_state_differs_where_the_digests_are_equal_and_nowhere_else(one: Device, other: Device) -> None:
    old, new = (codec.write_device(replace(device, name="n")) for device in (one, other))
    kind = document.kind_of_change(document.survey(old), document.survey(new))
    assert (kind == "state") == (document.take_apart(old).digest == document.take_apart(new).digest)


def test_a_capability_that_has_no_facts_is_a_difference_too() -> None:
    def net(*nested: Capability) -> document.Survey:
        return document.survey(codec.write_device(Device(name="n", capabilities=(Net(interface="e", nested=nested),))))

    assert document.kind_of_change(net(), net(Ethernet())) == "facts"
    assert document.changed_paths(net(), net(Ethernet())) == ("80203",)


def bridge(*, name: str = "br0", stp: bool = False, mtu: int = 1500) -> document.Survey:
    net = Net(interface=name, nested=(Bridge(stp=stp),), state=NetState(mtu=mtu))
    return document.survey(codec.write_device(Device(name=f"net_{name}", key=f"/sys/{name}", capabilities=(net,))))


@pytest.mark.parametrize(
    "new, kind, changed",
    [
        (bridge(stp=True), "facts", ("bridge.stp",)),
        (bridge(name="br1"), "renumbered", ("key", "name", "net.interface")),
        (bridge(mtu=9000), "state", ("net.mtu",)),
        (bridge(mtu=9000, stp=True), "facts", ("bridge.stp", "net.mtu")),
    ],
)
def test_a_change_has_a_kind_and_names_its_facts(new: document.Survey, kind: str, changed: tuple[str, ...]) -> None:
    assert document.kind_of_change(bridge(), new) == kind
    assert document.changed_paths(bridge(), new) == changed


@pytest.mark.parametrize(
    "new, unknown, kind",
    [
        (bridge(stp=True), {"bridge.stp"}, "redescribed"),
        (bridge(stp=True), {"bridge.other"}, "facts"),
        (bridge(stp=True, name="br1", mtu=9000), {"bridge.stp"}, "redescribed"),
        (bridge(name="br1"), {"bridge.stp"}, "renumbered"),
        (bridge(mtu=9000), {"net.mtu"}, "state"),
    ],
)
def test_what_only_a_new_model_knows_is_redescribed(new: document.Survey, unknown: set[str], kind: str) -> None:
    assert document.kind_of_change(bridge(), new, unknown) == kind


@pytest.mark.parametrize(
    "raw, code",
    [
        (b"<device>", "not-xml"),
        (b"", "not-xml"),
        (b"\x00", "not-xml"),
        (b"<!DOCTYPE device><device/>", "doctype"),
        (b'<!DOCTYPE d [<!ENTITY a "b">]><device>&a;</device>', "doctype"),
        (b"<device>" + b" " * document.MAX_BYTES + b"</device>", "document-too-large"),
        (b"<a>" * 10_000 + b"</a>" * 10_000, "not-xml"),
    ],
)
def test_xml_that_means_harm_is_refused_with_a_code(raw: bytes, code: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        document.parse(raw)
    assert refused.value.code == code


def test_a_text_that_is_longer_than_any_fact_is_refused() -> None:
    element = etree.fromstring(f"<device><name>{'x' * (document.MAX_TEXT + 1)}</name></device>")
    with pytest.raises(InvalidDocument, match="at most"):
        document.survey(element)


def test_a_serial_that_says_nothing_is_a_fact_but_no_identifier() -> None:
    storage = '<capability type="storage"><serial>{}</serial></capability>'
    for serial, kinds in (("To be filled by O.E.M.", []), ("5VE12345", ["serial"])):
        device = document.parse(f"<device><name>block_sda</name>{storage.format(serial)}</device>".encode())
        found = document.survey(device)
        assert found.facts["storage.serial"] == serial
        assert [identifier.kind for identifier in found.identifiers] == kinds


def test_a_fact_that_changes_beside_a_state_of_the_same_path_is_no_mere_state() -> None:
    def nic(permanent: str, current: str) -> document.Survey:
        net = f'<interface>eth0</interface><address permanent="yes">{permanent}</address><state address="{current}"/>'
        text = f'<device><name>net_eth0</name><capability type="net">{net}</capability></device>'
        return document.survey(document.parse(text.encode()))

    before, after = nic("52:54:00:00:00:01", "52:54:00:00:00:09"), nic("52:54:00:00:00:02", "52:54:00:00:00:09")
    assert document.kind_of_change(before, after) == "facts"
    assert document.kind_of_change(before, nic("52:54:00:00:00:01", "52:54:00:00:00:0a")) == "state"
