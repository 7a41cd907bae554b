"""Drives and block devices: what each makes of the attributes that the kernel shows, traps included."""

import shutil
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.classes.block import Block, BlockState, Volume
from hwcensus.classes.storage import Cdrom, Removable, RemovableState, Storage
from hwcensus.document import Identifier, JsonValue
from hwcensus_agent.describe import block, storage
from tests.fixtures import hal_recording
from tests.unit.sysfs_tree import Tree, facts, look
from tests.unit.test_scsi_pages import NAA5, ata_page, named, page

PCI = "devices/pci0000:00/0000:00:03.0"
BLOCK = "class/block"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def capabilities(tree: Tree, name: str) -> list[str]:
    return document.survey(look(tree)[name].element).capabilities


def of(tree: Tree, name: str, *beginnings: str) -> dict[str, JsonValue]:
    return {path: value for path, value in facts(tree, name).items() if path.startswith(beginnings)}


DISK = f"{PCI}/ata1/host0/target0:0:0/0:0:0:0/block/sda"


def disk(tree: Tree, path: str = DISK, **more: str) -> None:
    tree.link(f"{path}/device", path.rpartition("/block/")[0] if "/block/" in path else path.rpartition("/")[0])
    tree.device(BLOCK, path, uevent="MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\n",
                **{"dev": "8:0", "size": "1000", "ro": "0", "removable": "0"} | more)  # fmt: skip


def test_a_size_counts_512_bytes_a_sector_whatever_the_block_size(tree: Tree) -> None:
    disk(tree, queue__logical_block_size="4096", queue__physical_block_size="8192", queue__rotational="0")
    assert of(tree, "block_sda", "storage.", "block.", "devnode") == {
        "devnode": ["/dev/sda"], "storage.size": 512_000, "storage.block_size.logical": 4096,
        "storage.block_size.physical": 8192, "storage.rotational": False, "storage.drive_type": "ssd",
        "storage.bus": "ata", "block.size": 512_000, "block.node.major": 8, "block.node.minor": 0,
        "block.read_only": False,
    }  # fmt: skip


def test_a_scsi_disk_has_its_serial_from_the_page_that_the_kernel_keeps(tree: Tree) -> None:
    disk(tree)
    unit = (tree.sys / DISK).parent.parent
    (unit / "vpd_pg80").write_bytes(b"\x00\x80\x00\x0a  5VE12345" + b"junk")
    for name, value in (
        ("vendor", "ATA     "),
        ("model", "ST9500325AS   "),
        ("wwid", "naa.5000c5001234abcd"),
        ("rev", "BSM1"),
    ):
        (unit / name).write_text(f"{value}\n")
    found = facts(tree, "block_sda")
    assert (found["storage.serial"], found["storage.wwid"]) == ("5VE12345", "naa.5000c5001234abcd")
    assert (found["storage.model"], found["storage.firmware"]) == ("ST9500325AS", "BSM1")
    assert "storage.vendor" not in found
    assert look(tree)["block_sda"].identity == "block/wwid/naa.5000c5001234abcd"


def test_a_partition_starts_where_its_disk_says_and_is_known_from_its_disk(tree: Tree) -> None:
    disk(tree, serial="5VE12345")
    tree.device(BLOCK, f"{DISK}/sda2", uevent="DEVTYPE=partition\nDEVNAME=sda2\nPARTUUID=0fc63daf-02\n", dev="8:2",
                size="100", start="2048", partition="2", ro="1")  # fmt: skip
    tree.udev("b8:2", ID_FS_TYPE="ext4", ID_FS_LABEL_ENC=r"my\x20root", ID_FS_UUID="f00", ID_PART_ENTRY_TYPE="0x83")
    (tree.sys / DISK / "sda2/uevent").write_text("DEVTYPE=partition\nMAJOR=8\nMINOR=2\nPARTUUID=0fc63daf-02\n")
    found = facts(tree, "block_sda2")
    assert (found["volume.number"], found["volume.start"], found["volume.uuid"]) == (2, 1 << 20, "0fc63daf-02")
    assert (found["block.filesystem"], found["block.label"], found["block.read_only"]) == ("ext4", "my root", True)
    assert (found["volume.type"], found["block.uuid"], found["block.size"]) == ("0x83", "f00", 51_200)
    assert look(tree)["block_sda2"].identity == "block/place/block%2Fserial%2F5VE12345%2F2"


