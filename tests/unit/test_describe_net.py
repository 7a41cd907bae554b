"""Network interfaces: addresses that are theirs and addresses that are borrowed, what software makes, what drivers say.

The links and the drivers' answers are those of the lab's kernel; the sysfs around them is made.
"""

import os
import platform
import threading
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from hwcensus import codec, document
from hwcensus.classes.net import Net
from hwcensus.device import State
from hwcensus.document import JsonValue, Survey
from hwcensus_agent import describe, enumerate
from hwcensus_agent.ethtool import Ethtool
from hwcensus_agent.hal.device import HalDevice
from hwcensus_agent.host import HostView
from hwcensus_agent.netlink.link import Link
from hwcensus_agent.view import View
from tests.fixtures import hal_recording
from tests.unit.recorded_links import LINKS, LinkedHost, RecordedEthtool
from tests.unit.sysfs_tree import Tree
from tests.unit.test_bounded import settle

NET = "class/net"
SLOT = "devices/pci0000:00/0000:00:08.0/0000:02:00.0"
CARD = f"{SLOT}/net/enp2s0"
BOND_MAC, OWN_MAC = "52:54:00:12:34:56", "52:54:00:12:34:57"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enumerate, "HostView", LinkedHost)


def interface(tree: Tree, name: str, path: str = "", **attributes: str) -> None:
    """An interface that the lab had, with its number; below `path` where hardware is behind it."""
    index = str(LINKS[name].index)
    where = path or f"devices/virtual/net/{name}"
    tree.device(NET, where, **{"ifindex": index, "iflink": index, "type": "1"} | attributes)
    if path:
        tree.link(f"{path}/device", path.rpartition("/net/")[0])


def surveys(tree: Tree, *include: str) -> dict[str, Survey]:
    found = enumerate.enumerate_host(sysroot=str(tree.sys), include=include).devices
    return {one.name: document.survey(one.element) for one in found}


def identities(tree: Tree) -> dict[str, str]:
    return {one.name: one.identity for one in enumerate.enumerate_host(sysroot=str(tree.sys)).devices}


def bonded(tree: Tree) -> None:
    """A card in a bond, and a VLAN on top: all three show the bond's address."""
    interface(tree, "bond1", address=BOND_MAC, addr_assign_type="2", uevent="DEVTYPE=bond\n",
              bonding__mode="802.3ad 4", bonding__xmit_hash_policy="layer3+4 1", bonding__lacp_rate="fast 1",
              bonding__miimon="100", bonding__active_slave="", bonding__slaves="enp1s0 enp2s0")  # fmt: skip
    interface(tree, "bond1.42", address=BOND_MAC, addr_assign_type="2", iflink="5")
    interface(tree, "enp2s0", CARD, address=BOND_MAC, addr_assign_type="3", operstate="up", mtu="1500", speed="1000",
              duplex="full", dev_port="0")  # fmt: skip
    tree.link(f"{CARD}/master", "devices/virtual/net/bond1")
    tree.link("devices/virtual/net/bond1/lower_enp2s0", CARD)
    tree.link("devices/virtual/net/bond1.42/lower_bond1", "devices/virtual/net/bond1")


def test_a_slave_of_a_bond_is_known_by_its_own_address_and_not_by_the_bonds(tree: Tree, linked: None) -> None:
    bonded(tree)
    slave = surveys(tree)["net_enp2s0"]
    assert (slave.facts["net.address"], slave.facts["net.address.permanent"]) == (OWN_MAC, True)
    assert slave.state == {
        "net.address": BOND_MAC, "net.link": "up", "net.mtu": 1500, "net.speed": 1000, "net.duplex": "full",
        "net.feature": ["gro", "gso", "rx", "rxhash", "rxvlan", "sg", "tso", "tx", "txvlan"],
    }  # fmt: skip
    assert (slave.facts["net.master"], slave.facts["net.port.number"]) == ("net_bond1", 0)
    assert [(one.kind, one.value, one.own) for one in slave.identifiers] == [("mac", OWN_MAC, True)]


def test_what_borrows_the_address_of_a_slave_is_known_by_its_place(tree: Tree, linked: None) -> None:
    bonded(tree)
    found = surveys(tree)
    assert {found[name].facts["net.address"] for name in ("net_bond1", "net_bond1_42")} == {BOND_MAC}
    assert identities(tree) == {
        "computer": "computer",
        "net_enp2s0": f"net/mac/{OWN_MAC}",
        "net_bond1": "net/place/virtual%2Fnet%2Fbond1",
        "net_bond1_42": "net/place/virtual%2Fnet%2Fbond1.42",
    }


