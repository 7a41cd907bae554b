"""USB devices and interfaces: each fact, from sysfs and from either generation of HAL, and the traps on the way."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from hwcensus import codec, document
from hwcensus.device import Device
from hwcensus.document import JsonValue
from hwcensus_agent import hwdb, ids
from hwcensus_agent.describe import Describer, usb
from hwcensus_agent.host import HostView
from hwcensus_agent.view import HalValue
from tests.fixtures import hal_recording
from tests.unit.sysfs_tree import Tree, facts, look

HOME = "bus/usb/devices"
HUB = "devices/pci0000:00/0000:00:1d.0/usb1"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def device(tree: Tree, path: str = f"{HUB}/1-1", **more: str) -> None:
    attributes = {"idVendor": "0781", "idProduct": "5567", "busnum": "1", "devnum": "2"}
    tree.device(HOME, path, uevent="DEVTYPE=usb_device\n", **(attributes | more))


@pytest.mark.parametrize("text, expected", [("480", "480"), ("1.5", "1.5"), ("20000", "20000"), ("unknown", None)])
def test_a_speed_is_in_megabits_or_none(tree: Tree, text: str, expected: str | None) -> None:
    device(tree, speed=text)
    assert facts(tree, "usb_1_1").get("usb.speed") == expected


@pytest.mark.parametrize("text, expected", [(" 2.00", "2.00"), ("3.20", "3.20"), (" 1.1", "1.10"), ("ff.ff", None)])
def test_a_version_has_two_decimals_or_is_left_out(tree: Tree, text: str, expected: str | None) -> None:
    device(tree, version=text)
    assert facts(tree, "usb_1_1").get("usb.version") == expected


def test_a_device_without_a_configuration_has_none(tree: Tree) -> None:
    device(tree, bConfigurationValue="")
    assert "usb.configuration" not in facts(tree, "usb_1_1")


@pytest.mark.parametrize(
    "serial, identity",
    [
        ("4C530001", "usb/serial/1921:21863:4C530001"),
        ("0000000000", "usb/place/pci0000:00%2F0000:00:1d.0%2Fusb%2F-1"),
        ("123456789ABC", "usb/serial/1921:21863:123456789ABC"),
        ("0123456789ABCDEF", "usb/place/pci0000:00%2F0000:00:1d.0%2Fusb%2F-1"),
    ],
)
def test_a_serial_that_makers_write_where_there_is_none_is_a_fact_but_nobodys_identity(
    tree: Tree, serial: str, identity: str
) -> None:
    device(tree, serial=serial)
    assert facts(tree, "usb_1_1")["usb.serial"] == serial
    assert look(tree)["usb_1_1"].identity == identity


def test_two_products_may_have_the_same_serial(tree: Tree) -> None:
    device(tree, serial="4C530001")
    device(tree, f"{HUB}/1-2", serial="4C530001", idProduct="5568")
    assert look(tree)["usb_1_2"].identity == "usb/serial/1921:21864:4C530001"


def test_names_come_from_the_list_where_udev_has_no_database(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "usb.ids").write_text("# a list\n0781  SanDisk Corp.\n\t5567  Cruzer Blade\nC 00  (by interface)\n")
    monkeypatch.setattr(ids.lookup, "__defaults__", ((tmp_path,),))
    monkeypatch.setattr(hwdb, "_database", lambda: None)
    monkeypatch.setattr(hwdb, "lookup", hwdb.lookup.__wrapped__)
    device(tree, manufacturer="SanDisk'", product="Cruzer")
    host = HostView(str(tree.sys))
    host.live = True
    bus = usb.BUS.of(host.view(f"/sys/{HUB}/1-1", "usb"), host)
    assert bus is not None
    assert (bus.vendor_name, bus.product_name) == ("SanDisk Corp.", "Cruzer Blade")


def by_hal(properties: Mapping[str, HalValue], empty: Path, describer: Describer) -> dict[str, JsonValue]:
    described = describer(hal_recording.view(properties, empty), hal_recording.host(empty))
    assert described is not None
    survey = document.survey(
        codec.write_device(Device(name="x", bus=described.bus, capabilities=described.capabilities))
    )
    return {**survey.facts, **survey.state}


def test_hal_alone_knows_a_root_hub_and_that_its_serial_is_none(tmp_path: Path) -> None:
    hub = hal_recording.load("desktop")["usb_device_1d6b_2_0000_00_1d_7"]
    assert by_hal(hub, tmp_path, usb.describe_device) == {
        "usb.vendor": 0x1D6B, "usb.vendor_name": "Linux Foundation", "usb.product": 2,
        "usb.product_name": "2.0 root hub", "usb.version": "2.00", "usb.speed": "480", "usb.address.bus": "005",
        "usb.address.dev": "001", "usb.configuration": 1,
    }  # fmt: skip


def test_hal_alone_knows_the_serial_of_a_device(tmp_path: Path) -> None:
    devices = hal_recording.load("fcserver") | hal_recording.load("desktop")
    with_serial = [said for said in devices.values() if "usb_device.serial" in said
                   and ":" not in str(said["usb_device.serial"])]  # fmt: skip
    assert with_serial
    for said in with_serial:
        assert by_hal(said, tmp_path, usb.describe_device)["usb.serial"] == said["usb_device.serial"]


def test_hal_alone_knows_an_interface(tmp_path: Path) -> None:
    interface = hal_recording.load("desktop")["usb_device_1d6b_2_0000_00_1d_7_if0"]
    assert by_hal(interface, tmp_path, usb.describe_interface) == {
        "usb_interface.number": 0, "usb_interface.class": "09", "usb_interface.subclass": "00",
        "usb_interface.protocol": "00",
    }  # fmt: skip
    described = {**interface, "usb.interface.description": "CCID"}
    assert by_hal(described, tmp_path, usb.describe_interface)["usb_interface.description"] == "CCID"


@pytest.mark.parametrize("digits, expected", [(0x48000, "480"), (0x1200, "12"), (0x0150, "1.5")])
def test_a_hald_before_0_5_9_gives_speed_and_version_as_digits(tmp_path: Path, digits: int, expected: str) -> None:
    hub = dict(hal_recording.load("desktop")["usb_device_1d6b_2_0000_00_1d_7"])
    del hub["usb_device.speed"], hub["usb_device.version"]
    found = by_hal(hub | {"usb_device.speed_bcd": digits, "usb_device.version_bcd": 0x0110}, tmp_path,
                   usb.describe_device)  # fmt: skip
    assert (found["usb.speed"], found["usb.version"]) == (expected, "1.10")


def test_digits_that_are_none_are_left_out(tmp_path: Path) -> None:
    hub = dict(hal_recording.load("desktop")["usb_device_1d6b_2_0000_00_1d_7"])
    del hub["usb_device.speed"]
    assert "usb.speed" not in by_hal(hub | {"usb_device.speed_bcd": 0xFFFF}, tmp_path, usb.describe_device)