def test_an_optical_drive_has_no_size_but_its_medium_has(tree: Tree) -> None:
    disk(tree, removable="1", size="2097151")
    (tree.sys / DISK / "device/type").write_text("5\n")
    found = facts(tree, "block_sda")
    assert (found["storage.drive_type"], found["removable.media"]) == ("cdrom", False)
    assert not {"storage.size", "block.size", "removable.size"} & set(found)


@pytest.mark.parametrize("name", ["loop0", "ram0", "zram0"])
def test_what_the_kernel_made_in_advance_comes_in_when_it_has_a_size(tree: Tree, name: str) -> None:
    folder = tree.device(BLOCK, f"devices/virtual/block/{name}", uevent="DEVTYPE=disk\n", size="0", dev="7:0")
    assert f"block_{name}" not in look(tree)
    (folder / "size").write_text("8\n")
    assert facts(tree, f"block_{name}")["block.size"] == 4096
    assert "storage" not in capabilities(tree, f"block_{name}")


def test_a_loop_device_is_known_by_its_file_and_a_zram_has_an_algorithm(tree: Tree) -> None:
    tree.device(BLOCK, "devices/virtual/block/loop0", uevent="DEVTYPE=disk\n", size="8", loop__backing_file="/a.img",
                loop__offset="512")  # fmt: skip
    tree.device(
        BLOCK, "devices/virtual/block/zram0", uevent="DEVTYPE=disk\n", size="8", comp_algorithm="lzo [lz4] zstd"
    )
    assert look(tree)["block_loop0"].identity == "block/guid/%2Fa.img"
    assert facts(tree, "block_loop0")["loop.offset"] == 512
    assert facts(tree, "block_zram0")["zram.algorithm"] == "lz4"


def test_an_ata_drive_is_named_in_full_though_scsi_has_less_room(tree: Tree) -> None:
    disk(tree)
    unit = (tree.sys / DISK).parent.parent
    for name, value in (("vendor", "ATA"), ("model", "Samsung SSD 860"), ("rev", "1B6Q")):
        (unit / name).write_text(f"{value}\n")
    tree.udev("b8:0", ID_BUS="ata", ID_MODEL_ENC=r"Samsung\x20SSD\x20860\x20EVO\x20500GB\x20", ID_REVISION="RVT01B6Q",
              ID_SERIAL_SHORT="S3Z1NB0K123456X")  # fmt: skip
    by_udev = of(tree, "block_sda", "storage.model", "storage.firmware", "storage.serial")
    assert by_udev == {
        "storage.model": "Samsung SSD 860 EVO 500GB", "storage.firmware": "RVT01B6Q",
        "storage.serial": "S3Z1NB0K123456X",
    }  # fmt: skip
    shutil.rmtree(tree.data)
    (unit / "vpd_pg89").write_bytes(ata_page(firmware="RVT01B6Q", model="Samsung SSD 860 EVO 500GB"))
    (unit / "vpd_pg80").write_bytes(page(0x80, b"S3Z1NB0K123456X     "))
    assert of(tree, "block_sda", *by_udev) == by_udev


def test_a_unit_is_named_by_its_page_where_the_kernel_has_no_word_for_it(tree: Tree) -> None:
    disk(tree)
    ((tree.sys / DISK).parent.parent / "vpd_pg83").write_bytes(page(0x83, named(1, 0x03, NAA5)))
    assert facts(tree, "block_sda")["storage.wwid"] == "naa.5000c5001234abcd"