@pytest.mark.parametrize("asked", ["ethtool", "sysfs"])
def test_a_kernel_that_tells_no_permanent_address_is_asked_and_else_believed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    """IFLA_PERM_ADDRESS is of 5.5; ethtool was asked before that, and `addr_assign_type` is of 3.6."""

    class Older(LinkedHost):
        def link(self, view: View) -> Link | None:
            found = super().link(view)
            return None if found is None else replace(found, permanent_address=None)

        def ethtool(self, view: View) -> Ethtool | None:
            return super().ethtool(view) if asked == "ethtool" else None

    monkeypatch.setattr(enumerate, "HostView", Older)
    interface(tree, "enp2s0", CARD, address=OWN_MAC if asked == "sysfs" else BOND_MAC, addr_assign_type="0")
    assert identities(tree)["net_enp2s0"] == f"net/mac/{OWN_MAC}"


@pytest.mark.parametrize(
    "path, attributes",
    [
        (
            "devices/virtual/net/x0",
            {"address": OWN_MAC},
        ),  # a macvlan in passthru mode copies all of it
        (CARD, {"address": OWN_MAC, "iflink": "9"}),  # the port of a switch chip has its host's
        (CARD, {"address": "01:00:5e:00:00:01"}),  # a group's
        (CARD, {"address": "00:00:00:00:00:00"}),
        (CARD, {"address": OWN_MAC, "type": "803"}),  # a monitor has its card's
        (CARD, {"address": "00:11:22:33:44:55:66:77", "type": "24"}),  # FireWire
    ],
)
def test_not_every_address_that_looks_permanent_is_one(tree: Tree, path: str, attributes: dict[str, str]) -> None:
    tree.device(NET, path, **{"type": "1", "ifindex": "3", "iflink": "3", "addr_assign_type": "0"} | attributes)
    (name,) = set(identities(tree)) - {"computer"}
    assert identities(tree)[name].startswith("net/place/")
    assert "net.address.permanent" not in surveys(tree)[name].facts


def test_the_address_of_a_tunnel_is_no_mac(tree: Tree, linked: None) -> None:
    interface(tree, "g0", address="c0:00:02:02", addr_assign_type="0", type="778", iflink="0")
    tunnel = surveys(tree)["net_g0"]
    assert tunnel.facts == {"net.interface": "g0"}
    assert (tunnel.frame["driver"], tunnel.capabilities) == ("gre", ["net"])


def test_a_driver_says_its_version_and_firmware(tree: Tree, linked: None) -> None:
    path = "devices/pci0000:00/0000:00:04.0/virtio3/net/enp0s4"
    interface(tree, "enp0s4", path, address="52:54:00:00:00:01")
    interface(tree, "enp2s0", CARD, address=OWN_MAC)
    found = surveys(tree)
    assert found["net_enp0s4"].facts["net.driver_version"] == "1.0.0"
    assert "net.firmware" not in found["net_enp0s4"].facts
    assert found["net_enp2s0"].facts["net.firmware"] == "2.1-0"


