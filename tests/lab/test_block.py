"""Disks of a SCSI controller, disks that grow, and block devices that software makes."""

import os

from tests.lab.lab import Lab

MIB = 1 << 20
UNITS = ("scsi_3_0_0_0", "scsi_3_0_0_1", "scsi_generic_sg0", "scsi_generic_sg1", "block_sda", "block_sdb")


def test_a_disk_behind_a_scsi_controller_is_known_by_its_wwid(lab: Lab) -> None:
    lab.guest.qmp.drive("lun", 16 * MIB)
    lab.guest.qmp.plug("scsi-hd", "lun", bus="scsi.0", drive="lun", lun=1, serial="LABLUN", wwn=0x5000C50000000001)
    target, unit, *_ = lab.hears("add scsi_target0_0_0", "add scsi_0_0_0_1", {"add block_sda", "add scsi_generic_sg0"})
    disk = lab.census["block_sda"]
    assert unit.device.facts.items() >= {"parent": target.device.name, "scsi.vendor": "QEMU", "scsi.lun": 1}.items()
    assert disk.parent == unit.device.name
    assert disk.identity == "block/wwid/naa.5000c50000000001"
    assert disk.facts.items() >= {"storage.serial": "LABLUN", "storage.size": 16 * MIB}.items()
    lab.guest.qmp.unplug("lun", drive="lun")
    lab.hears({"remove scsi_generic_sg0", "remove block_sda"}, "remove scsi_0_0_0_1", "remove scsi_target0_0_0")


def test_a_disc_that_is_put_in_and_taken_out_is_a_state_of_its_drive(lab: Lab) -> None:
    lab.guest.qmp.plug("scsi-cd", "cd", bus="scsi.0", lun=2)
    lab.hears("add scsi_target0_0_0", "add scsi_0_0_0_2", {"add scsi_generic_sg0", "add block_sr0"})
    assert lab.census["block_sr0"].state["removable.media"] is False
    assert "dvd" in str(lab.census["block_sr0"].facts["cdrom.discs"])

    lab.guest.qmp.drive("disc", 16 * MIB)
    lab.guest.qmp("blockdev-open-tray", id="cd", force=True)
    lab.guest.qmp("blockdev-insert-medium", **{"id": "cd", "node-name": "disc"})
    lab.guest.qmp("blockdev-close-tray", id="cd")
    lab.sees("block_sr0", removable__media=True, removable__size=16 * MIB, removable__block_size=2048)

    lab.guest.qmp("blockdev-open-tray", id="cd", force=True)
    lab.guest.qmp("blockdev-remove-medium", id="cd")
    lab.guest.qmp("blockdev-close-tray", id="cd")
    lab.sees("block_sr0", removable__media=False)
    lab.guest.qmp.unplug("cd", drive="disc")
    lab.hears({"remove scsi_generic_sg0", "remove block_sr0"}, "remove scsi_0_0_0_2", "remove scsi_target0_0_0")


def test_hosts_of_software_come_with_all_their_units_and_go_with_them(lab: Lab) -> None:
    lab.guest("modprobe scsi_debug add_host=1 num_tgts=1 max_luns=2 dev_size_mb=8")
    lab.hears("add scsi_host3", "add scsi_target3_0_0", {f"add {name}" for name in UNITS})
    disks = (lab.census[name] for name in ("block_sda", "block_sdb"))  # named as the kernel gets to them
    assert {disk.facts["parent"] for disk in disks} == {"scsi_3_0_0_0", "scsi_3_0_0_1"}
    assert lab.census["scsi_host3"].facts["scsihost.proc_name"] == "scsi_debug"
    lab.guest("rmmod scsi_debug")
    lab.hears({f"remove {name}" for name in UNITS}, "remove scsi_target3_0_0", "remove scsi_host3")


def test_a_disk_that_grows_is_a_change_of_its_size(lab: Lab) -> None:
    disk = lab.guest.folder / "disk"
    disk.touch()
    os.truncate(disk, 16 * MIB)
    lab.guest.qmp("blockdev-add", **{"driver": "file", "filename": str(disk), "node-name": "disk"})
    # The next number: a Python that is not in /usr is one more share of the guest's.
    virtio = f"virtio_virtio{sum(name.startswith('virtio_') for name in lab.census)}"
    lab.guest.qmp.plug("virtio-blk-pci", "disk", bus="rp2", drive="disk", serial="LABDISK")
    *_, block = lab.hears("add pci_0000_03_00_0", f"add {virtio}", "add block_vdb")
    assert block.device.identity == "block/serial/LABDISK"

    lab.guest.qmp("block_resize", **{"node-name": "disk", "size": 32 * MIB})
    (grown,) = lab.hears("facts block_vdb")
    assert grown.changed == ("block.size", "storage.size")
    assert grown.device.facts["storage.size"] == 32 * MIB

    lab.guest.qmp.unplug("disk", drive="disk")
    lab.hears("remove block_vdb", f"remove {virtio}", "remove pci_0000_03_00_0")


def test_a_loop_device_and_its_partitions_are_known_by_their_file(lab: Lab) -> None:
    lab.guest(
        "truncate -s 16M /tmp/disk && printf ',4M\\n,4M\\n' | sfdisk -q /tmp/disk && losetup -P /dev/loop0 /tmp/disk"
    )
    whole, *parts = lab.hears("add block_loop0", {"add block_loop0p1", "add block_loop0p2"})
    first, second = sorted(parts, key=str)
    assert whole.device.identity == "block/guid/%2Ftmp%2Fdisk"
    assert [one.device.facts["volume.start"] for one in (first, second)] == [1 * MIB, 5 * MIB]
    assert [one.device.facts["parent"] for one in (first, second)] == ["block_loop0"] * 2
    lab.guest("losetup -d /dev/loop0")
    lab.hears({"remove block_loop0p2", "remove block_loop0p1"}, "remove block_loop0")


def test_a_zram_device_is_there_while_it_has_a_size(lab: Lab) -> None:
    lab.guest("modprobe zram num_devices=0; cat /sys/class/zram-control/hot_add")
    lab.hears()
    lab.guest("echo 8M >/sys/block/zram0/disksize")  # of which no uevent tells
    lab.hears("add block_zram0")
    assert lab.census["block_zram0"].facts["block.size"] == 8 * MIB
    lab.guest("echo 1 >/sys/block/zram0/reset; echo 0 >/sys/class/zram-control/hot_remove")
    lab.hears("remove block_zram0")