@pytest.mark.parametrize(
    "said, expected",
    [
        ({"ID_WWN": "0x5000c5001234abcd"}, "naa.5000c5001234abcd"),
        ({"ID_WWN": "0x60060e80056f7000", "ID_WWN_WITH_EXTENSION": "0x60060e80056f70000000000000000001"},
         "naa.60060e80056f70000000000000000001"),
        ({"ID_WWN": "0x60060e80056f7000", "ID_SERIAL": "360060e80056f70000000000000000001"},
         "naa.60060e80056f70000000000000000001"),
        ({"ID_WWN": "0x60060e80056f7000"}, None),
        ({"ID_WWN": "eui.0025385b71b01c2e"}, "eui.0025385b71b01c2e"),
        ({"ID_SERIAL": "ST9500325AS_5VE12345"}, None),
    ],
    ids=["whole", "extended", "by scsi_id", "the array's half alone", "as it is", "a serial"],
)  # fmt: skip
def test_half_a_name_that_all_units_of_an_array_share_is_none(
    tree: Tree, said: dict[str, str], expected: str | None
) -> None:
    disk(tree)
    tree.udev("b8:0", ID_BUS="scsi", **said)
    assert facts(tree, "block_sda").get("storage.wwid") == expected


@pytest.mark.parametrize(
    "said, expected",
    [
        ({"ID_BUS": "scsi", "ID_SERIAL_SHORT": "5000c5001a2b3c4d", "ID_SCSI_SERIAL": "3SD1ABCD"}, "3SD1ABCD"),
        ({"ID_BUS": "usb", "ID_SERIAL_SHORT": "899000000000000000000049"}, "899000000000000000000049"),
        ({"ID_BUS": "usb", "ID_SERIAL": "Acme_Flash_Disk_07-0:0", "ID_VENDOR": "Acme", "ID_MODEL": "Flash_Disk"},
         "07"),
        ({"ID_BUS": "usb", "ID_SERIAL": "Acme_Flash_Disk-0:0", "ID_VENDOR": "Acme", "ID_MODEL": "Flash_Disk"},
         None),
        ({"ID_BUS": "ata", "ID_SERIAL": "ST9500325AS_5VE_1", "ID_MODEL": "ST9500325AS"}, "5VE_1"),
        ({"ID_SERIAL_SHORT": "5000c5001a2b3c4d"}, None),
    ],
    ids=["of SCSI the short one is the WWID", "of USB the serial", "at the end of the whole", "there is none",
         "behind the model", "of a bus that udev does not know"],
)  # fmt: skip
def test_which_serial_of_udev_is_one_depends_on_the_bus(tree: Tree, said: dict[str, str], expected: str | None) -> None:
    disk(tree)
    tree.udev("b8:0", **said)
    assert facts(tree, "block_sda").get("storage.serial") == expected


@pytest.mark.parametrize(
    "path, seen",
    [
        (f"{PCI}/host6/rport-6:0-1/target6:0:0/6:0:0:0/block/sda", True),
        ("devices/platform/host8/session1/target8:0:0/8:0:0:0/block/sda", True),
        (f"{PCI}/host4/port-4:0/end_device-4:0/target4:0:0/4:0:0:0/block/sda", False),
    ],
    ids=["Fibre Channel", "iSCSI", "SAS"],
)
def test_what_is_reached_over_a_san_is_known_by_its_names_but_does_not_own_them(
    tree: Tree, path: str, seen: bool
) -> None:
    disk(tree, path, wwid="naa.60060e80056f70000000000000000001", serial="5VE12345")
    found = look(tree)["block_sda"]
    assert {(one.kind, one.own) for one in document.survey(found.element).identifiers} == {
        ("wwid", not seen), ("serial", not seen)
    }  # fmt: skip
    assert facts(tree, "block_sda").get("storage.wwid.san") == facts(tree, "block_sda").get("storage.serial.san")
    assert found.identity == "block/wwid/naa.60060e80056f70000000000000000001"


