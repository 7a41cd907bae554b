"""The long tail, serial ports, printers and cards: what each makes of the kernel's attributes and HAL's properties."""

from pathlib import Path

import pytest

from hwcensus import codec, document
from hwcensus.classes import CAPABILITIES
from hwcensus.classes.longtail import LINES
from hwcensus.device import Device
from hwcensus.document import JsonValue
from hwcensus_agent.describe import describe
from tests.fixtures import hal_recording
from tests.fixtures.hal_recording import Properties
from tests.unit.sysfs_tree import Tree, look

PCI = "devices/pci0000:00/0000:00:03.0"
USB = f"{PCI}/usb1/1-1/1-1:1.0"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def facts(tree: Tree, name: str) -> dict[str, JsonValue]:
    survey = document.survey(look(tree)[name].element)
    return {**survey.facts, **survey.state}


def identifiers(tree: Tree, name: str) -> list[tuple[str, str]]:
    return [(one.kind, one.value) for one in document.survey(look(tree)[name].element).identifiers]


def by_hal(empty: Path, properties: Properties) -> dict[str, JsonValue]:
    """The facts of a device of which only HAL tells."""
    found = describe(hal_recording.view(properties, empty), hal_recording.host(empty))
    assert found is not None
    survey = document.survey(codec.write_device(Device(name="x", bus=found.bus, capabilities=found.capabilities)))
    return {**survey.facts, **survey.state}


def made(subsystem: str, path: str, **properties: str | bool | int | tuple[str, ...]) -> Properties:
    """A device of HAL that no recording has, by the names of the specification (`__` stands for a dot)."""
    said = {key.replace("__", "."): value for key, value in properties.items()}
    return {"linux.subsystem": subsystem, "linux.sysfs_path": f"/sys/{path}", **said}


def test_a_bluetooth_controller_has_an_address_where_the_kernel_shows_it_and_connections_are_no_devices(
    tree: Tree,
) -> None:
    tree.device("class/bluetooth", f"{USB}/bluetooth/hci0", address="00:02:72:DE:AD:0F", uevent="DEVTYPE=host\n")
    tree.device("class/bluetooth", f"{USB}/bluetooth/hci0/hci0:42", uevent="DEVTYPE=link\n")
    assert facts(tree, "bluetooth_hci0") == {"bluetooth.address": "00:02:72:de:ad:0f"}
    assert identifiers(tree, "bluetooth_hci0") == [("mac", "00:02:72:de:ad:0f")]
    assert "bluetooth_hci0_42" not in look(tree)


@pytest.mark.parametrize(
    "home, path, attribute, values",
    [
        ("class/input", f"{USB}/input/input4", "phys", ("usb-0000:00:14.0-1/input0", "usb-0000:00:14.0-2/input0")),
        ("class/tty", f"{PCI}/tty/ttyS4", "iomem_base", ("0xF7D39000", "0xF7C40000")),
        ("class/block", "devices/virtual/block/zram0", "backing_dev", ("/dev/sda5", "/dev/sdb5")),
    ],
    ids=["input", "serial port", "zram"],
)
def test_what_a_replug_or_a_reboot_deals_anew_is_a_handle(
    tree: Tree, home: str, path: str, attribute: str, values: tuple[str, str]
) -> None:
    told = []
    for value in values:
        more = {"type": "4", "name": "x", "size": "8", "comp_algorithm": "[lzo] zstd", attribute: value}
        tree.device(home, path, uevent="DEVTYPE=disk\n", **more)
        told.append(document.survey(next(one for one in look(tree).values() if one.key == f"/sys/{path}").element))
    assert document.kind_of_change(told[0], told[1]) == "renumbered"


def test_hal_has_a_bluetooth_address_as_a_number(tmp_path: Path) -> None:
    hci = made("bluetooth", f"{USB}/bluetooth/hci0", bluetooth_hci__address=0x000272DEAD0F)
    assert by_hal(tmp_path, hci) == {"bluetooth.address": "00:02:72:de:ad:0f"}


@pytest.mark.parametrize("name, type_", [("card0", "primary"), ("renderD128", "render"), ("controlD64", "control")])
def test_a_drm_node_is_of_one_of_three_types_and_connectors_are_none(tree: Tree, name: str, type_: str) -> None:
    tree.device("class/drm", f"{PCI}/drm/{name}", uevent="DEVTYPE=drm_minor\n")
    tree.device("class/drm", f"{PCI}/drm/card0/card0-VGA-1", status="connected")
    assert facts(tree, f"drm_{name}") == {"drm.type": type_}
    assert "drm_card0_VGA_1" not in look(tree)


