"""Network interfaces that software makes, and what no uevent tells of them: addresses, masters, links."""

from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab


@pytest.fixture
def dummy(lab: Lab) -> Iterator[str]:
    """An interface that a test can do anything with."""
    lab.guest("ip link add hwc0 address 02:00:00:00:00:10 type dummy")
    lab.hears("add net_hwc0")
    yield "net_hwc0"
    lab.guest("ip link delete hwc0")
    lab.hears("remove net_hwc0")


def test_a_port_that_joins_and_leaves_a_bridge_has_it_as_its_master(lab: Lab, dummy: str) -> None:
    lab.guest("ip link add hwcbr address 02:00:00:00:00:11 type bridge stp_state 1")
    (bridge,) = lab.hears("add net_hwcbr")
    assert bridge.device.facts.items() >= {"net.interface": "hwcbr", "driver": "bridge", "bridge.stp": True}.items()

    lab.guest("ip link set hwc0 master hwcbr")
    lab.hears({f"facts {dummy}", "state net_hwcbr"})
    assert lab.census[dummy].facts["net.master"] == "net_hwcbr"
    assert lab.census["net_hwcbr"].state["net.port"] == [dummy]

    lab.guest("ip link set hwc0 nomaster")
    lab.hears({f"facts {dummy}", "state net_hwcbr"})
    assert "net.master" not in lab.census[dummy].facts
    assert "net.port" not in lab.census["net_hwcbr"].state

    lab.guest("ip link delete hwcbr")
    lab.hears("remove net_hwcbr")


def test_a_bond_takes_its_slaves_address_and_says_which_one_is_active(lab: Lab, dummy: str) -> None:
    lab.guest("ip link add hwcbond type bond mode active-backup && ip link set hwcbond up")
    lab.hears("add net_hwcbond")
    assert lab.census["net_hwcbond"].facts["bond.mode"] == "active-backup"

    lab.guest("ip link set hwc0 master hwcbond")
    lab.hears({f"facts {dummy}", "facts net_hwcbond"})
    assert lab.census[dummy].facts["net.master"] == "net_hwcbond"
    assert lab.census["net_hwcbond"].facts["net.address"] == "02:00:00:00:00:10"
    lab.sees("net_hwcbond", net__port=[dummy], net__active=dummy, net__link="up")

    lab.guest("ip link delete hwcbond")
    lab.hears({"remove net_hwcbond", f"facts {dummy}"})
    assert "net.master" not in lab.census[dummy].facts


def test_a_vlan_and_a_macvlan_name_what_they_are_on_and_go_with_it(lab: Lab) -> None:
    lab.guest("ip link add hwc0 type dummy")
    lab.hears("add net_hwc0")
    lab.guest("ip link add link hwc0 name hwc0.5 type vlan id 5 protocol 802.1ad")
    lab.hears("add net_hwc0_5")
    assert lab.census["net_hwc0_5"].facts.items() >= {
        "net.interface": "hwc0.5", "vlan.id": 5, "vlan.protocol": "802.1ad", "vlan.lower": "net_hwc0",
    }.items()  # fmt: skip
    lab.guest("ip link add link hwc0 name hwcmac type macvlan mode bridge")
    lab.hears("add net_hwcmac")
    assert lab.census["net_hwcmac"].facts.items() >= {"macvlan.mode": "bridge", "macvlan.lower": "net_hwc0"}.items()

    lab.guest("ip link delete hwc0")
    lab.hears({"remove net_hwc0_5", "remove net_hwcmac", "remove net_hwc0"})


def test_a_tunnel_says_its_number_and_port(lab: Lab) -> None:
    lab.guest("ip link add hwcx type vxlan id 42 dstport 4789")
    (tunnel,) = lab.hears("add net_hwcx")
    assert tunnel.device.facts.items() >= {"driver": "vxlan", "vxlan.id": 42, "vxlan.port": 4789}.items()
    lab.guest("ip link delete hwcx")
    lab.hears("remove net_hwcx")


def test_a_wireless_card_is_a_phy_and_an_interface_of_it(lab: Lab) -> None:
    lab.guest("modprobe mac80211_hwsim radios=1")
    lab.hears({"add ieee80211_phy0", "add net_wlan0", "add net_hwsim0"})
    assert lab.census["net_wlan0"].identity == "net/mac/02:00:00:00:00:00"
    assert lab.census["net_wlan0"].facts["80211.phy"] == "phy0"
    lab.guest("rmmod mac80211_hwsim")
    lab.hears({"remove ieee80211_phy0", "remove net_wlan0", "remove net_hwsim0"})


def test_another_address_is_told_though_no_uevent_says_so(lab: Lab, dummy: str) -> None:
    lab.guest("ip link set hwc0 address 02:00:00:00:00:77")
    (changed,) = lab.hears(f"facts {dummy}")
    assert changed.changed == ("net.address",)
    assert changed.device.facts["net.address"] == "02:00:00:00:00:77"


def test_a_link_that_goes_up_and_down_is_state(lab: Lab, dummy: str) -> None:
    lab.guest("ip link set hwc0 up mtu 1400")
    lab.sees(dummy, net__link="unknown", net__mtu=1400)
    lab.guest("ip link set hwc0 down")
    lab.sees(dummy, net__link="down", net__mtu=1400)
    lab.hears()


def test_an_interface_that_moves_to_another_namespace_is_gone_and_back_is_there_again(lab: Lab, dummy: str) -> None:
    lab.guest("ip netns add hwcns && ip link set hwc0 netns hwcns")
    lab.hears(f"remove {dummy}")
    lab.guest("ip -n hwcns link set hwc0 netns 1 && ip netns delete hwcns")
    lab.hears(f"add {dummy}")