def test_a_disk_names_its_bay_and_the_enclosure_that_this_is_of(tree: Tree) -> None:
    disk(tree)
    ses = f"{PCI}/host0/target0:0:9/0:0:9:0/enclosure/0:0:9:0"
    tree.device("class/enclosure", ses)
    unit = DISK.rpartition("/block/")[0]
    tree.link(f"{unit}/enclosure_device:Slot 03", f"{ses}/Slot 03")
    found = document.survey(look(tree, "enclosure")["block_sda"].element).facts
    assert (found["storage.bay"], found["storage.bay.enclosure"]) == ("Slot 03", "enclosure_0_0_9_0")


def test_a_sas_disk_without_an_enclosure_has_the_bay_that_its_adapter_knows(tree: Tree) -> None:
    port = f"{PCI}/host4/port-4:0/end_device-4:0"
    disk(tree, f"{port}/target4:0:0/4:0:0:0/block/sda")
    tree.device("class/sas_device", f"{port}/sas_device/end_device-4:0", bay_identifier="7")
    assert of(tree, "block_sda", "storage.bay") == {"storage.bay": "7"}


def test_a_raid_controller_of_old_names_its_units_itself(tree: Tree) -> None:
    path = f"{PCI}/cciss0/c0d0/block/cciss!c0d0"
    disk(tree, path, device__unique_id="600508B1001CA2D7F8A5B6C7D8E9F012", device__model="LOGICAL VOLUME")
    assert of(tree, "block_cciss_c0d0", "storage.wwid", "storage.model", "devnode") == {
        "devnode": ["/dev/sda"], "storage.wwid": "naa.600508b1001ca2d7f8a5b6c7d8e9f012",
        "storage.model": "LOGICAL VOLUME",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path, attributes, said, expected",
    [
        (f"{PCI}/mmc_host/mmc0/mmc0:b368/block/mmcblk0", {"device__type": "SD"}, {}, ("mmc", "sd", True)),
        (f"{PCI}/mmc_host/mmc0/mmc0:0001/block/mmcblk0", {"device__type": "MMC"}, {}, ("mmc", "mmc", False)),
        (f"{PCI}/usb1/1-1/1-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb", {}, {}, ("usb", "disk", True)),
        (f"{PCI}/usb1/1-1/1-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb", {}, {"ID_DRIVE_FLASH_SD": "1"},
         ("usb", "sd", True)),
        (f"{PCI}/usb1/1-1/1-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb", {}, {"ID_TYPE": "floppy"},
         ("usb", "floppy", True)),
        ("devices/platform/floppy.0/block/fd0", {}, {}, ("floppy", "floppy", False)),
        (f"{PCI}/fw0/fw0.0/host3/target3:0:0/3:0:0:0/block/sdc", {}, {}, ("ieee1394", "disk", True)),
        ("devices/vbd-768/block/xvda", {}, {}, ("xen", "disk", False)),
        (f"{PCI}/virtio1/block/vda", {"queue__rotational": "0"}, {}, ("virtio", "disk", False)),
        (f"{PCI}/virtio1/host2/target2:0:0/2:0:0:0/block/sda", {}, {}, ("scsi", "disk", False)),
    ],
    ids=["SD", "eMMC", "USB", "SD in a USB reader", "USB floppy", "floppy", "FireWire", "Xen", "virtio",
         "SCSI by virtio"],
)  # fmt: skip
def test_bus_and_type_of_a_drive_follow_from_its_path_and_say_whether_it_is_plugged(
    tree: Tree, path: str, attributes: dict[str, str], said: dict[str, str], expected: tuple[str, str, bool]
) -> None:
    disk(tree, path, **attributes)
    tree.udev("b8:0", **said)
    name = f"block_{path.rpartition('/')[2]}"
    found = facts(tree, name)
    plugged = "hotpluggable" in capabilities(tree, name)
    assert (found["storage.bus"], found["storage.drive_type"], plugged) == expected


