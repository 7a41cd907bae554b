"""PCI functions that are plugged in and out, change drivers, make virtual ones of themselves; cards of all sorts."""

import re

from hwcensus.names import device_name
from tests.fixtures.lspci import SHOWN, shown
from tests.lab.lab import Lab

CARD = "pci/place/pci0000:00%2F0000:00:10.0%2F0000:01:00.0"
NVME = "0000:05:00.0"


def test_links_revisions_and_buses_of_the_guests_functions_are_lspcis(lab: Lab) -> None:
    functions = {name: known.facts for name, known in lab.census.items() if name.startswith("pci_")}
    links = 0
    for said in lab.guest("lspci -D -vv").strip().split("\n\n"):
        facts = functions.pop(device_name("pci", said.split()[0]))
        assert {fact: facts[fact] for fact in SHOWN if fact in facts} == shown(said)
        slot = re.search(r"Physical Slot: (\S+)", said)
        assert facts.get("pci.physical_slot") == (None if slot is None else slot[1])
        links += "LnkCap" in said
    assert functions == {}
    assert links > 3


def test_a_network_card_comes_keeps_its_identity_under_another_name_and_goes(lab: Lab) -> None:
    lab.guest.qmp.plug("e1000e", "card", bus="rp0", mac="52:54:00:00:01:01")
    function, interface = lab.hears("add pci_0000_01_00_0", "add net_enp1s0")
    assert function.device.identity == CARD
    assert function.device.facts.items() >= {
        "pci.vendor": 0x8086, "pci.product": 0x10D3, "driver": "e1000e", "parent": "pci_0000_00_10_0",
    }.items()  # fmt: skip
    assert interface.device.identity == "net/mac/52:54:00:00:01:01"
    assert interface.device.facts["parent"] == "pci_0000_01_00_0"

    lab.guest("ip link set enp1s0 name hwc0")
    (renamed,) = lab.hears("renumbered net_hwc0")
    assert renamed.device.identity == interface.device.identity

    lab.guest.qmp.unplug("card")
    lab.hears("remove net_hwc0", "remove pci_0000_01_00_0")


def test_a_driver_that_lets_go_and_takes_hold_again_is_a_change_of_facts(lab: Lab) -> None:
    lab.guest.qmp.plug("e1000e", "card", bus="rp1", mac="52:54:00:00:01:02")
    lab.hears("add pci_0000_02_00_0", "add net_enp2s0")

    lab.guest("echo 0000:02:00.0 >/sys/bus/pci/drivers/e1000e/unbind")
    lab.hears({"remove net_enp2s0", "facts pci_0000_02_00_0"})
    assert "driver" not in lab.census["pci_0000_02_00_0"].facts

    lab.guest("echo 0000:02:00.0 >/sys/bus/pci/drivers/e1000e/bind")
    lab.hears({"facts pci_0000_02_00_0", "add net_enp2s0"})  # the kernel says `bind` when the driver has made it
    assert lab.census["pci_0000_02_00_0"].facts["driver"] == "e1000e"

    lab.guest.qmp.unplug("card")
    lab.hears("remove net_enp2s0", "remove pci_0000_02_00_0")


def test_virtual_functions_come_and_go_and_their_physical_one_says_how_many(lab: Lab) -> None:
    # Without a driver: the kernel's would find no queues in them, and come and go.
    lab.guest(f"cd /sys/bus/pci/devices/{NVME}; echo 0 >sriov_drivers_autoprobe; echo 2 >sriov_numvfs")
    functions = ["pci_0000_05_00_1", "pci_0000_05_00_2"]
    lab.hears({f"add {function}" for function in functions})  # udev looks at several at once
    lab.sees("pci_0000_05_00_0", pci__virt_functions=2, pci__virt_function=functions)
    assert lab.census["pci_0000_05_00_1"].facts["pci.phys_function"] == "pci_0000_05_00_0"

    lab.guest(f"echo 0 >/sys/bus/pci/devices/{NVME}/sriov_numvfs")  # of which the kernel says nothing on that function
    lab.hears({f"remove {function}" for function in functions})
    lab.sees("pci_0000_05_00_0", pci__virt_functions=None, pci__virt_function=None)


def test_an_nvme_drive_is_a_controller_and_its_namespace(lab: Lab) -> None:
    lab.guest.qmp.drive("medium", 16 << 20)
    lab.guest.qmp.plug("nvme", "ssd", bus="rp3", serial="LABNVME1", drive="medium")
    lab.hears("add pci_0000_04_00_0", "add nvme_nvme1", {"add hwmon_hwmon1", "add block_nvme1n1"})
    assert lab.census["nvme_nvme1"].identity == "nvme/serial/QEMU%20NVMe%20Ctrl:LABNVME1"
    assert lab.census["block_nvme1n1"].identity.startswith("block/wwid/nvme.1b36-")
    assert lab.census["block_nvme1n1"].facts.items() >= {"parent": "nvme_nvme1", "storage.size": 16 << 20}.items()

    lab.guest.qmp.unplug("ssd", drive="medium")
    lab.hears({"remove hwmon_hwmon1", "remove block_nvme1n1"}, "remove nvme_nvme1", "remove pci_0000_04_00_0")


def test_a_sound_card_is_told_before_what_it_plays_and_records_with(lab: Lab) -> None:
    nodes = ("sound_controlC1", "sound_pcmC1D0c", "sound_pcmC1D0p")
    lab.guest("modprobe snd-dummy")
    lab.hears("add sound_card1", {f"add {name}" for name in nodes})
    assert {lab.census[name].facts["parent"] for name in nodes} == {"sound_card1"}
    lab.guest("rmmod snd-dummy")
    lab.hears({f"remove {name}" for name in nodes}, "remove sound_card1")
