"""Link messages as real kernels sent them, and whatever else might come in their place."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.netlink.frame import (
    Malformed,
    attributes,
    build_attributes,
    build_message,
    messages,
    number,
    text,
)
from hwcensus_agent.netlink.link import INFO, MTU, Link, fingerprint, is_wireless_event, parse_link
from tests.unit.recorded_links import BODIES, LINKS

ALIGNED = 4


def said(name: str) -> Link:
    return LINKS[name]


def test_a_vlan_tells_its_number_its_protocol_and_what_is_below_it() -> None:
    link = said("v10")
    assert (link.kind, link.vlan_id, link.vlan_protocol, link.lower) == ("vlan", 10, "802.1Q", said("bond0").index)
    stacked = said("ad7")
    assert (stacked.vlan_id, stacked.vlan_protocol, stacked.lower) == (7, "802.1ad", said("d1").index)


def test_a_bond_tells_its_mode_and_active_slave_and_the_slave_its_master() -> None:
    bond, slave, released = said("bond0"), said("d1"), said("d0")
    assert (bond.kind, bond.bond_mode, bond.bond_active_slave) == ("bond", "active-backup", slave.index)
    assert (slave.kind, slave.master, slave.up, slave.carrier, slave.mtu) == ("dummy", bond.index, True, True, 1400)
    assert (released.master, released.up, released.carrier, released.operstate) == (None, False, False, "down")


def test_a_bridge_tells_whether_it_speaks_stp() -> None:
    assert (said("br0").kind, said("br0").bridge_stp) == ("bridge", True)


def test_what_another_kind_has_is_not_made_up() -> None:
    bridge = said("br0")
    assert (bridge.vlan_id, bridge.vlan_protocol, bridge.bond_mode, bridge.bond_active_slave) == (None,) * 4
    assert (said("d1").bridge_stp, said("d1").alias, said("d1").lower_is_foreign) == (None, None, False)


def test_a_macvlan_tells_its_mode_and_what_is_below_it_and_so_does_a_macvtap() -> None:
    link, tap = said("mv0"), said("mt0")
    assert (link.kind, link.macvlan_mode, link.lower) == ("macvlan", "bridge", said("d2").index)
    assert (tap.kind, tap.macvlan_mode, tap.lower) == ("macvtap", "vepa", said("bond1").index)


def test_a_vxlan_tells_its_number_its_other_end_and_what_is_below_it() -> None:
    link, over_ipv6, external = said("vx7"), said("vx6"), said("vxe")
    assert (link.kind, link.vxlan_id, link.vxlan_remote, link.vxlan_port) == ("vxlan", 7, "192.0.2.9", 4789)
    assert (link.lower, over_ipv6.lower) == (said("d2").index, None)
    assert (over_ipv6.vxlan_id, over_ipv6.vxlan_remote, over_ipv6.vxlan_port) == (0xFFFFFF, "2001:db8::9", 8472)
    assert (external.kind, external.vxlan_id, external.vxlan_remote) == ("vxlan", None, None)


def test_a_vrf_tells_its_table_and_what_is_in_it_its_master() -> None:
    assert (said("vrf10").kind, said("vrf10").vrf_table) == ("vrf", 10)
    assert said("d2").master == said("vrf10").index


def test_a_slave_of_a_bond_has_the_bonds_address_and_a_permanent_one_of_its_own() -> None:
    slave, bond = said("enp2s0"), said("bond1")
    assert (slave.address, slave.permanent_address) == (bond.address, "52:54:00:12:34:57")
    assert (bond.bond_mode, bond.permanent_address, slave.master) == ("802.3ad", None, bond.index)


def test_hardware_has_no_kind_but_a_permanent_address() -> None:
    card = said("enp0s4")
    assert (card.kind, card.address, card.permanent_address) == (None, "52:54:00:00:00:01", "52:54:00:00:00:01")
    assert said("va").permanent_address is None


@pytest.mark.parametrize("name", sorted(BODIES))
def test_every_cut_of_a_real_message_is_refused_or_still_a_link(name: str) -> None:
    body = BODIES[name]
    for length in range(len(body)):
        try:
            link = parse_link(body[:length])
        except Malformed:
            continue
        # Cut exactly between two attributes: what was said up to there holds.
        assert link.index == said(name).index


@given(st.binary(max_size=400))
def test_any_bytes_are_a_link_or_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse_link(body)
        is_wireless_event(body)
        fingerprint(body)


@given(st.sampled_from(sorted(BODIES)), st.data())
def test_a_real_message_with_spoilt_bytes_is_a_link_or_malformed(name: str, data: st.DataObject) -> None:
    body = bytearray(BODIES[name])
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), min_size=1, max_size=8)):
        body[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        parse_link(bytes(body))


@given(st.binary(max_size=200))
def test_any_datagram_ends_in_messages_or_malformed(datagram: bytes) -> None:
    try:
        bodies = [message.body for message in messages(datagram)]
    except Malformed:
        return
    assert sum(map(len, bodies)) <= len(datagram)


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=40)))
def test_attributes_come_back_as_they_were_built(values: dict[int, bytes]) -> None:
    built = build_attributes(values)
    assert len(built) % ALIGNED == 0
    assert attributes(built) == values


@given(st.lists(st.binary(max_size=40).map(lambda body: body + bytes(-len(body) % ALIGNED))))
def test_messages_come_back_as_they_were_built(bodies: list[bytes]) -> None:
    datagram = b"".join(build_message(16, 2, seq, body) for seq, body in enumerate(bodies))
    assert [(message.seq, message.body) for message in messages(datagram)] == list(enumerate(bodies))


def test_of_two_attributes_of_one_type_the_last_holds_and_flags_are_no_part_of_the_type() -> None:
    assert attributes(build_attributes({5: b"old."}) + build_attributes({0x8005: b"new."})) == {5: b"new."}


@pytest.mark.parametrize("length", [0, 3, 5, 0xFFFF])
def test_an_attribute_of_an_impossible_length_is_malformed(length: int) -> None:
    with pytest.raises(Malformed, match="attribute 3"):
        attributes(length.to_bytes(2, "little") + b"\x03\0")


@pytest.mark.parametrize("length", [0, 15, 17, 0xFFFFFFFF])
def test_a_message_of_an_impossible_length_is_malformed(length: int) -> None:
    with pytest.raises(Malformed, match="message"):
        list(messages(length.to_bytes(4, "little") + bytes(12)))


def test_a_link_without_a_name_or_an_index_is_malformed() -> None:
    name = build_attributes({3: b"eth0\0"})
    for body in (INFO.pack(0, 1, 2, 0, 0), INFO.pack(0, 1, 0, 0, 0) + name, INFO.pack(0, 1, -1, 0, 0) + name):
        with pytest.raises(Malformed, match="index"):
            parse_link(body)


def test_numbers_that_no_kernel_has_named_are_left_out() -> None:
    info = build_attributes({1: b"bond\0", 2: build_attributes({1: b"\xff"})})
    link = parse_link(INFO.pack(0, 1, 2, 0, 0) + build_attributes({3: b"b0\0", 16: b"\x63", 18: info}))
    assert (link.bond_mode, link.operstate) == (None, None)


def test_what_is_counted_does_not_make_another_message_of_it_but_anything_else_does() -> None:
    body = BODIES["bond1"]
    assert fingerprint(body + build_attributes({7: b"1" * 96, 23: b"2" * 192, 26: b"3" * 8})) == fingerprint(body)
    assert fingerprint(body + build_attributes({44: bytes(4)})) == fingerprint(body)
    others = [body + build_attributes({MTU: struct.pack("=I", 9000)}), body.replace(b"bond1", b"bond2"),
              INFO.pack(0, 1, 5, 0, 0) + body[INFO.size :], BODIES["enp2s0"]]  # fmt: skip
    assert fingerprint(body) not in {fingerprint(other) for other in others}


def test_a_message_that_says_why_it_comes_is_like_no_other() -> None:
    assert fingerprint(BODIES["bond1"] + build_attributes({44: struct.pack("=I", 2)})) is None


def test_a_wireless_event_is_told_from_a_link() -> None:
    name = {3: b"wlan0\0"}
    assert is_wireless_event(INFO.pack(0, 1, 2, 0, 0) + build_attributes(name | {11: b"...."}))
    assert not is_wireless_event(BODIES["d1"])


def test_integers_and_texts_are_read_as_the_kernel_writes_them() -> None:
    assert (number(b"\x81\x00", 2, ">"), number(b"\x07", 1)) == (0x8100, 7)
    assert (text(b"eth0\0\0"), text(b"eth0"), text(b"\xe9\0").encode("utf-8", "surrogateescape")) == (
        "eth0",
        "eth0",
        b"\xe9",
    )
    with pytest.raises(Malformed, match="4 bytes has only 2"):
        number(b"\0\0", 4)


def test_a_value_too_long_for_an_attribute_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        build_attributes({1: bytes(0x10000)})
