"""Describers: what each makes of the attributes that the kernel shows, traps included."""

import logging
import re
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.classes import BUSES, CAPABILITIES
from hwcensus.document import JsonValue
from hwcensus.fact import facts_of
from hwcensus_agent import describe
from tests.unit.sysfs_tree import Tree, facts, look

PCI = "devices/pci0000:00/0000:00:03.0"
NET = "class/net"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def capabilities(tree: Tree, name: str) -> list[str]:
    return document.survey(look(tree)[name].element).capabilities


def test_a_pci_function_has_its_numbers_and_the_facts_beyond_them(tree: Tree) -> None:
    tree.device("bus/pci/devices", PCI, vendor="0x8086", device="0x1572", subsystem_vendor="0x0000",
                subsystem_device="0x0001", revision="0x02", numa_node="-1", max_link_speed="8.0 GT/s PCIe",
                current_link_speed="2.5 GT/s PCIe", max_link_width="8", current_link_width="255",
                sriov_totalvfs="64", sriov_numvfs="2", boot_vga="0", reset_method="flr pm",
                **{"class": "0x020000"})  # fmt: skip
    tree.link(f"{PCI}/iommu_group", "kernel/iommu_groups/17")
    tree.link(f"{PCI}/driver", "bus/pci/drivers/i40e")
    assert facts(tree, "pci_0000_00_03_0") == {
        "name": "pci_0000_00_03_0", "key": f"/sys/{PCI}", "parent": "computer", "driver": "i40e",
        "pci.vendor": 0x8086, "pci.product": 0x1572, "pci.subsystem.product": 1, "pci.class": "020000",
        "pci.revision": 2, "pci.address.domain": "0000", "pci.address.bus": "00", "pci.address.slot": "03",
        "pci.address.function": "0", "pci.iommu_group": 17, "pci.link.speed": "8", "pci.link.width": 8,
        "pci.virt_functions.max": 64, "pci.boot_vga": False, "pci.reset_methods": "flr pm",
        "pci.link_speed": "2.5", "pci.virt_functions": 2,
    }  # fmt: skip


def test_a_virtual_function_names_its_physical_one(tree: Tree) -> None:
    for function in "01":
        tree.device("bus/pci/devices", f"{PCI[:-1]}{function}", vendor="0x8086", device="0x1572")
    tree.link(f"{PCI[:-1]}1/physfn", PCI)
    assert facts(tree, "pci_0000_00_03_1")["pci.phys_function"] == "pci_0000_00_03_0"


def test_a_usb_device_and_its_interface(tree: Tree) -> None:
    path = f"{PCI}/usb1/1-1"
    tree.device("bus/usb/devices", path, uevent="DEVTYPE=usb_device\nDEVNAME=bus/usb/001/005\n", idVendor="0483",
                idProduct="2016", manufacturer="ACME", product="Reader", serial="0123", version=" 2.00", speed="12",
                busnum="1", devnum="5", bConfigurationValue="1")  # fmt: skip
    tree.device("bus/usb/devices", f"{path}/1-1:1.0", uevent="DEVTYPE=usb_interface\n", bInterfaceNumber="00",
                bInterfaceClass="0b", bInterfaceSubClass="00", bInterfaceProtocol="ff", interface="CCID")  # fmt: skip
    device, interface = facts(tree, "usb_1_1"), facts(tree, "usb_1_1_1_0")
    assert device["devnode"] == ["/dev/bus/usb/001/005"]
    assert (device["usb.vendor"], device["usb.vendor_name"], device["usb.product_name"]) == (0x483, "ACME", "Reader")
    assert (device["usb.serial"], device["usb.version"], device["usb.speed"]) == ("0123", "2.00", "12")
    assert (device["usb.address.bus"], device["usb.address.dev"], device["usb.configuration"]) == ("001", "005", 1)
    assert interface["parent"] == "usb_1_1"
    assert (interface["usb_interface.class"], interface["usb_interface.protocol"]) == ("0b", "ff")
    assert interface["usb_interface.description"] == "CCID"


MAC = "52:54:00:12:34:56"