def test_an_optical_drive_says_which_discs_it_takes_and_what_is_in_it(tree: Tree) -> None:
    disk(tree, removable="1", size="1000", device__type="5", device__vendor="TSSTcorp")
    tree.udev("b8:0", ID_CDROM="1", ID_CDROM_CD="1", ID_CDROM_CD_R="1", ID_CDROM_DVD="1", ID_CDROM_BD_RE="1",
              ID_CDROM_DVD_R="0", ID_CDROM_MEDIA="1", ID_FS_LABEL_ENC=r"Debian\x2012")  # fmt: skip
    assert of(tree, "block_sda", "cdrom.", "removable.", "storage.vendor") == {
        "storage.vendor": "TSSTcorp", "cdrom.discs": "cdr dvd bdre", "removable.media": True,
        "removable.label": "Debian 12", "removable.size": 512_000,
    }  # fmt: skip


def test_a_tape_drive_is_a_drive_and_its_further_nodes_are_none(tree: Tree) -> None:
    unit = f"{PCI}/host2/target2:0:0/2:0:0:0"
    for node in ("st0", "nst0", "st0a"):
        tree.device("class/scsi_tape", f"{unit}/scsi_tape/{node}", uevent=f"DEVNAME={node}\n")
        tree.link(f"{unit}/scsi_tape/{node}/device", unit)
    (tree.sys / unit / "model").write_text("ULT3580-TD5\n")
    (tree.sys / unit / "vpd_pg80").write_bytes(page(0x80, b"9068000123"))
    assert [name for name in look(tree) if name.startswith("scsi_tape")] == ["scsi_tape_st0"]
    assert of(tree, "scsi_tape_st0", "storage.", "devnode") == {
        "devnode": ["/dev/st0"], "storage.bus": "scsi", "storage.drive_type": "tape", "storage.model": "ULT3580-TD5",
        "storage.serial": "9068000123",
    }  # fmt: skip
    assert look(tree)["scsi_tape_st0"].identity == "scsi_tape/serial/9068000123"


def test_a_namespace_has_its_own_names_and_its_controllers_serial(tree: Tree) -> None:
    controller = f"{PCI}/nvme/nvme0"
    tree.device(
        "class/nvme", controller, serial="S680HF8N190894I", model="Samsung SSD 970 PRO", firmware_rev="1B2QEXP7"
    )
    disk(tree, f"{controller}/nvme0n1", wwid="eui.0025385b71b01c2e", eui="00 25 38 5b 71 b0 1c 2e",
         nguid="36343730-5250-1234-0025-385800000001", queue__rotational="0")  # fmt: skip
    assert of(tree, "block_nvme0n1", "parent", "storage.") == {
        "parent": "nvme_nvme0", "storage.bus": "nvme", "storage.drive_type": "ssd",
        "storage.wwid": "eui.0025385b71b01c2e",
        "storage.model": "Samsung SSD 970 PRO", "storage.firmware": "1B2QEXP7", "storage.serial": "S680HF8N190894I",
        "storage.namespace.eui": "0025385b71b01c2e", "storage.namespace.nguid": "36343730525012340025385800000001",
        "storage.size": 512_000, "storage.rotational": False, "storage.controller": ["nvme_nvme0"],
    }  # fmt: skip
    (tree.sys / f"{controller}/nvme0n1/nguid").write_text("00000000-0000-0000-0000-000000000000\n")
    assert "storage.namespace.nguid" not in facts(tree, "block_nvme0n1")