def test_an_enclosure_has_a_logical_identifier_and_parts(tree: Tree) -> None:
    tree.device("class/enclosure", f"{PCI}/host0/target0:0:8/0:0:8:0/enclosure/0:0:8:0", id="0x500605b0000272bf",
                components="33")  # fmt: skip
    assert facts(tree, "enclosure_0_0_8_0") == {"enclosure.id": "500605b0000272bf", "enclosure.components": 33}
    assert identifiers(tree, "enclosure_0_0_8_0") == [("wwid", "500605b0000272bf")]


def test_a_monitoring_chip_has_a_name_wherever_the_kernel_keeps_it(tree: Tree) -> None:
    tree.device("class/hwmon", "devices/platform/coretemp.0/hwmon/hwmon1", name="coretemp", label="CPU")
    folder = tree.device("class/hwmon", "devices/platform/w83627hf.656/hwmon/hwmon2")
    (folder / "device").mkdir()
    (folder / "device/name").write_text("w83627hf\n")
    assert facts(tree, "hwmon_hwmon1") == {"hwmon.name": "coretemp", "hwmon.label": "CPU"}
    assert facts(tree, "hwmon_hwmon2") == {"hwmon.name": "w83627hf"}


def test_a_mediated_device_is_its_uuid_and_what_its_parent_offers(tree: Tree) -> None:
    uuid = "83B8F4F2-509F-382F-3C1E-E6BFE0FA1001"
    tree.device("bus/mdev/devices", f"{PCI}/{uuid}")
    tree.link(f"{PCI}/{uuid}/mdev_type", f"{PCI}/mdev_supported_types/nvidia-63")
    tree.link(f"{PCI}/{uuid}/iommu_group", "kernel/iommu_groups/12")
    name = "mdev_" + uuid.replace("-", "_")
    assert facts(tree, name) == {
        "mdev.uuid": uuid.lower(), "mdev.mdev_type": "nvidia-63", "mdev.iommu_group": 12,
    }  # fmt: skip
    assert identifiers(tree, name) == [("guid", uuid.lower())]


def battery(tree: Tree, **more: str) -> None:
    tree.device("class/power_supply", "devices/PNP0C0A:00/power_supply/BAT0",
                **{"type": "Battery", "manufacturer": "LGC", "model_name": "LNV-45N1", "serial_number": "38109",
                   "technology": "Li-ion", "status": "Full", "present": "1", "capacity": "98"} | more)  # fmt: skip


def test_a_battery_is_what_it_is_and_its_charge_is_nobodys_business(tree: Tree) -> None:
    battery(tree)
    tree.device("class/power_supply", "devices/ACPI0003:00/power_supply/AC", type="Mains", online="1")
    assert facts(tree, "power_supply_BAT0") == {
        "power_supply.type": "Battery", "power_supply.vendor": "LGC", "power_supply.model": "LNV-45N1",
        "power_supply.serial": "38109", "power_supply.technology": "Li-ion", "power_supply.status": "Full",
        "power_supply.present": True,
    }  # fmt: skip
    assert facts(tree, "power_supply_AC") == {"power_supply.type": "Mains", "power_supply.online": True}
    assert identifiers(tree, "power_supply_BAT0") == [("serial", "38109")]


def test_hal_has_a_battery_and_an_adapter_as_two_kinds_of_device(tmp_path: Path) -> None:
    charging = made("power_supply", "devices/PNP0C0A:00/power_supply/BAT0", info__category="battery",
                    battery__vendor="SMP", battery__model="DELL J930H99", battery__serial="786", battery__present=True,
                    battery__reporting__technology="Li-ion", battery__rechargeable__is_charging=True)  # fmt: skip
    mains = made("power_supply", "devices/ACPI0003:00/power_supply/AC", info__category="ac_adapter",
                 ac_adapter__present=False)  # fmt: skip
    assert by_hal(tmp_path, charging) == {
        "power_supply.type": "Battery", "power_supply.vendor": "SMP", "power_supply.model": "DELL J930H99",
        "power_supply.serial": "786", "power_supply.technology": "Li-ion", "power_supply.status": "Charging",
        "power_supply.present": True,
    }  # fmt: skip
    assert by_hal(tmp_path, mains) == {"power_supply.type": "Mains", "power_supply.online": False}
    assert "power_supply.status" not in by_hal(tmp_path, {**charging, "battery.rechargeable.is_charging": False})


