"""What `create` takes, by what the document alone shows."""

import pytest

from hwcensus import document
from hwcensus.creatable import creatable_type, read_creation
from hwcensus.creatable.interface_name import check_interface_name
from hwcensus.errors import InvalidDocument

BRIDGE = (
    "<device>{more}<capability type='net'><interface>{name}</interface>{facts}"
    "<capability type='bridge'/></capability></device>"
)


def bridge(name: str = "hwc0", more: str = "", facts: str = "") -> bytes:
    return BRIDGE.format(name=name, more=more, facts=facts).encode()


def test_the_smallest_bridge_is_taken() -> None:
    assert creatable_type(read_creation(bridge())) == "bridge"


def test_a_bridge_may_say_that_it_is_ethernet_and_of_the_computer() -> None:
    raw = bridge(more="<parent>computer</parent>", facts="<capability type='80203'/>")
    assert creatable_type(read_creation(raw)) == "bridge"


@pytest.mark.parametrize(
    "raw, code",
    [
        (bridge("hwc0-is-far-too-long"), "name-too-long"),
        (bridge("éééééééé"), "name-too-long"),  # 16 bytes
        (bridge("hwc%d"), "bad-name"),
        (bridge("hw c0"), "bad-name"),
        (bridge("a/b"), "bad-name"),
        (bridge(".."), "bad-name"),
        (bridge(more="<parent>pci_0000_00_03_0</parent>"), "bad-parent"),
        (bridge(facts="<address>02:00:00:00:00:01</address>"), "bad-creation"),
        (bridge(more="<capability type='net'><interface>x</interface></capability>"), "several-capabilities"),
        (bridge(more="<key>/sys/x</key>"), "schema"),
        (b"<device/>", "no-capability"),
        (b"<device><capability/></device>", "not-creatable"),
        (b"<device><capability type='net'><interface>x</interface></capability></device>", "not-creatable"),
        (b"<device>", "not-xml"),
        (b"<!DOCTYPE device><device/>", "doctype"),
        (b"", "not-xml"),
    ],
)
def test_what_the_document_alone_shows_is_refused_by_its_own_code(raw: bytes, code: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        read_creation(raw)
    assert refusal.value.code == code


def test_a_command_is_not_a_creation_document() -> None:
    raw = (
        b'<command format="1" id="1" host="h" stream="s" type="ping" issued="2026-11-23T14:10:55Z"'
        b' expires="2026-11-23T14:10:55Z" by="me"/>'
    )
    with pytest.raises(InvalidDocument, match="is not a <device>"):
        read_creation(raw)


def test_the_refusal_names_field_and_value() -> None:
    with pytest.raises(InvalidDocument, match=r"interface name 'hwc0-is-far-too-long' has 20 bytes.*at most 15"):
        check_interface_name("hwc0-is-far-too-long")


def test_an_empty_name_is_no_name() -> None:
    with pytest.raises(InvalidDocument):
        check_interface_name("")


def test_the_document_of_a_creation_is_written_as_it_was_read() -> None:
    device = read_creation(bridge())
    assert document.to_bytes(read_creation(document.to_bytes(device))) == document.to_bytes(device)