def test_a_namespace_of_several_paths_names_the_controllers_that_have_one(tree: Tree) -> None:
    subsystem = "devices/virtual/nvme-subsystem/nvme-subsys0"
    tree.device("class/nvme-subsystem", subsystem, serial="81F7F3E2", model="Linux")
    for number in "012":
        controller = f"devices/virtual/nvme-fabrics/ctl/nvme{number}"
        tree.device("class/nvme", controller, transport="tcp")
        tree.link(f"{subsystem}/nvme{number}", controller)
    for path in ("nvme0/nvme0c0n1", "nvme1/nvme0c1n1", "nvme2/nvme0c2n2"):
        tree.device(BLOCK, f"devices/virtual/nvme-fabrics/ctl/{path}", uevent="DEVTYPE=disk\n", hidden="1")
    tree.device(BLOCK, f"{subsystem}/nvme0n1", uevent="DEVTYPE=disk\n", dev="259:0", size="8", eui="0025385b71b01c2e")
    tree.link(f"{subsystem}/nvme0n1/device", subsystem)
    found = look(tree)
    assert not [name for name in found if "c0n1" in name]
    assert of(tree, "block_nvme0n1", "storage.controller", "storage.serial", "storage.namespace") == {
        "storage.controller": ["nvme_nvme0", "nvme_nvme1"], "storage.serial": "81F7F3E2", "storage.serial.san": True,
        "storage.namespace.eui": "0025385b71b01c2e", "storage.namespace.san": True,
    }  # fmt: skip
    assert (
        Identifier(kind="eui", value="0025385b71b01c2e", own=False)
        in document.survey(found["block_nvme0n1"].element).identifiers
    )


def made(tree: Tree, name: str, **attributes: str) -> None:
    tree.device(BLOCK, f"devices/virtual/block/{name}", uevent="DEVTYPE=disk\n",
                **{"dev": "253:0", "size": "8", "ro": "0"} | attributes)  # fmt: skip


def test_a_mapped_device_names_what_it_is_made_of(tree: Tree) -> None:
    disk(tree)
    made(tree, "dm-0", dm__name="vg-root", dm__uuid="LVM-s9Xy2b", dm__suspended="0")
    tree.link("devices/virtual/block/dm-0/slaves/sda", DISK)
    assert of(tree, "block_dm_0", "dm.", "block.slave") == {
        "dm.name": "vg-root", "dm.uuid": "LVM-s9Xy2b", "dm.suspended": False, "block.slave": ["block_sda"]
    }  # fmt: skip
    assert look(tree)["block_dm_0"].identity == "block/guid/LVM-s9Xy2b"


def test_what_is_made_of_a_disk_of_a_san_is_seen_as_that_is(tree: Tree) -> None:
    path = f"{PCI}/host6/rport-6:0-1/target6:0:0/6:0:0:0/block/sdb"
    disk(tree)
    disk(tree, path)
    tree.device(BLOCK, f"{path}/sdb1", uevent="DEVTYPE=partition\nPARTUUID=0fc63daf-01\n", partition="1")
    for name, below in (("dm-0", path), ("dm-1", "devices/virtual/block/dm-0"), ("dm-2", DISK)):
        made(tree, name, dm__uuid=f"LVM-{name}")
        tree.link(f"devices/virtual/block/{name}/slaves/{below.rpartition('/')[2]}", below)
    found = {
        (one.value, one.own)
        for device in look(tree).values()
        for one in document.survey(device.element).identifiers
        if device.subsystem == "block"
    }
    assert found == {("0fc63daf-01", False), ("LVM-dm-0", False), ("LVM-dm-1", False), ("LVM-dm-2", True)}
    assert facts(tree, "block_sdb1")["volume.uuid.san"]
    assert facts(tree, "block_dm_1")["dm.uuid.san"]


def test_an_array_that_is_reshaped_has_the_disks_that_it_is_to_have(tree: Tree) -> None:
    made(tree, "md127", md__raid_disks="4 (3)", md__chunk_size="65536 (524288)")
    assert of(tree, "block_md127", "md.") == {"md.disks": 4, "md.chunk": 65536}


@pytest.mark.parametrize("udev", [True, False])
def test_an_array_has_the_uuid_that_mdadm_writes_with_and_without_udev(tree: Tree, udev: bool) -> None:
    uuid = "" if udev else "6ad3a31d-4d06-f1c2-9a0e-3f1c7a3f8c11"
    made(tree, "md127", md__level="raid5", md__raid_disks="3", md__chunk_size="524288", md__metadata_version="1.2",
         md__degraded="1", md__uuid=uuid)  # fmt: skip
    if udev:
        tree.udev("b253:0", MD_UUID="6ad3a31d:4d06f1c2:9a0e3f1c:7a3f8c11")
        (tree.sys / "devices/virtual/block/md127/uevent").write_text("DEVTYPE=disk\nMAJOR=253\nMINOR=0\n")
    assert of(tree, "block_md127", "md.") == {
        "md.level": "raid5", "md.disks": 3, "md.chunk": 524288, "md.metadata": "1.2", "md.degraded": 1,
        "md.uuid": "6ad3a31d:4d06f1c2:9a0e3f1c:7a3f8c11",
    }  # fmt: skip