@pytest.mark.parametrize(
    "kind, address, expected",
    [
        ("0", MAC, {"net.address": MAC, "net.address.permanent": True}),
        ("1", MAC, {"net.address": MAC}),
        ("3", MAC.replace("a", "A"), {"net.address": MAC}),
        ("0", "00:00:00:00:00:00", {}),
    ],
    ids=["permanent", "random", "set by somebody", "none"],
)
def test_an_address_is_an_identifier_only_if_the_hardware_was_made_with_it(
    tree: Tree, kind: str, address: str, expected: dict[str, JsonValue]
) -> None:
    tree.device(NET, f"{PCI}/net/eth0", addr_assign_type=kind, address=address, type="1")
    found = facts(tree, "net_eth0")
    assert {path: found.get(path) for path in ("net.address", "net.address.permanent") if path in found} == expected


def test_of_infiniband_the_ports_guid_is_the_address(tree: Tree) -> None:
    guid = "00:02:c9:03:00:0e:8b:31"
    tree.device(NET, f"{PCI}/net/ib0", addr_assign_type="0", type="32", address=f"80:00:04:04:{'fe:' * 8}{guid}")
    assert facts(tree, "net_ib0")["net.address"] == guid


def test_a_bridge_lists_its_ports_and_a_port_its_master(tree: Tree) -> None:
    tree.device(NET, "devices/virtual/net/br0", uevent="DEVTYPE=bridge\n", type="1", bridge__stp_state="1")
    tree.device(NET, f"{PCI}/net/eth0", type="1")
    tree.link("devices/virtual/net/br0/lower_eth0", f"{PCI}/net/eth0")
    tree.link(f"{PCI}/net/eth0/master", "devices/virtual/net/br0")
    bridge, port = facts(tree, "net_br0"), facts(tree, "net_eth0")
    assert (bridge["driver"], bridge["bridge.stp"], bridge["net.port"]) == ("bridge", True, ["net_eth0"])
    assert port["net.master"] == "net_br0"
    assert capabilities(tree, "net_br0") == ["net", "80203", "bridge"]


def test_a_bond_has_a_mode_ports_and_an_active_one(tree: Tree) -> None:
    path = "devices/virtual/net/bond0"
    tree.device(NET, path, uevent="DEVTYPE=bond\n", type="1", bonding__mode="active-backup 1",
                bonding__active_slave="eth0")  # fmt: skip
    tree.device(NET, f"{PCI}/net/eth0", type="1")
    tree.link(f"{path}/lower_eth0", f"{PCI}/net/eth0")
    bond = facts(tree, "net_bond0")
    assert (bond["bond.mode"], bond["net.active"], bond["net.port"]) == ("active-backup", "net_eth0", ["net_eth0"])


def test_tunnels_come_in_only_if_they_are_asked_for(tree: Tree) -> None:
    tree.device(NET, "devices/virtual/net/tap0", tun_flags="0x1002", type="1")
    assert "net_tap0" not in look(tree)
    assert "net_tap0" in look(tree, "net")


def test_what_no_class_describes_comes_in_by_include_and_generically(tree: Tree) -> None:
    tree.device("class/leds", f"{PCI}/leds/power")
    assert "leds_power" not in look(tree)
    device = look(tree, "leds")["leds_power"]
    assert document.survey(device.element).facts == {"generic.subsystem": "leds"}


def test_what_comes_in_generically_has_the_kind_that_the_kernel_gives_it(tree: Tree) -> None:
    tree.device("bus/spi/devices", f"{PCI}/spi0.0", uevent="DEVTYPE=flash\n")
    found = look(tree, "spi:flash")["spi_spi0_0"]
    assert document.survey(found.element).facts == {"generic.subsystem": "spi", "generic.kind": "flash"}


WORDS = " 0 0 0 0"  # so that what comes before is the word of keys 256 to 319


