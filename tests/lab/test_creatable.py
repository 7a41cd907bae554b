"""VLANs, bonds and virtual functions, which take a kernel that has them: ordered at the centre, seen in the guest."""

from collections.abc import Iterator

import pytest

from tests.fixtures.process import ROOT
from tests.lab.console import Console
from tests.lab.lab import Lab

NVME = "0000:05:00.0"


def link(name: str, kind: str, facts: str = "", *ports: str) -> str:
    state = "".join(f"<port>{port}</port>" for port in ports)
    return (
        f'<device><capability type="net"><interface>{name}</interface>'
        f'<capability type="{kind}">{facts}</capability><state>{state}</state></capability></device>'
    )


def virt_functions(number: int, parent: str = "pci_0000_05_00_0") -> str:
    state = f'<state virt_functions="{number}"/>'
    return f'<device><parent>{parent}</parent><capability type="pci">{state}</capability></device>'


@pytest.fixture
def dummies(lab: Lab) -> Iterator[tuple[str, str]]:
    """Two interfaces that are up."""
    lab.guest("for n in 0 1; do ip link add hwcd$n address 02:00:00:00:00:2$n type dummy; ip link set hwcd$n up; done")
    lab.hears({"add net_hwcd0", "add net_hwcd1"})
    yield "net_hwcd0", "net_hwcd1"
    lab.guest("ip link delete hwcd0; ip link delete hwcd1")
    lab.hears({"remove net_hwcd0", "remove net_hwcd1"})


def test_a_vlan_is_created_once_on_the_interface_that_was_named(
    lab: Lab, console: Console, dummies: tuple[str, str]
) -> None:
    lower, _ = dummies
    facts = f"<id>7</id><protocol>802.1ad</protocol><lower>{lower}</lower>"
    created = console.orders("create", "lab", "-", given=link("hwcd0.7", "vlan", facts))
    (vlan,) = lab.hears("add net_hwcd0_7")
    assert vlan.command == created["id"]
    assert vlan.device.facts.items() >= {"vlan.id": 7, "vlan.protocol": "802.1ad", "vlan.lower": lower}.items()

    console.orders("create", "lab", "-", given=link("hwcother", "vlan", facts), to="failed", code="vlan-taken")
    unknown = "<id>7</id><lower>net_hwc9</lower>"
    given = link("hwcother", "vlan", unknown)
    console.orders("create", "lab", "-", given=given, to="failed", code="interface-unknown")

    console.orders("destroy", "lab", "net_hwcd0_7", "--yes")
    lab.hears("remove net_hwcd0_7")


def test_a_bond_takes_its_ports_as_they_are_and_what_was_chosen_of_it(
    lab: Lab, console: Console, dummies: tuple[str, str]
) -> None:
    facts = "<mode>802.3ad</mode><xmit_policy>layer3+4</xmit_policy><lacp_rate>fast</lacp_rate><miimon>100</miimon>"
    console.orders("create", "lab", "-", given=link("hwcbond", "bond", facts, *dummies))
    lab.sees(
        "net_hwcbond", net__port=list(dummies), net__address="02:00:00:00:00:20", bond__mode="802.3ad",
        bond__xmit_policy="layer3+4", bond__lacp_rate="fast", bond__miimon=100,
    )  # fmt: skip
    for port in dummies:
        lab.sees(port, net__master="net_hwcbond", net__address="02:00:00:00:00:20")
    lab.settle()  # in how many events that was told, is a matter of time

    taken = link("hwcbr", "bridge", "", dummies[0])
    assert "hwcd0 is a port of hwcbond already" in console.orders(
        "create", "lab", "-", given=taken, to="failed", code="port-taken"
    )["text"]  # fmt: skip

    console.orders("destroy", "lab", "net_hwcbond", "--yes")
    lab.hears({"remove net_hwcbond", *(f"facts {port}" for port in dummies)})
    assert lab.census["net_hwcd1"].facts["net.address"] == "02:00:00:00:00:21"


def test_a_bond_that_took_the_way_to_kafka_along_is_undone_and_its_port_has_all_it_had(lab: Lab) -> None:
    assert lab.guest(f"cd {ROOT}; unshare --net {lab.guest.python('-m', 'tests.lab.bond_way')}") == "undone\n"


def test_virtual_functions_are_ordered_named_in_the_result_and_taken_away(lab: Lab, console: Console) -> None:
    # Without a driver: the kernel's would find no queues in them, and come and go.
    lab.guest(f"echo 0 >/sys/bus/pci/devices/{NVME}/sriov_drivers_autoprobe")
    created = console.orders("create", "lab", "-", given=virt_functions(2))
    told = lab.hears({"add pci_0000_05_00_1", "add pci_0000_05_00_2"})  # udev looks at several at once
    assert {one.command for one in told} == {created["id"]}
    assert sorted(one["name"] for one in created["produced"]) == ["pci_0000_05_00_1", "pci_0000_05_00_2"]
    assert created["text"] == "2 of 4 virtual functions"
    lab.sees("pci_0000_05_00_0", pci__virt_functions=2)

    console.orders("create", "lab", "-", given=virt_functions(3), to="failed", code="vfs-in-use")
    console.orders("create", "lab", "-", given=virt_functions(5), to="failed", code="bad-vf-count")
    not_one = virt_functions(1, "pci_0000_00_1b_0")
    console.orders("create", "lab", "-", given=not_one, to="failed", code="no-sriov")
    console.orders("destroy", "lab", "pci_0000_05_00_1", "--yes", to="failed", code="virtual-function")

    asked = [console("create", "lab", "-", "--check", given=virt_functions(number)) for number in (0, 3)]
    assert ([one.status for one in asked], "vfs-in-use" in asked[1].err) == ([0, 4], True), asked
    assert "not-confirmed" in console("create", "lab", "-", given=virt_functions(0)).err
    lab.hears()
    removed = console.orders("create", "lab", "-", "--yes", given=virt_functions(0))
    told = lab.hears({"remove pci_0000_05_00_1", "remove pci_0000_05_00_2"})
    assert {one.command for one in told} == {removed["id"]}
    assert removed["text"] == "0 of 4 virtual functions"