def test_a_driver_that_has_no_version_but_the_kernels_has_none(
    tree: Tree, linked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    interface(tree, "enp2s0", CARD, address=OWN_MAC)
    monkeypatch.setattr(platform, "release", lambda: "6.1.0-56-amd64")
    assert "net.driver_version" not in surveys(tree)["net_enp2s0"].facts
    assert surveys(tree)["net_enp2s0"].facts["net.firmware"] == "2.1-0"


def test_hardware_that_sleeps_is_not_woken_to_be_asked(tree: Tree, linked: None) -> None:
    interface(tree, "enp2s0", CARD, address=OWN_MAC)
    (tree.sys / SLOT / "power").mkdir()
    (tree.sys / SLOT / "power/runtime_status").write_text("suspended\n")
    devices = {one.name: one.device for one in enumerate.enumerate_host(sysroot=str(tree.sys)).devices}
    assert devices["net_enp2s0"].state == State(unread="net.driver_version net.feature net.firmware")
    assert surveys(tree)["net_enp2s0"].facts["net.address"] == OWN_MAC


def test_a_driver_that_does_not_answer_costs_what_only_it_tells(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    class Hanging(RecordedEthtool):
        def _ask(self, request: bytes) -> bytes | None:
            answers.wait()
            return super()._ask(request)

    class Host(LinkedHost):
        def ethtool(self, view: View) -> Ethtool:
            return Hanging("enp2s0")

    monkeypatch.setattr(enumerate, "HostView", Host)
    interface(tree, "enp2s0", CARD, address=BOND_MAC, operstate="up")
    found = enumerate.Enumerator(str(tree.sys), read_limit=0.25).everything().devices
    answers.set()
    settle()
    (device,) = (one.device for one in found if one.name == "net_enp2s0")
    survey = document.survey(codec.write_device(device))
    assert (survey.facts["net.address"], survey.state["net.link"]) == (OWN_MAC, "up")
    assert device.state == State(unread="net.driver_version net.feature net.firmware")


def test_software_is_not_asked_what_its_hardware_does(tree: Tree, linked: None) -> None:
    bonded(tree)
    bond = surveys(tree)["net_bond1"]
    assert not {"net.feature", "net.firmware", "net.driver_version"} & {*bond.facts, *bond.state}


XOR = {"bonding__mode": "balance-xor 2"}
BOND = {"bonding__mode": "active-backup 1", "bonding__xmit_hash_policy": "layer2 0", "bonding__lacp_rate": "slow 0",
        "bonding__miimon": "0"}  # fmt: skip


@pytest.mark.parametrize(
    "name, attributes, expected",
    [
        ("br1", {"bridge__stp_state": "1", "bridge__vlan_filtering": "0"},
         {"bridge.stp": True, "bridge.vlan_filtering": False}),
        ("bond1", BOND, {"bond.mode": "active-backup"}),
        ("bond1", BOND | XOR, {"bond.mode": "balance-xor", "bond.xmit_policy": "layer2"}),
        ("bond1", BOND | {"bonding__mode": "802.3ad 4", "bonding__lacp_rate": "fast 1", "bonding__miimon": "100"},
         {"bond.mode": "802.3ad", "bond.xmit_policy": "layer2", "bond.lacp_rate": "fast", "bond.miimon": 100}),
        ("bond1.42", {"iflink": "5"}, {"vlan.id": 42, "vlan.protocol": "802.1Q"}),
        ("ad7", {}, {"vlan.id": 7, "vlan.protocol": "802.1ad"}),
        ("mv0", {"iflink": "6"}, {"macvlan.mode": "bridge"}),
        ("mt0", {"iflink": "5"}, {"macvlan.mode": "vepa"}),
        ("vx7", {}, {"vxlan.id": 7, "vxlan.remote": "192.0.2.9", "vxlan.port": 4789}),
        ("vx6", {}, {"vxlan.id": 0xFFFFFF, "vxlan.remote": "2001:db8::9", "vxlan.port": 8472}),
        ("vxe", {}, {"vxlan.port": 4790}),
        ("vrf10", {}, {"vrf.table": 10}),
        ("team0", {}, {}),
    ],
)  # fmt: skip
def test_what_software_makes_has_the_facts_of_its_kind(
    tree: Tree, linked: None, name: str, attributes: dict[str, str], expected: dict[str, JsonValue]
) -> None:
    interface(tree, name, **attributes)
    (made,) = (survey for device, survey in surveys(tree).items() if device != "computer")
    kind = LINKS[name].kind
    assert {path: value for path, value in made.facts.items() if not path.startswith("net.")} == expected
    assert (made.frame["driver"], made.frame["parent"]) == (kind, "computer")
    assert made.capabilities == ["net", "80203", "macvlan" if kind == "macvtap" else kind]


def test_what_is_below_is_told_by_sysfs_or_else_by_rtnetlink(tree: Tree, linked: None) -> None:
    for name in ("d2", "mv0", "vx7", "bond1", "bond1.42", "mt0"):
        interface(tree, name)
    tree.link("devices/virtual/net/bond1.42/lower_d2", "devices/virtual/net/d2")
    found = surveys(tree)
    assert found["net_bond1_42"].facts["vlan.lower"] == "net_d2"
    assert found["net_mt0"].facts["macvlan.lower"] == "net_bond1"
    assert (found["net_mv0"].facts["macvlan.lower"], found["net_vx7"].facts["vxlan.lower"]) == ("net_d2", "net_d2")


def test_what_is_below_in_another_namespace_has_no_name_here(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    class Foreign(LinkedHost):
        def link(self, view: View) -> Link | None:
            found = super().link(view)
            return None if found is None else replace(found, lower_is_foreign=True)

    monkeypatch.setattr(enumerate, "HostView", Foreign)
    for name in ("d2", "mv0"):
        interface(tree, name)
    assert surveys(tree)["net_mv0"].facts == {"net.interface": "mv0", "macvlan.mode": "bridge"}


@pytest.mark.parametrize("name", ["bond1", "br1", "team0", "vrf10"])
def test_a_master_lists_its_ports_in_order(tree: Tree, linked: None, name: str) -> None:
    interface(tree, name)
    for port in ("d2", "d0"):
        interface(tree, port)
        tree.link(f"devices/virtual/net/{name}/lower_{port}", f"devices/virtual/net/{port}")
    assert surveys(tree)[f"net_{name}"].state["net.port"] == ["net_d0", "net_d2"]


def test_the_active_slave_is_named_whatever_its_name_is_made_of(tree: Tree) -> None:
    path, slave = "devices/virtual/net/bond0", os.fsdecode(b"d\xe9")
    tree.device(NET, path, type="1", bonding__mode="active-backup 1")
    (tree.sys / path / "bonding/active_slave").write_bytes(b"d\xe9\n")
    tree.device(NET, f"devices/virtual/net/{slave}", type="1")
    tree.link(f"{path}/lower_{slave}", f"devices/virtual/net/{slave}")
    assert surveys(tree)["net_bond0"].state["net.active"] == "net_d_"


def test_kernels_before_3_13_say_otherwise_what_is_enslaved_to_what(tree: Tree) -> None:
    bond, bridge, slave = (f"devices/virtual/net/{name}" for name in ("bond0", "br0", "eth0"))
    tree.device(NET, slave, type="1")
    tree.device(NET, bond, type="1", bonding__mode="active-backup 1", bonding__slaves="eth0",
                bonding__active_slave="eth0")  # fmt: skip
    tree.link(f"{bond}/slave_eth0", slave)
    tree.link(f"{slave}/master", bond)
    tree.device(NET, bridge, type="1", bridge__stp_state="0")
    tree.device(NET, f"{bond}/brport", type="1")
    tree.link(f"{bridge}/brif/bond0", f"{bond}/brport")
    tree.link(f"{bond}/brport/bridge", bridge)
    found = surveys(tree)
    assert (found["net_bond0"].frame["driver"], found["net_br0"].frame["driver"]) == ("bond", "bridge")
    assert (found["net_bond0"].state["net.port"], found["net_bond0"].state["net.active"]) == (["net_eth0"], "net_eth0")
    assert (found["net_br0"].state["net.port"], found["net_bond0"].facts["net.master"]) == (["net_bond0"], "net_br0")
    assert found["net_eth0"].facts["net.master"] == "net_bond0"


@pytest.mark.parametrize("said", ["65535", "4294967295", "-1", "0", None])
def test_a_speed_that_the_driver_does_not_know_is_none(tree: Tree, said: str | None) -> None:
    tree.device(NET, CARD, type="1", duplex="unknown", **{} if said is None else {"speed": said})
    assert surveys(tree)["net_enp2s0"].state == {}


def test_a_port_of_a_switch_says_which_and_of_which_one(tree: Tree) -> None:
    """Uplink of a card in switchdev mode and the representor of its second virtual function."""
    tree.device(NET, f"{SLOT}/net/enp2s0np0", type="1", dev_port="0", phys_port_name="p0",
                phys_switch_id="c29c1c00039b", device__infiniband__mlx5_0__node_type="1: CA")  # fmt: skip
    tree.device(NET, f"{SLOT}/net/enp2s0npf0vf1", type="1", phys_port_name="pf0vf1", phys_switch_id="c29c1c00039b")
    found = surveys(tree)
    uplink, representor = found["net_enp2s0np0"], found["net_enp2s0npf0vf1"]
    assert {path: value for path, value in uplink.facts.items() if "port" in path} == {
        "net.port.name": "p0", "net.port.number": 0, "net.port.switch": "c29c1c00039b"
    }  # fmt: skip
    assert uplink.state == {"net.feature": ["rdma", "switchdev"]}
    assert (representor.facts["net.port.name"], representor.state) == ("pf0vf1", {"net.feature": ["switchdev"]})


def test_an_infiniband_port_is_known_by_its_guid_and_a_partition_of_it_by_its_place(tree: Tree) -> None:
    guid = "00:02:c9:03:00:0e:8b:31"
    address = f"80:00:00:48:fe:80:00:00:00:00:00:00:{guid}"
    port = {"type": "32", "addr_assign_type": "0", "address": address, "iflink": "4"}
    tree.device(NET, f"{SLOT}/net/ib0", ifindex="4", pkey="0xffff", mode="datagram", **port)
    tree.device(NET, f"{SLOT}/net/ib0.8001", ifindex="5", pkey="0x8001", mode="connected", **port)
    found = surveys(tree)
    assert found["net_ib0"].facts == {"net.interface": "ib0", "net.address": guid, "net.address.permanent": True,
                                      "infiniband.pkey": "ffff", "infiniband.mode": "datagram"}  # fmt: skip
    assert found["net_ib0"].capabilities == ["net", "infiniband"]
    assert found["net_ib0_8001"].facts["infiniband.pkey"] == "8001"
    assert identities(tree)["net_ib0"] == f"net/mac/{guid}"
    assert identities(tree)["net_ib0_8001"].startswith("net/place/")


def test_a_wireless_card_names_its_phy(tree: Tree, linked: None) -> None:
    card = "devices/virtual/mac80211_hwsim/hwsim0"
    interface(tree, "wlan0", f"{card}/net/wlan0", uevent="DEVTYPE=wlan\n", address="02:00:00:00:00:00")
    tree.link(f"{card}/net/wlan0/phy80211", f"{card}/ieee80211/phy0")
    tree.link(f"{card}/driver", "bus/platform/drivers/mac80211_hwsim")
    found = surveys(tree)["net_wlan0"]
    assert (found.facts["80211.phy"], found.capabilities) == ("phy0", ["net", "80211"])
    assert (found.frame["driver"], found.state["net.feature"]) == ("mac80211_hwsim", ["gro"])


@pytest.mark.parametrize("flags, mode", [("0x1801", "tun"), ("0x1802", "tap")])
def test_a_tun_comes_in_by_include_and_as_the_interface_that_it_is(tree: Tree, flags: str, mode: str) -> None:
    tree.device(NET, "devices/virtual/net/tap0", tun_flags=flags, type="1")
    assert "net_tap0" not in surveys(tree)
    for include in ("net", "net:tun"):
        found = surveys(tree, include)["net_tap0"]
        assert (found.facts, found.frame["driver"]) == ({"net.interface": "tap0", "tun.mode": mode}, "tun")


HAL: tuple[tuple[str, str, list[str], dict[str, str]], ...] = (
    ("fcserver", "net_00_26_b9_5a_10_01", ["80203"], {"net.interface": "eth1", "net.address": "00:26:b9:5a:10:01"}),
    ("fcserver", "net_52_54_00_12_34_56", ["80203", "bridge"],
     {"net.interface": "virbr0", "net.address": "52:54:00:12:34:56"}),
    ("fcserver", "net_80_00_00_48_fe_80_00_00_00_00_00_00_00_02_c9_03_00_0e_1b_35", ["infiniband"],
     {"net.interface": "ib0", "net.address": "00:02:c9:03:00:0e:1b:35"}),
    ("fcserver", "net_0_0_0_0", [], {"net.interface": "sit0"}),
    ("desktop", "net_00_13_02_b9_f9_d3", ["80211"], {"net.interface": "wlan0", "net.address": "00:13:02:b9:f9:d3"}),
    ("lab-vm", "net_computer_loopback", [], {"net.interface": "lo"}),
)  # fmt: skip


@pytest.mark.parametrize("recording, device, nested, facts", HAL, ids=[device for _, device, _, _ in HAL])
def test_hal_alone_tells_name_address_and_sort(
    tmp_path: Path, recording: str, device: str, nested: list[str], facts: dict[str, str]
) -> None:
    """It does not say whether an address is permanent: a bond's slave has the bond's there too."""
    found = described(HalDevice(udi=device, properties=hal_recording.load(recording)[device]), tmp_path)
    assert [inner.type_ for inner in found.nested] == nested
    assert (found.interface, found.address) == (facts["net.interface"], facts.get("net.address"))
    assert (found.permanent, found.state) == (None, None)


def test_of_an_address_that_hal_has_as_a_number_alone_all_zeros_count(tmp_path: Path) -> None:
    card = hal_recording.load("fcserver")["net_00_26_b9_5a_10_01"]
    plain = {key: value for key, value in card.items() if key != "net.address"}
    assert described(HalDevice(udi="net", properties=plain), tmp_path).address == "00:26:b9:5a:10:01"


def described(device: HalDevice, empty: Path) -> Net:
    path = device.path or ""
    host = HostView(str(empty), {path: device})
    description = describe.describe(host.view(path, "net"), host)
    assert description is not None
    return cast(Net, description.capabilities[0])