@pytest.mark.parametrize(
    "ev, key, rel, absolute, properties, kind",
    [
        ("120013", "fffffffffffffffe", "0", "0", "0", "keyboard"),
        ("3", "10000000000000 0", "0", "0", "0", None),
        ("17", f"70000{WORDS}", "103", "0", "0", "mouse"),
        ("b", f"e520 10000{WORDS}", "0", "660800011000003", "1", "touchpad"),
        ("b", f"400 0{WORDS}", "0", "3", "2", "touchscreen"),
        ("b", f"c01 0{WORDS}", "0", "1000003", "0", "tablet"),
        ("1b", f"ffff00000000{WORDS}", "0", "3003f", "0", "joystick"),
        ("1b", f"7fdb000000000000{WORDS}", "0", "3003f", "0", "joystick"),
        ("21", "0", "0", "0", "0", "switch"),
    ],
)
def test_what_an_input_device_is_follows_from_its_events(  # noqa: PLR0917 - the columns of the table above
    tree: Tree, ev: str, key: str, rel: str, absolute: str, properties: str, kind: str | None
) -> None:
    tree.device("class/input", f"{PCI}/input/input4", name="x", capabilities__ev=ev, capabilities__key=key,
                capabilities__rel=rel, capabilities__abs=absolute, properties=properties)  # fmt: skip
    assert capabilities(tree, "input_input4") == ["input", *([kind] if kind else [])]


def test_an_input_device_names_its_event_node_and_older_nodes_stay_out(tree: Tree) -> None:
    tree.device("class/input", f"{PCI}/input/input4", name="Power Button", id__bustype="0019", id__vendor="0000")
    tree.device("class/input", f"{PCI}/input/input4/event3", uevent="MAJOR=13\nMINOR=67\nDEVNAME=input/event3\n")
    tree.device("class/input", f"{PCI}/input/input4/js0", uevent="MAJOR=13\nMINOR=0\nDEVNAME=input/js0\n")
    found = look(tree)
    assert set(found) == {"computer", "input_input4", "input_event3"}
    assert facts(tree, "input_input4")["input.node"] == "/dev/input/event3"
    assert facts(tree, "input_event3")["parent"] == "input_input4"


def test_a_virtio_device_has_a_type_with_a_name(tree: Tree) -> None:
    tree.device("bus/virtio/devices", f"{PCI}/virtio0", vendor="0x1af4", device="0x0001")
    found = facts(tree, "virtio_virtio0")
    assert (found["virtio.vendor"], found["virtio.product"], found["virtio.product_name"]) == (0x1AF4, 1, "network")
    assert found["virtio.address.number"] == 0


def test_memory_without_smbios_is_the_sum_of_the_blocks_that_are_online(tree: Tree) -> None:
    (tree.sys / "class/net").mkdir()
    for number, state in enumerate(("online", "online", "offline")):
        folder = tree.sys / f"devices/system/memory/memory{number}"
        folder.mkdir(parents=True)
        (folder / "state").write_text(f"{state}\n")
    (tree.sys / "devices/system/memory/block_size_bytes").write_text("8000000\n")
    assert facts(tree, "computer")["system.memory"] == 2 * 0x8000000


def test_a_fact_that_is_not_what_it_must_be_is_left_out_and_said_and_the_rest_stays(
    tree: Tree, caplog: pytest.LogCaptureFixture
) -> None:
    tree.device(NET, f"{PCI}/net/eth9", type="1", mtu="many", address="not:a:mac", operstate="up")
    with caplog.at_level(logging.WARNING):
        found = facts(tree, "net_eth9")
    assert found["net.link"] == "up"
    assert not {"net.mtu", "net.address"} & set(found)
    assert sorted(record.__dict__["fact"] for record in caplog.records) == ["net.address", "net.mtu"]


def test_every_source_is_of_a_fact_and_every_fact_of_a_described_class_has_a_source() -> None:
    described = [(fact.path, fact.state) for fact in describe.facts()]
    parts = [*BUSES.values(), *CAPABILITIES.values()]
    facts = [(f"{cls.type_}.{fact.label}", False) for cls in parts for fact in facts_of(cls)]
    states = [
        (f"{cls.type_}.{fact.label}", True)
        for cls in parts
        for fact in facts_of(cls.state_class)
        if fact.label != "unread"
    ]
    assert sorted(described) == sorted([*facts, *states])
    assert all(re.search(r"\w", words) for fact in describe.facts() for words in fact.origins.values())
