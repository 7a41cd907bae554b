"""Which interfaces an interface is made of, and what addresses and routes the kernel may tell of."""

import contextlib
import struct
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.netlink import ip
from hwcensus_agent.netlink.frame import Malformed, build_attributes
from hwcensus_agent.netlink.link import Link
from hwcensus_agent.way import stack
from tests.unit.recorded_links import LINKS


def host(**on_top_of_or_master: tuple[str | None, str | None]) -> list[Link]:
    """Links by name, each with what is below it and whose port it is; their numbers are by the order."""
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(on_top_of_or_master, 1)}
    return [
        replace(LINKS["d0"], name=name, index=numbers[name], lower=numbers.get(lower), master=numbers.get(master))
        for name, (lower, master) in on_top_of_or_master.items()
    ]


HOST = host(
    eth0=(None, "bond0"), eth1=(None, "bond0"), eth2=(None, None), bond0=(None, None), v7=("bond0", "br0"),
    v8=("bond0", None), br0=(None, "vrf0"), vrf0=(None, None), tap0=(None, "br0"), v9=("eth2", None),
)  # fmt: skip


def names(end: str, links: Sequence[Link] = HOST) -> list[str]:
    (index,) = [link.index for link in links if link.name == end]
    found = stack(links, {index})
    return [link.name for link in links if link.index in found]


def test_an_interface_is_made_of_all_below_it_down_to_the_slaves_of_a_bond() -> None:
    assert names("v8") == ["eth0", "eth1", "bond0", "v8"]
    assert names("br0") == ["eth0", "eth1", "bond0", "v7", "br0", "vrf0", "tap0"]


def test_what_lies_on_top_of_an_interface_is_no_part_of_it_but_its_masters_are() -> None:
    assert names("eth2") == ["eth2"]
    assert names("tap0") == ["br0", "vrf0", "tap0"]


def test_links_that_name_each_other_or_none_come_to_an_end() -> None:
    ring = host(a=("b", "b"), b=("a", "c"), c=("a", "b"))
    assert names("a", ring) == ["a", "b", "c"]
    assert stack([replace(ring[0], lower=4711, master=4712)], {ring[0].index, 4713}) == {ring[0].index}


def test_a_peer_in_another_network_namespace_is_nobodys_here() -> None:
    one, other = host(v0=("v1", None), v1=(None, None))
    assert names("v0", [replace(one, lower_is_foreign=True), other]) == ["v0"]


@given(st.binary(max_size=120))
def test_any_bytes_are_an_address_or_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        ip.parse_address(body)


@given(st.binary(max_size=120))
def test_any_bytes_are_a_route_or_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        ip.parse_route(body)


INDEX = st.integers(1, 2**31 - 1)
#: Attributes of a route, but for the link it leaves by.
OTHERS = st.dictionaries(st.sampled_from([1, 2, 5, 7, 8, 15]), st.binary(max_size=20))


@given(INDEX, INDEX, OTHERS)
def test_a_route_by_another_link_says_all_else_as_before(former: int, index: int, others: dict[int, bytes]) -> None:
    header = ip.ROUTE.pack(2, 24, 0, 0, 254, 4, 253, 1, 0)
    body = header + build_attributes(others | {4: struct.pack("=I", former)})
    route = ip.parse_route(body)
    assert route is not None
    moved = route.at(index)
    assert ip.parse_route(moved.body) == moved
    assert (moved.index, moved.at(former)) == (index, route)


@given(INDEX, INDEX, st.ip_addresses(v=4))
def test_an_address_of_another_link_is_the_same_address(former: int, index: int, address: IPv4Address) -> None:
    body = ip.ADDRESS.pack(2, 24, 0, 0, former) + build_attributes({2: address.packed})
    found = ip.parse_address(body)
    assert found is not None
    moved = found.at(index)
    assert (moved.text, moved.index, ip.parse_address(moved.body)) == (str(address), index, moved)
    assert moved.at(former) == found


@given(st.ip_addresses().map(str), st.booleans())
def test_a_question_for_a_way_is_a_route_without_a_link(address: str, has_source: bool) -> None:
    question = ip.question(address, address if has_source else None)
    assert ip.leaves_by(question) is None
    assert ip.parse_route(question) is None


@pytest.mark.parametrize("address", ["", "kafka1", "1.2.3", "fe80::1%eth0"])
def test_what_is_no_address_cannot_be_asked_for(address: str) -> None:
    with pytest.raises(OSError, match="illegal IP address"):
        ip.question(address, None)