def test_a_cached_device_is_one_and_what_is_behind_it_is_none(tree: Tree) -> None:
    cache = {"bcache__cache_mode": "writethrough [writeback] writearound none", "bcache__label": "root",
             "bcache__state": "dirty", "bcache__backing_dev_uuid": "0b9ffb21-15c3-4c5b-8b0b-111111111111"}  # fmt: skip
    made(tree, "bcache0", **cache)
    disk(tree, **cache)
    assert of(tree, "block_bcache0", "bcache.") == {
        "bcache.mode": "writeback", "bcache.label": "root", "bcache.cache": "dirty",
        "bcache.uuid": "0b9ffb21-15c3-4c5b-8b0b-111111111111",
    }  # fmt: skip
    assert "bcache" not in capabilities(tree, "block_sda")


@pytest.mark.parametrize("backing, expected", [("none", None), ("/dev/sda3", "/dev/sda3")])
def test_a_zram_device_may_have_one_behind_it(tree: Tree, backing: str, expected: str | None) -> None:
    made(tree, "zram0", comp_algorithm="[lzo]", backing_dev=backing)
    assert facts(tree, "block_zram0").get("zram.backing_device") == expected


def test_a_loop_device_may_end_before_its_file(tree: Tree) -> None:
    made(tree, "loop0", loop__backing_file="/a.img", loop__offset="512", loop__sizelimit="4096")
    assert of(tree, "block_loop0", "loop.") == {
        "loop.backing_file": "/a.img", "loop.offset": 512, "loop.size_limit": 4096
    }  # fmt: skip


def hal_disk(recording: str, name: str, empty: Path) -> dict[str, JsonValue]:
    """What a describer makes of a drive that only HAL tells of, but for what is absent."""
    view = hal_recording.view(hal_recording.load(recording)[name], empty, "block")
    found = block.describe_disk(view, hal_recording.host(empty))
    assert found is not None
    drive = found.capabilities[0]
    assert isinstance(drive, Storage)
    nested = " ".join(one.type_ for one in drive.nested)
    said = {field: value for field, value in vars(drive).items() if value not in (None, ())}
    return {**said, "nested": nested, "state": ""}


@pytest.mark.parametrize(
    "recording, name, expected",
    [
        ("fcserver", "storage_serial_360a98000486e2f34576f2f51715a7a30", {
            "bus": "scsi", "drive_type": "disk", "vendor": "NETAPP", "model": "LUN", "firmware": "7360",
            "wwid": "naa.60a98000486e2f34576f2f51715a7a30", "wwid_san": True, "size": 21474836480, "nested": "",
        }),
        ("desktop", "storage_serial_HTS721010G9SA00_MPDZN7Y0J7WN6L", {
            "bus": "ata", "drive_type": "disk", "model": "HTS721010G9SA00", "firmware": "MCZOC10H",
            "serial": "MPDZN7Y0J7WN6L", "size": 100030242816, "nested": "",
        }),
        ("desktop", "storage_serial_Kingston_DataTraveler_2_0_899000000000000000000049_0_0", {
            "bus": "usb", "drive_type": "disk", "vendor": "Kingston", "model": "DataTraveler 2.0",
            "serial": "899000000000000000000049", "nested": "removable hotpluggable",
        }),
        ("desktop", "storage_serial_0x1a2b3c4d", {
            "bus": "mmc", "drive_type": "sd", "serial": "0x1a2b3c4d", "size": 7948206080, "nested": "hotpluggable",
        }),
        ("desktop", "storage_serial_SAMSUNG_MZVPV256_S1XXNYAH200123", {
            "bus": "nvme", "drive_type": "disk", "model": "SAMSUNG MZVPV256", "serial": "S1XXNYAH200123",
            "size": 256060514304, "nested": "",
        }),
    ],
    ids=["SAN", "ATA", "USB", "SD", "NVMe"],
)  # fmt: skip
def test_of_a_drive_hal_says_the_same_in_its_own_words(
    tmp_path: Path, recording: str, name: str, expected: dict[str, JsonValue]
) -> None:
    assert hal_disk(recording, name, tmp_path) == {**expected, "state": ""}


