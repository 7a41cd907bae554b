"""Which interfaces an interface is made of, and what addresses and routes the kernel may tell of."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.netlink import ip
from hwcensus_agent.netlink.frame import Malformed
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


@given(st.ip_addresses().map(str), st.booleans())
def test_a_question_for_a_way_is_a_route_without_a_link(address: str, has_source: bool) -> None:
    question = ip.question(address, address if has_source else None)
    assert ip.leaves_by(question) is None
    assert ip.parse_route(question) is None


@pytest.mark.parametrize("address", ["", "kafka1", "1.2.3", "fe80::1%eth0"])
def test_what_is_no_address_cannot_be_asked_for(address: str) -> None:
    with pytest.raises(OSError, match="illegal IP address"):
        ip.question(address, None)