def test_a_clock_says_whether_the_kernel_took_its_time(tree: Tree) -> None:
    tree.device(
        "class/rtc", "devices/pnp0/00:02/rtc/rtc0", name="rtc_cmos 00:02", hctosys="1", since_epoch="1222655451"
    )
    assert facts(tree, "rtc_rtc0") == {"rtc.name": "rtc_cmos 00:02", "rtc.hctosys": True}


def test_a_thunderbolt_device_is_named_and_its_domain_has_a_policy(tree: Tree) -> None:
    unique = "c4010000-0000-8008-2323-a2b0c1d2e3f4"
    path = f"{PCI}/domain0/0-0/0-1"
    tree.device("bus/thunderbolt/devices", path, uevent="DEVTYPE=thunderbolt_device\n", vendor="0x3d", device="0xa",
                vendor_name="CalDigit, Inc.", device_name="TS3 Plus", unique_id=unique, generation="3",
                nvm_version="44.1", authorized="1", key="5ec4e7")  # fmt: skip
    tree.device("bus/thunderbolt/devices", f"{PCI}/domain0", uevent="DEVTYPE=thunderbolt_domain\n", security="user")
    tree.device("bus/thunderbolt/devices", f"{path}/0-1.0", uevent="DEVTYPE=thunderbolt_service\n")
    assert facts(tree, "thunderbolt_0_1") == {
        "thunderbolt.vendor": 0x3D, "thunderbolt.vendor_name": "CalDigit, Inc.", "thunderbolt.product": 0xA,
        "thunderbolt.product_name": "TS3 Plus", "thunderbolt.unique_id": unique, "thunderbolt.generation": 3,
        "thunderbolt.firmware": "44.1", "thunderbolt.authorized": 1,
    }  # fmt: skip
    assert facts(tree, "thunderbolt_domain0") == {"thunderbolt.security": "user"}
    assert identifiers(tree, "thunderbolt_0_1") == [("guid", unique)]
    assert "thunderbolt_0_1_0" not in look(tree)


def test_a_tpm_has_a_version_and_what_the_firmware_calls_it(tree: Tree) -> None:
    folder = tree.device("class/tpm", "devices/platform/MSFT0101:00/tpm/tpm0", tpm_version_major="2")
    (folder / "device").mkdir()
    (folder / "device/description").write_text("TPM 2.0 Device\n")
    assert facts(tree, "tpm_tpm0") == {"tpm.version": 2, "tpm.description": "TPM 2.0 Device"}


def test_a_camera_has_a_name_and_the_version_that_udev_asked_it_for(tree: Tree) -> None:
    tree.device("class/video4linux", f"{USB}/video4linux/video0", name="USB 2.0 Camera", index="1",
                uevent="MAJOR=81\nMINOR=0\nDEVNAME=video0\n")  # fmt: skip
    tree.udev("c81:0", ID_V4L_VERSION="2")
    assert facts(tree, "video4linux_video0") == {
        "video4linux.name": "USB 2.0 Camera", "video4linux.index": 1, "video4linux.version": 2,
    }  # fmt: skip


def test_hal_says_the_version_of_a_camera_too(tmp_path: Path) -> None:
    camera = hal_recording.load("desktop")["usb_device_4f2_b012_SN0001_if0_video4linux"]
    assert by_hal(tmp_path, {**camera, "video4linux.version": "1"}) == {"video4linux.version": 1}


def test_a_watchdog_says_which_one_it_is(tree: Tree) -> None:
    tree.device("class/watchdog", f"{PCI}/watchdog/watchdog0", identity="iTCO_wdt", fw_version="4", nowayout="0",
                timeleft="17")  # fmt: skip
    assert facts(tree, "watchdog_watchdog0") == {
        "watchdog.identity": "iTCO_wdt", "watchdog.firmware": 4, "watchdog.nowayout": False,
    }  # fmt: skip