def test_of_a_drive_with_a_disc_hal_says_what_it_takes(tmp_path: Path) -> None:
    said: hal_recording.Properties = {
        "linux.sysfs_path": "/sys/devices/pci0000:00/0000:00:1f.2/host5/target5:0:0/5:0:0:0/block/sr0",
        "storage.drive_type": "cdrom",
        "storage.size": 0,
        "storage.removable": True,
        "storage.removable.media_available": True,
        "storage.removable.media_size": 734003200,
        "storage.cdrom.cdr": True,
        "storage.cdrom.dvd": True,
        "storage.cdrom.dvdr": False,
    }
    found = storage.describe(hal_recording.view(said, tmp_path, "block"), hal_recording.host(tmp_path))
    assert found is not None
    assert found.nested == (
        Removable(state=RemovableState(media=True, size=734003200)), Cdrom(discs="cdr dvd")
    )  # fmt: skip


def test_of_a_partition_hal_says_where_it_is_and_what_is_on_it(tmp_path: Path) -> None:
    said = hal_recording.load("desktop")["volume_uuid_C025_4348"]
    found = block.describe_partition(hal_recording.view(said, tmp_path, "block"), hal_recording.host(tmp_path))
    assert found.capabilities == (
        Block(
            major=8, minor=17, size=2021622272, nested=(Volume(number=1, start=32256),),
            state=BlockState(filesystem="vfat", label="KINGSTON", uuid="C025-4348"),
        ),
    )  # fmt: skip


def test_a_disk_has_physical_blocks_and_its_partition_a_type(tree: Tree) -> None:
    disk(tree, queue__logical_block_size="512", queue__physical_block_size="4096")
    tree.device(BLOCK, f"{DISK}/sda1", uevent="DEVTYPE=partition\nMAJOR=8\nMINOR=1\n", dev="8:1", size="100")
    tree.udev("b8:1", ID_PART_ENTRY_TYPE="c12a7328-f81f-11d2-ba4b-00a0c93ec93b", ID_PART_ENTRY_UUID="0fc63daf-01",
              ID_FS_UUID="C025-4348")  # fmt: skip
    assert facts(tree, "block_sda")["storage.block_size.physical"] == 4096
    found = facts(tree, "block_sda1")
    assert found["volume.type"] == "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
    assert (found["volume.uuid"], found["block.uuid"]) == ("0fc63daf-01", "C025-4348")


def test_the_block_size_of_an_optical_drive_is_its_mediums_and_state(tree: Tree) -> None:
    disk(tree, size="8192", removable="1", device__type="5", queue__logical_block_size="2048",
         queue__physical_block_size="2048")  # fmt: skip
    found = facts(tree, "block_sda")
    assert found["removable.block_size"] == 2048
    assert not {"storage.block_size.logical", "storage.block_size.physical"} & set(found)


def test_what_discs_a_drive_takes_is_unread_while_its_tray_is_open(tree: Tree) -> None:
    disk(tree, size="8192", removable="1", device__type="5")
    tree.udev("b8:0", ID_CDROM="1", ID_CDROM_CD="1", ID_CDROM_DVD="1")
    assert facts(tree, "block_sda")["cdrom.discs"] == "dvd"
    tree.udev("b8:0", ID_CDROM="1")
    assert facts(tree, "block_sda")["device.unread"] == "cdrom.discs"
