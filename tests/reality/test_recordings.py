"""Recorded hosts: every device is found, with the facts that its sysfs has, read apart from our code."""

from collections import Counter
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus_agent.enumerate import Enumeration, enumerate_host
from hwcensus_collector.ingest.form import Forms
from tests.reality import recordings, umockdev_tree
from tests.reality.recordings import ALL, HERE, T60, sysroot_of, unpack
from tests.reality.sysfs_facts import check, check_whole, survey_of
from tests.unit.test_forms import add, alone, by_form


@pytest.fixture(scope="session")
def t60(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sysfs of the ThinkPad T60."""
    return unpack(HERE / "systemd-thinkpad-t60.tree.tar.xz", tmp_path_factory.mktemp("t60"))


def test_every_device_of_the_t60_is_found_with_its_facts(t60: Path) -> None:
    assert check(t60, enumerate_host(sysroot=str(t60)).devices) == T60 - 1


def test_what_the_t60_tells_is_read_by_form_as_it_is_alone(t60: Path) -> None:
    raws = [add(one.device) for one in enumerate_host(sysroot=str(t60)).devices]
    forms = Forms()
    for raw in raws * 2:
        forms.read(raw)
    assert [by_form(forms, raw) for raw in raws] == [alone(raw) for raw in raws]


def test_a_second_look_gives_the_same_bytes(t60: Path) -> None:
    def written(look: Enumeration) -> list[bytes]:
        return [document.to_bytes(one.element) for one in look.devices]

    assert written(enumerate_host(sysroot=str(t60))) == written(enumerate_host(sysroot=str(t60)))


def test_the_t60_itself_is_the_computer_and_nothing_of_this_machine(t60: Path) -> None:
    facts = survey_of(enumerate_host(sysroot=str(t60)).devices, "computer").facts
    assert facts["system.hardware.vendor"] == "LENOVO"
    assert facts["system.hardware.version"] == "ThinkPad T60p"
    assert facts["system.hardware.uuid"] == "82161681-492e-11cb-bcca-a7fde26f414b"
    assert not {"system.kernel", "system.os", "system.virtualization"} & set(facts)


def test_udevs_properties_of_the_recording_are_used(t60: Path) -> None:
    devices = enumerate_host(sysroot=str(t60)).devices
    assert survey_of(devices, "pci_0000_00_1f_3").facts["pci.vendor_name"] == "Intel Corporation"
    assert survey_of(devices, "input_input8").capabilities == ["input", "mouse"]
    assert survey_of(devices, "net_wlan0").capabilities == ["net", "80211"]


def test_drives_of_the_t60_are_what_they_are(t60: Path) -> None:
    devices = enumerate_host(sysroot=str(t60)).devices
    sda, stick, optical = (survey_of(devices, f"block_{name}") for name in ("sda", "sdb", "sr0"))
    assert (sda.facts["storage.bus"], sda.facts["storage.drive_type"]) == ("ata", "disk")
    assert (stick.facts["storage.bus"], stick.capabilities[:2]) == ("usb", ["storage", "removable"])
    assert (optical.facts["storage.drive_type"], optical.state["removable.media"]) == ("cdrom", False)
    assert "block.size" not in optical.facts


def test_a_device_whose_name_has_an_exclamation_mark_is_named_by_what_it_stands_for(t60: Path) -> None:
    devices = enumerate_host(sysroot=str(t60)).devices
    (fake,) = [one for one in devices if one.key.endswith("/fake!blockdev0")]
    assert fake.name == "block_fake_blockdev0"


def test_the_serial_of_a_root_hub_is_an_address_and_left_out(t60: Path) -> None:
    devices = enumerate_host(sysroot=str(t60)).devices
    assert "usb.serial" not in survey_of(devices, "usb_usb5").facts
    assert survey_of(devices, "usb_5_2").facts["usb.serial"] == "354172020305000"


@pytest.mark.parametrize("udev", [True, False])
def test_a_keyboard_is_one_with_and_without_udev(tmp_path: Path, udev: bool) -> None:
    sysroot = umockdev_tree.build(HERE / "usbkbd.umockdev", tmp_path)
    if not udev:
        (tmp_path / "run/udev/data").rename(tmp_path / "gone")
        bitmaps(sysroot)
    devices = enumerate_host(sysroot=str(sysroot)).devices
    check_whole(devices)
    assert survey_of(devices, "input_input5").capabilities == ["input", "keyboard"]


def test_a_touchpad_is_one_where_udev_says_so(tmp_path: Path) -> None:
    sysroot = umockdev_tree.build(HERE / "synaptics-touchpad.umockdev", tmp_path)
    devices = enumerate_host(sysroot=str(sysroot)).devices
    check_whole(devices)
    assert survey_of(devices, "input_input12").capabilities == ["input", "touchpad"]
    assert survey_of(devices, "input_event12").facts["input.node"] == "/dev/input/event12"


def bitmaps(sysroot: Path) -> None:
    """The attributes that the recording has only as variables of the uevent."""
    for uevent in sysroot.glob("devices/**/input/input*/uevent"):
        said = dict(line.split("=", 1) for line in uevent.read_text().splitlines())
        for key in {"EV", "KEY", "ABS", "REL", "SW"} & said.keys():
            (uevent.parent / "capabilities").mkdir(exist_ok=True)
            (uevent.parent / "capabilities" / key.lower()).write_text(said[key])


def test_a_camera_is_known_by_its_serial_wherever_it_is_plugged_in(tmp_path: Path) -> None:
    sysroot = umockdev_tree.build(HERE / "canon-powershot-sx200.umockdev", tmp_path)
    devices = enumerate_host(sysroot=str(sysroot)).devices
    check_whole(devices)
    (camera,) = [one for one in devices if one.identity == "usb/serial/1193:12736:C767F1C714174C309255F70E4A7B2EE2"]
    below = [one.identity for one in devices if one.device.parent == camera.name]
    assert all(identity.startswith("usb/place/usb%2Fserial%2F1193:12736:C767") for identity in below)
    assert survey_of(devices, camera.name).facts["usb.product_name"] == "Canon Digital Camera"


#: Serial ports of made hosts, which have no link to their hardware: by its path each is one.
BARE_PORTS = {
    "desktop": {"/sys/devices/pci0000:00/0000:00:1d.7/usb5/5-7/5-7:1.0/ttyUSB0/tty/ttyUSB0"},
    "fcserver": {"/sys/devices/pnp0/00:08/tty/ttyS0"},
}


@pytest.mark.parametrize("recording", ALL)
def test_every_device_of_a_recording_is_found_with_the_facts_of_its_sysfs(recording: str) -> None:
    sysroot = sysroot_of(recording)
    besides = frozenset(BARE_PORTS.get(recording, ()))
    check(sysroot, enumerate_host(sysroot=str(sysroot)).devices, besides=besides)


@pytest.mark.parametrize("recording", ALL)
def test_the_devices_of_a_recording_are_those_that_are_stated(recording: str) -> None:
    assert recordings.found(recording) == recordings.stated()[recording], "see recordings.py for how to state them anew"


@pytest.mark.parametrize(
    "recording, counts",
    [
        ("systemd-thinkpad-t60", {"bus=pci": 21, "bus=usb": 10, "usb_interface": 26, "scsihost": 7, "80211": 2}),
        ("hwloc-40intel64-2g2n4c+pci", {"bus=pci": 37, "80203": 4, "infiniband": 1, "rdma": 1, "processor": 4}),
        ("hwloc-2pa-pcidomain32bits", {"bus=pci": 9, "bus=virtio": 2, "drm": 2, "storage": 2}),
        ("ghw-415ee03b", {"bus=pci": 23, "zram": 1, "volume": 3}),
        ("ghw-8581cf3a", {"bus=pci": 82, "block": 10, "scsi_target": 2}),
        ("lsblk-simple-lvm", {"storage": 3, "volume": 10, "loop": 4, "dm": 1}),
        ("fcserver", {"fc": 4, "vports": 3, "fc_remote_port": 4, "bus=scsi": 15, "bridge": 1}),
        ("desktop", {"nvme": 1, "storage": 5, "video4linux": 1, "bus=mmc": 1}),
        ("vmware", {"bus=pci": 7, "storage": 4, "cdrom": 1}),
    ],
)
def test_a_recording_has_as_many_of_each_kind_as_its_hardware(recording: str, counts: dict[str, int]) -> None:
    stated = Counter(word for line in recordings.stated()[recording] for word in line.split()[1:])
    assert {kind: stated[kind] for kind in counts} == counts