def test_a_radio_and_an_rdma_device_have_addresses(tree: Tree) -> None:
    tree.device("class/ieee80211", f"{PCI}/ieee80211/phy0", macaddress="00:19:D2:75:AE:D1")
    tree.device("class/infiniband", f"{PCI}/infiniband/mlx5_0", node_guid="0002:c903:000E:8b30",
                sys_image_guid="0002:c903:000e:8b33", node_type="1: CA", fw_ver="2.31.5050")  # fmt: skip
    assert facts(tree, "ieee80211_phy0") == {"ieee80211.address": "00:19:d2:75:ae:d1"}
    assert facts(tree, "infiniband_mlx5_0") == {
        "rdma.guid": "0002c903000e8b30", "rdma.image_guid": "0002c903000e8b33", "rdma.firmware": "2.31.5050",
        "rdma.node_type": "1: CA",
    }  # fmt: skip
    assert identifiers(tree, "infiniband_mlx5_0") == [("guid", "0002c903000e8b30")]


def test_a_fact_that_cannot_be_read_is_said_to_be_unread(tree: Tree) -> None:
    battery(tree)
    tree.unreadable("devices/PNP0C0A:00/power_supply/BAT0/serial_number")
    device = look(tree)["power_supply_BAT0"].device
    assert device.state is not None
    assert device.state.unread == "power_supply.serial"


def test_a_device_of_which_nothing_is_known_is_there_all_the_same(tree: Tree) -> None:
    tree.device("class/hwmon", "devices/virtual/hwmon/hwmon0")
    assert look(tree)["hwmon_hwmon0"].device.capabilities == (CAPABILITIES["hwmon"](),)


def test_every_line_is_a_class_with_words_for_people() -> None:
    for line in LINES.values():
        cls = CAPABILITIES[line.type_]
        assert cls.__doc__ == line.doc
        assert line.doc.endswith(".")


def serial(tree: Tree, path: str, **attributes: str) -> None:
    tree.device("class/tty", path, uevent="MAJOR=4\nMINOR=64\n", **attributes)
    tree.link(f"{path}/device", path.rpartition("/tty/")[0])


def test_a_serial_port_has_a_uart_at_an_address(tree: Tree) -> None:
    serial(tree, "devices/pnp0/00:05/00:05:0/00:05:0.0/tty/ttyS1", type="4", port="0x3F8", iomem_base="0x0", line="1")
    serial(tree, f"{PCI}/tty/ttyS4", type="10", port="0x0", iomem_base="0xFEB00000")
    serial(tree, f"{USB}/ttyUSB2/tty/ttyUSB2")
    assert facts(tree, "tty_ttyS1") == {
        "tty.type": "platform", "tty.line": 1, "tty.uart": "16550A", "tty.address": "0x3F8",
    }  # fmt: skip
    assert facts(tree, "tty_ttyS4") == {
        "tty.type": "pci", "tty.line": 4, "tty.uart": "16C950", "tty.address": "0xFEB00000",
    }  # fmt: skip
    assert facts(tree, "tty_ttyUSB2") == {"tty.type": "usb", "tty.line": 2}


def test_ports_without_a_uart_and_terminals_without_a_port_stay_out(tree: Tree) -> None:
    for name in ("tty1", "console", "ptmx"):
        tree.device("class/tty", f"devices/virtual/tty/{name}")
    serial(tree, "devices/platform/serial8250/serial8250:0/serial8250:0.3/tty/ttyS3", type="0")
    serial(tree, "devices/platform/serial8250/tty/ttyS2")
    assert set(look(tree)) == {"computer"}


def test_hal_says_what_a_port_is_of_where_the_path_does_not(tmp_path: Path) -> None:
    recorded = hal_recording.load("desktop")["usb_device_67b_2303_noserial_if0_serial_usb_0"]
    assert by_hal(tmp_path, recorded) == {"tty.type": "usb", "tty.line": 0}
    old = made("tty", "class/tty/modem", serial__device="/dev/modem", serial__type="platform", serial__port=3)
    assert by_hal(tmp_path, old) == {"tty.type": "platform", "tty.line": 3}


DEVICE_ID = "MFG:Hewlett-Packard;MDL:DeskJet 930C;CMD:MLC,PCL,PML;CLS:PRINTER;DES:Hewlett-Packard DeskJet;SN:MX03L1;"


