"""libvirt's form of our devices: what it calls them, whom it has them below, and where we know better."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hwcensus.classes import CAPABILITIES
from hwcensus.classes.block import Block
from hwcensus.classes.ccw import CcwBus
from hwcensus.classes.net import Ethernet, Net, NetState, Wireless
from hwcensus.classes.pci import Pci, PciBus, PciState
from hwcensus.classes.scsi import Scsi, ScsiBus, ScsiGeneric
from hwcensus.classes.scsi_target import FcRemotePort, ScsiTarget
from hwcensus.classes.scsihost import Fc, FcState, ScsiHost
from hwcensus.classes.storage import Cdrom, Hotpluggable, Removable, RemovableState, Storage
from hwcensus.classes.system import System
from hwcensus.classes.usb import UsbBus, UsbInterface
from hwcensus.classes.virtio import VirtioBus
from hwcensus.device import Bus, Capability, Device
from hwcensus.document import to_bytes
from hwcensus.libvirt import translate
from hwcensus.libvirt.names import udev_serial
from tests.unit.devices import devices

COMPUTER = Device(name="computer", key="/sys/devices", capabilities=(System(),))


def device(name: str, *capabilities: Capability, parent: str = "computer", bus: Bus | None = None) -> Device:
    node = (f"/dev/{name.partition('_')[2]}",) if name.startswith("block_") else ()
    return Device(name=name, key=f"/sys/{name}", parent=parent, devnode=node, bus=bus, capabilities=capabilities)


def function(slot: str, number: str = "0", device_class: str = "020000") -> PciBus:
    return PciBus(vendor=0x8086, product=0x1520, device_class=device_class, domain="0000", bus="0a", slot=slot,
                  function=number)  # fmt: skip


def tail(type_: str, **facts: str | int) -> Capability:
    """Of the long tail, whose classes have no types of their own."""
    made: Callable[..., Capability] = CAPABILITIES[type_]
    return made(**facts)


def written(*those: Device) -> dict[str, etree._Element]:
    return translate([COMPUTER, *those])


def one(subject: Device) -> etree._Element:
    return written(subject)[subject.name]


def text(element: etree._Element, path: str) -> str | None:
    return element.findtext(f"capability/{path}")


def test_a_pci_function_has_its_ids_in_hexadecimal_and_its_address_in_decimal() -> None:
    capability = one(device("pci_0000_0a_1f_1", bus=function("1f", "1"))).find("capability")
    assert capability is not None
    assert to_bytes(capability).decode().splitlines() == [
        '<capability type="pci">',
        "  <class>0x020000</class>",
        "  <domain>0</domain>",
        "  <bus>10</bus>",
        "  <slot>31</slot>",
        "  <function>1</function>",
        '  <product id="0x1520"/>',
        '  <vendor id="0x8086"/>',
        "</capability>",
    ]


@pytest.mark.parametrize(
    "device_class, kinds", [("060400", ["pci-bridge"]), ("060700", ["cardbus-bridge"]), ("060000", [])]
)
def test_a_bridge_is_known_by_its_class(device_class: str, kinds: list[str]) -> None:
    found = one(device("pci_0000_0a_01_0", bus=function("01", device_class=device_class)))
    assert [capability.get("type") for capability in found.findall("capability/capability")] == kinds


def test_a_bridge_is_what_its_configuration_space_says() -> None:
    found = one(device("pci_0000_0a_01_0", Pci(bridge="cardbus"), bus=function("01", device_class="060400")))
    assert [capability.get("type") for capability in found.findall("capability/capability")] == ["cardbus-bridge"]


def test_virtual_functions_and_groups_are_written_as_addresses() -> None:
    physical = device("pci_pf", Pci(iommu_group=4, virt_functions=7), bus=function("00"))
    virtual = device("pci_vf", Pci(iommu_group=4, phys_function="pci_pf"), bus=function("10", "1"))
    found = written(physical, virtual)
    count = found["pci_pf"].find("capability/capability[@type='virt_functions']")
    above = found["pci_vf"].find("capability/capability[@type='phys_function']/address")
    group = found["pci_vf"].find("capability/iommuGroup")
    assert count is not None
    assert above is not None
    assert group is not None
    assert (count.get("maxCount"), [child.get("slot") for child in count]) == ("7", ["0x10"])
    assert dict(above.items()) == {"domain": "0x0000", "bus": "0x0a", "slot": "0x00", "function": "0x0"}
    assert (group.get("number"), [child.get("slot") for child in group]) == ("4", ["0x00", "0x10"])


def test_an_express_link_is_told_as_it_can_be_and_as_it_is() -> None:
    pci = Pci(link_speed="8", link_width=16, link_port=3, state=PciState(link_speed="2.5", link_width=4))
    links = one(device("pci_0", pci, bus=function("00"))).findall("capability/pci-express/link")
    assert [dict(link.items()) for link in links] == [
        {"validity": "cap", "port": "3", "speed": "8", "width": "16"},
        {"validity": "sta", "speed": "2.5", "width": "4"},
    ]


def test_vital_product_data_are_told_where_they_have_a_name() -> None:
    pci = Pci(vpd_name="ConnectX-5 Ex", part_number="MCX556A-EDAT", serial="MT20", change_level="AC",
              manufacture_id="{curly}", asset="IT-0815")  # fmt: skip
    found = one(device("pci_0", pci, bus=function("00"))).find("capability/capability[@type='vpd']")
    assert found is not None
    assert [(child.tag, child.get("access"), child.text) for child in found] == [
        ("name", None, "ConnectX-5 Ex"), ("fields", "readonly", None), ("fields", "readwrite", None),
    ]  # fmt: skip
    assert [(child.tag, child.text) for child in found.iterfind("fields/*")] == [
        ("change_level", "AC"), ("part_number", "MCX556A-EDAT"), ("serial_number", "MT20"), ("asset_tag", "IT-0815"),
    ]  # fmt: skip
    nameless = one(device("pci_0", Pci(part_number="MCX556A-EDAT"), bus=function("00")))
    assert nameless.find("capability/capability[@type='vpd']") is None


def test_a_usb_device_and_its_interface_are_called_as_libvirt_calls_them() -> None:
    bus = UsbBus(vendor=0x1D6B, product=2, product_name="2.0 root hub", bus="001", dev="012")
    interface = UsbInterface(number=1, device_class="ff", subclass="0a", protocol="00")
    found = written(device("usb_1_1", bus=bus), device("usb_1_1_1_1", interface, parent="usb_1_1"))
    assert [found[name].find("capability").get("type") for name in ("usb_1_1", "usb_1_1_1_1")] == ["usb_device", "usb"]  # type: ignore[union-attr]
    assert (text(found["usb_1_1"], "bus"), text(found["usb_1_1"], "device")) == ("1", "12")
    assert (text(found["usb_1_1_1_1"], "class"), text(found["usb_1_1_1_1"], "subclass")) == ("255", "10")


def test_an_interface_is_named_and_known_by_its_address_of_now() -> None:
    net = Net(interface="eth0", address="52:54:00:00:00:01", permanent=True, nested=(Ethernet(),),
              state=NetState(address="52:54:00:00:00:02", link="up", speed=1000))  # fmt: skip
    found = one(device("net_eth0", net))
    assert found.findtext("name") == "net_eth0_52_54_00_00_00_02"
    assert text(found, "address") == "52:54:00:00:00:02"
    link = found.find("capability/link")
    assert link is not None
    assert dict(link.items()) == {"speed": "1000", "state": "up"}


def test_features_come_in_libvirts_order() -> None:
    net = Net(interface="eth0", state=NetState(link="up", feature=("gro", "rx", "switchdev", "tx")))
    found = one(device("net_eth0", net)).find("capability")
    assert found is not None
    assert [child.get("name") or child.tag for child in found] == ["interface", "link", "rx", "tx", "gro", "switchdev",
                                                                   "capability"]  # fmt: skip


@pytest.mark.parametrize("state, attributes", [("down", {"state": "down"}), ("strange", None), (None, None)])
def test_a_link_that_is_not_up_has_no_speed_and_a_state_libvirt_does_not_know_is_none(
    state: str | None, attributes: dict[str, str] | None
) -> None:
    link = one(device("net_e", Net(interface="e", state=NetState(link=state, speed=10)))).find("capability/link")
    assert attributes == (None if link is None else dict(link.items()))


def test_the_loopback_has_an_address_of_zeros_and_a_tunnel_has_none() -> None:
    found = written(device("net_lo", Net(interface="lo")), device("net_gre0", Net(interface="gre0")))
    assert [one.findtext("name") for one in found.values()] == ["computer", "net_lo_00_00_00_00_00_00", "net_gre0"]
    assert text(found["net_gre0"], "address") is None


def test_an_address_that_libvirts_schema_does_not_know_is_none() -> None:
    assert text(one(device("net_ib0", Net(interface="ib0", address="00:02:c9:03:00:0e:8b:31"))), "address") is None


def test_wireless_is_wireless() -> None:
    found = one(device("net_wlan0", Net(interface="wlan0", nested=(Wireless(phy="phy0"),))))
    assert [capability.get("type") for capability in found.findall("capability/capability")] == ["80211"]


def test_a_disk_of_large_blocks_has_its_true_size() -> None:
    disk = Storage(bus="scsi", drive_type="disk", size=4_000_787_030_016, logical_block=4096)
    found = one(device("block_sda", disk, Block()))
    assert [text(found, tag) for tag in ("block", "size", "logical_block_size", "num_blocks")] == [
        "/dev/sda", "4000787030016", "4096", "976754646",
    ]  # fmt: skip


def test_a_drive_without_its_medium_is_removable_and_empty() -> None:
    medium = Removable(state=RemovableState(media=False))
    found = one(device("block_sr0", Storage(drive_type="cdrom", nested=(medium, Cdrom()))))
    assert text(found, "drive_type") == "cdrom"
    assert text(found, "size") is None
    assert text(found, "capability/media_available") == "0"
    assert text(found, "capability/media_size") == "0"


def test_a_medium_has_a_size_and_a_label() -> None:
    medium = Removable(state=RemovableState(media=True, size=4096, label="BACKUP"))
    found = one(device("block_sr0", Storage(drive_type="cdrom", logical_block=2048, nested=(medium,))))
    tags = ("media_available", "media_size", "media_label", "logical_block_size", "num_blocks")
    assert [text(found, f"capability/{tag}") for tag in tags] == ["1", "4096", "BACKUP", "2048", "2"]


def test_a_drive_without_a_node_has_no_form() -> None:
    assert "block_x" not in translate([Device(name="block_x", capabilities=(Storage(),))])


def test_a_drive_that_is_plugged_in_says_so() -> None:
    found = one(device("block_sdb", Storage(nested=(Hotpluggable(),))))
    assert [capability.get("type") for capability in found.findall("capability/capability")] == ["hotpluggable"]


@pytest.mark.parametrize("ours, theirs", [("ssd", "disk"), ("mmc", "disk"), ("sd", "sd"), ("floppy", "floppy")])
def test_kinds_of_drive_are_libvirts(ours: str, theirs: str) -> None:
    assert text(one(device("block_a", Storage(drive_type=ours))), "drive_type") == theirs


def test_a_fibre_channel_port_has_its_names_and_what_it_may_carry() -> None:
    port = Fc(wwnn="200000e08b9318a1", wwpn="210000e08b9318a1", vports_max=254,
              state=FcState(fabric_wwn="1000c0ffee0000fa", vports=3))  # fmt: skip
    found = one(device("scsi_host5", ScsiHost(host=5, unique_id=0, nested=(port,))))
    assert (text(found, "host"), text(found, "unique_id")) == ("5", "0")
    fc, vports = found.findall("capability/capability")
    assert [child.text for child in fc] == ["200000e08b9318a1", "210000e08b9318a1", "1000c0ffee0000fa"]
    assert [(child.tag, child.text) for child in vports] == [("max_vports", "254"), ("vports", "3")]


def test_a_virtual_port_carries_none() -> None:
    port = Fc(wwnn="200000e08b9318a1", wwpn="210000e08b9318a1", parent_wwpn="210000e08b9318a2")
    found = one(device("scsi_host6", ScsiHost(host=6, nested=(port,))))
    assert [capability.get("type") for capability in found.findall("capability/capability")] == ["fc_host"]


RPORT = "/sys/devices/pci0/host5/rport-5:0-3/target5:0:3"


def test_a_target_has_the_remote_port_that_it_is_reached_through() -> None:
    target = ScsiTarget(host=5, bus=0, target=3, nested=(FcRemotePort(wwpn="5005076801234567"),))
    found = one(replace(device("scsi_target5_0_3", target), key=RPORT))
    assert text(found, "target") == "target5:0:3"
    assert text(found, "capability/rport") == "rport-5:0-3"
    assert text(found, "capability/wwpn") == "0x5005076801234567"


@pytest.mark.parametrize("ours, theirs", [("tape", "tape"), ("printer", None), (None, None)])
def test_a_unit_has_its_address_and_a_type_that_libvirt_knows(ours: str | None, theirs: str | None) -> None:
    found = one(device("scsi_5_0_3_7", Scsi(device_type=ours), bus=ScsiBus(host=5, bus=0, target=3, lun=7)))
    assert [text(found, tag) for tag in ("host", "bus", "target", "lun", "type")] == ["5", "0", "3", "7", theirs]


def test_a_generic_node_is_a_character_device() -> None:
    assert text(one(device("scsi_generic_sg0", ScsiGeneric(device="/dev/sg0"))), "char") == "/dev/sg0"


def test_a_graphics_node_is_of_a_type() -> None:
    found = written(device("drm_card0", tail("drm", type="primary")), device("drm_x", tail("drm")))
    assert text(found["drm_card0"], "type") == "primary"
    assert "drm_x" not in found


UUID = "4b20d080-1b54-4048-85b3-a6a62d165c01"


def test_a_mediated_device_names_its_parent_by_its_address() -> None:
    mdev = tail("mdev", uuid=UUID, mdev_type="nvidia-11", iommu_group=12)
    above = replace(device("pci_0", bus=function("00")), key="/sys/devices/0000:0a:00.0")
    found = written(above, device("mdev_x", mdev, parent="pci_0"))["mdev_x"]
    assert (text(found, "uuid"), text(found, "parent_addr")) == (UUID, "0000:0a:00.0")
    assert [dict(found.find(f"capability/{tag}").items()) for tag in ("type", "iommuGroup")] == [  # type: ignore[union-attr]
        {"id": "nvidia-11"},
        {"number": "12"},
    ]


def test_a_channel_attached_device_has_its_address_in_hexadecimal() -> None:
    found = one(device("ccw_0_0_10f0", bus=CcwBus(cssid="0", ssid="0", number="10f0")))
    assert [text(found, tag) for tag in ("cssid", "ssid", "devno")] == ["0x0", "0x0", "0x10f0"]


def test_a_device_is_below_the_nearest_that_libvirt_knows() -> None:
    found = written(
        device("pci_0", bus=function("00")),
        device("virtio_virtio0", parent="pci_0", bus=VirtioBus(vendor=1, product=2, number=0)),
        device("block_vda", Storage(), parent="virtio_virtio0"),
    )
    assert list(found) == ["computer", "pci_0", "block_vda"]
    assert found["block_vda"].findtext("parent") == "pci_0"
    assert found["computer"].find("parent") is None
    assert found["computer"].find("path") is None


DISK = "/sys/devices/pci0/host2/target2:0:1/2:0:1:4/block/sda"


@pytest.mark.parametrize(
    "storage, serial",
    [
        ({"bus": "virtio", "serial": "v1"}, "v1"),
        ({"bus": "ata", "vendor": "ATA", "model": "ST9500325AS", "serial": "5VE12345"}, "ST9500325AS_5VE12345"),
        ({"bus": "nvme", "model": "KINGSTON SKC1000240G", "serial": "50026B7"}, "KINGSTON_SKC1000240G_50026B7"),
        ({"bus": "scsi", "serial": "z", "wwid": "naa.5000c5001a2b3c4d"}, "35000c5001a2b3c4d"),
        ({"bus": "scsi", "serial": "z", "wwid": "eui.0025385b21b15601"}, "20025385b21b15601"),
        ({"bus": "scsi", "serial": "z", "vendor": "HP", "model": "LOGICAL VOLUME"}, "SHP_LOGICAL_VOLUME_z"),
        ({"bus": "usb", "vendor": "Generic", "model": "Flash Drive", "serial": "7"}, "Generic_Flash_Drive_7-1:4"),
        ({"bus": "usb", "vendor": "Generic", "model": "Flash Drive"}, "Generic_Flash_Drive-1:4"),
        ({"bus": "ata", "model": "ST9500325AS"}, None),
        ({"bus": "usb"}, None),
    ],
)
def test_a_serial_is_what_udev_makes_of_it(storage: dict[str, str], serial: str | None) -> None:
    assert udev_serial({f"storage.{path}": value for path, value in storage.items()}, DISK) == serial


@given(st.lists(devices(), max_size=4))
def test_whatever_a_device_says_libvirts_form_of_it_is_xml(those: list[Device]) -> None:
    for found in translate(those).values():
        assert etree.fromstring(to_bytes(found)).tag == "device"
