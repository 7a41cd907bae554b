"""SCSI, Fibre Channel, NVMe and drives of recorded hosts: what is there, with its facts."""

from pathlib import Path

import pytest

from hwcensus.document import JsonValue
from hwcensus_agent.enumerate import Described, enumerate_host
from tests.reality.recordings import HERE, sysroot_of, unpack
from tests.reality.sysfs_facts import survey_of


def look(recording: str) -> tuple[Described, ...]:
    return enumerate_host(sysroot=str(sysroot_of(recording))).devices


def facts(devices: tuple[Described, ...], name: str, *beginnings: str) -> dict[str, JsonValue]:
    survey = survey_of(devices, name)
    return {path: value for path, value in {**survey.facts, **survey.state}.items() if path.startswith(beginnings)}


def identity(devices: tuple[Described, ...], name: str) -> str:
    return next(one.identity for one in devices if one.name == name)


def test_the_ports_of_a_server_are_known_by_their_names_the_virtual_one_by_what_it_is_on() -> None:
    devices = look("fcserver")
    ports = {one.name: one.identity for one in devices if one.identity.startswith("scsi/wwpn/")}
    assert ports == {
        "scsi_host0": "scsi/wwpn/2100001b32910a4c", "scsi_host1": "scsi/wwpn/2100001b32911a4c",
        "scsi_host2": "scsi/wwpn/10000000c9a1b2c3", "scsi_host7": "scsi/wwpn/5001a4ac6e2b0001",
    }  # fmt: skip
    assert facts(devices, "scsi_host7", "fc.") == {
        "fc.wwnn": "5001a4ac6e2b0000", "fc.wwpn": "5001a4ac6e2b0001", "fc.vport.parent_wwpn": "10000000c9a1b2c3",
        "fc.port_type": "NPort (fabric via point-to-point)", "fc.port": "Online", "fc.speed": "8",
        "fc.fabric_wwn": "2001000dec123456",
    }  # fmt: skip
    assert survey_of(devices, "scsi_host7").frame["parent"] == "scsi_host2"
    assert "vports" not in survey_of(devices, "scsi_host7").capabilities
    assert "vports" in survey_of(devices, "scsi_host2").capabilities


def test_what_is_behind_a_port_is_placed_below_it() -> None:
    devices = look("fcserver")
    assert facts(devices, "scsi_target1_0_1", "fc_remote_port.") == {
        "fc_remote_port.wwnn": "50060e80056f7000", "fc_remote_port.wwpn": "50060e80056f7101",
        "fc_remote_port.roles": "FCP Target", "fc_remote_port.port_id": "010100", "fc_remote_port.port": "Online",
    }  # fmt: skip
    assert identity(devices, "scsi_1_0_1_16383") == (
        "scsi/place/scsi%2Fwwpn%2F2100001b32911a4c%2Frport-:0%2Ftarget:0:1%2F:0:1:16383"
    )
    assert facts(devices, "scsi_1_0_1_16383", "scsi.type") == {"scsi.type": "raid"}


def test_a_tape_drive_its_changer_and_their_nodes_are_four_devices_and_more() -> None:
    devices = look("fcserver")
    library = {
        one.name for one in devices if one.path.startswith("/sys/devices/pci0000:00/0000:00:07.0/0000:0a:00.0/h")
    }
    assert library == {
        "scsi_host2", "scsi_host7", "scsi_target2_0_0", "scsi_2_0_0_0", "scsi_generic_sg6", "scsi_tape_st0",
        "scsi_2_0_0_1", "scsi_generic_sg7",
    }  # fmt: skip
    assert facts(devices, "scsi_2_0_0_1", "scsi.type") == {"scsi.type": "changer"}
    assert facts(devices, "scsi_tape_st0", "storage.model", "storage.drive_type") == {
        "storage.drive_type": "tape", "storage.model": "ULT3580-TD5"
    }  # fmt: skip


def test_a_raid_volume_a_sas_disk_and_an_iscsi_unit_are_known_by_their_wwids() -> None:
    devices = look("fcserver")
    assert {identity(devices, f"block_{name}") for name in ("sdg", "sdh", "sdi")} == {
        "block/wwid/naa.6782bcb0123456789abcdef012345678", "block/wwid/naa.5000c5001a2b3c4d",
        "block/wwid/naa.60a98000486e2f34576f2f51715a7a30",
    }  # fmt: skip
    owned = [one.own for name in ("sdg", "sdh", "sdi") for one in survey_of(devices, f"block_{name}").identifiers]
    assert owned == [True, True, False]
    assert identity(devices, "block_sdg2") == "block/place/block%2Fwwid%2Fnaa.6782bcb0123456789abcdef012345678%2F2"


def test_a_laptops_drives_are_what_they_are() -> None:
    devices = look("desktop")
    drives = {
        name: facts(devices, f"block_{name}", "storage.bus", "storage.drive_type", "storage.serial")
        for name in ("sda", "sdb", "mmcblk0")
    }
    assert drives == {
        "sda": {"storage.bus": "ata", "storage.drive_type": "disk", "storage.serial": "MPDZN7Y0J7WN6L"},
        "sdb": {"storage.bus": "usb", "storage.drive_type": "disk", "storage.serial": "899000000000000000000049"},
        "mmcblk0": {"storage.bus": "mmc", "storage.drive_type": "sd", "storage.serial": "0x1a2b3c4d"},
    }


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Folders of classes of several machines, as kernels before 2.6.25 have them all; and the host of the port."""
    sysroot = unpack(HERE / "procfs-0.8.0-sys.tree.tar.xz", tmp_path)
    host = sysroot / "devices/pci0000:00/0000:00:02.0/host0"
    host.mkdir(parents=True)
    (host / "uevent").write_text("DEVTYPE=scsi_host\n")
    (sysroot / "bus/scsi/devices").mkdir(parents=True)
    (host / "subsystem").symlink_to("../../../../bus/scsi")
    (sysroot / "bus/scsi/devices/host0").symlink_to("../../../devices/pci0000:00/0000:00:02.0/host0")
    return sysroot


def test_an_emulex_port_says_what_it_can_though_no_fabric_is_there(classes: Path) -> None:
    devices = enumerate_host(sysroot=str(classes)).devices
    assert facts(devices, "scsi_host0", "fc.") == {
        "fc.wwnn": "2000e0071bce95f2", "fc.wwpn": "1000e0071bce95f2",
        "fc.port_type": "Point-To-Point (direct nport connection)", "fc.supported_speeds": "4 8 16",
        "fc.port": "Online", "fc.speed": "16",
        "fc.symbolic_name": "Emulex SN1100E2P FV12.4.270.3 DV12.4.0.0. HN:gotest. OS:Linux",
    }  # fmt: skip


def test_an_nvme_controller_is_its_serial_with_its_model(classes: Path) -> None:
    devices = enumerate_host(sysroot=str(classes)).devices
    assert facts(devices, "nvme_nvme0", "nvme.") == {
        "nvme.model": "Samsung SSD 970 PRO 512GB", "nvme.serial": "S680HF8N190894I", "nvme.firmware": "1B2QEXP7",
        "nvme.controller": "live",
    }  # fmt: skip
    assert identity(devices, "nvme_nvme0") == "nvme/serial/Samsung%20SSD%20970%20PRO%20512GB:S680HF8N190894I"
    assert [one.name for one in devices if one.subsystem == "scsi_tape"] == ["scsi_tape_st0"]