@pytest.mark.parametrize("home, name", [("class/usbmisc", "usbmisc_lp0"), ("class/usb", "usb_lp0")])
def test_a_printer_is_what_it_said_when_it_came(tree: Tree, home: str, name: str) -> None:
    tree.device(home, f"{USB}/{home[6:]}/lp0", device__ieee1284_id=DEVICE_ID)
    tree.device("class/usbmisc", f"{USB}/usbmisc/hiddev0")
    assert facts(tree, name) == {
        "printer.vendor": "Hewlett-Packard", "printer.product": "DeskJet 930C", "printer.serial": "MX03L1",
        "printer.commands": "MLC,PCL,PML", "printer.description": "Hewlett-Packard DeskJet",
    }  # fmt: skip
    assert identifiers(tree, name) == [("serial", "MX03L1")]
    assert "usbmisc_hiddev0" not in look(tree)


def test_hal_asked_the_printer_for_the_same(tmp_path: Path) -> None:
    printer = made("usb", f"{USB}/usb/lp0", printer__vendor="Hewlett-Packard", printer__product="DeskJet 930C",
                   printer__serial="MX03L1", printer__description="an inkjet", printer__commandset=("MLC", "PCL"),
                   )  # fmt: skip
    assert by_hal(tmp_path, printer) == {
        "printer.vendor": "Hewlett-Packard", "printer.product": "DeskJet 930C", "printer.serial": "MX03L1",
        "printer.description": "an inkjet", "printer.commands": "MLC,PCL",
    }  # fmt: skip


CARD = f"{PCI}/mmc_host/mmc1/mmc1:b368"
CARD_FACTS = {
    "mmc.vendor": 2, "mmc.oem": 0x544D, "mmc.product_name": "SD08G", "mmc.type": "SD", "mmc.serial": "0x1a2b3c4d",
    "mmc.cid": "02544d5344303847", "mmc.date": "05/2009", "mmc.revision.hardware": 2, "mmc.revision.firmware": 8,
    "mmc.address.host": 0, "mmc.address.card": "b368",
}  # fmt: skip


def test_a_card_is_its_registers(tree: Tree) -> None:
    tree.device("bus/mmc/devices", CARD, manfid="0x000002", oemid="0x544d", name="SD08G", type="SD",
                serial="0x1a2b3c4d", cid="02544d5344303847", date="05/2009", hwrev="0x2", fwrev="0x8")  # fmt: skip
    tree.device("class/mmc_host", f"{PCI}/mmc_host/mmc1")
    assert facts(tree, "mmc_mmc1_b368") == {**CARD_FACTS, "mmc.address.host": 1}
    assert facts(tree, "mmc_host_mmc1") == {"mmc_host.number": 1}
    assert look(tree)["mmc_mmc1_b368"].device.parent == "mmc_host_mmc1"


def test_hal_has_the_same_of_a_card_in_words_of_its_own(tmp_path: Path) -> None:
    recorded = hal_recording.load("desktop")
    assert by_hal(tmp_path, recorded["pci_1180_822_mmc_card_rca45928"]) == CARD_FACTS
    assert by_hal(tmp_path, recorded["pci_1180_822_mmc_host"]) == {"mmc_host.number": 0}
    old = {**recorded["pci_1180_822_mmc_host"], "linux.sysfs_path": "/sys/class/mmc_host/slot", "mmc_host.host": 3}
    assert by_hal(tmp_path, old) == {"mmc_host.number": 3}


DASD = {
    "ccw.device_type": "3390/0c", "ccw.control_unit": "3990/e9", "ccw.address.cssid": "0", "ccw.address.ssid": "1",
    "ccw.address.number": "10f0", "ccw.online": False, "ccw.availability": "boxed",
}  # fmt: skip


def test_a_channel_device_has_an_address_that_people_gave_it(tree: Tree) -> None:
    path = "devices/css0/0.1.0036/0.1.10f0"
    tree.device("bus/ccw/devices", path, devtype="3390/0c", cutype="3990/e9", online="0", availability="boxed")
    tree.device("bus/ccw/devices", "devices/css0/0.0.0001/0.0.f001", devtype="n/a", cutype="1731/01", online="1")
    assert facts(tree, "ccw_0_1_10f0") == DASD
    assert facts(tree, "ccw_0_0_f001").keys() & {"ccw.device_type", "ccw.online"} == {"ccw.online"}


@pytest.mark.parametrize("key", ["ccw__availability", "ccw__availablity"])
def test_hal_says_the_same_of_a_channel_device(tmp_path: Path, key: str) -> None:
    device = made("ccw", "devices/css0/0.1.0036/0.1.10f0", ccw__devtype="3390/0c", ccw__cutype="3990/e9",
                  ccw__online=0, **{key: "boxed"})  # fmt: skip
    assert by_hal(tmp_path, device) == DASD
