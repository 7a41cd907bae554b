"""Disks behind virtual Fibre Channel ports keep these while they are in use: real ones, by what really uses them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.lab.console import Console
from tests.lab.hardware import INITIATOR
from tests.lab.lab import Lab
from tests.lab.vports import identity, vport

pytestmark = pytest.mark.usefixtures("ports_of_a_test_that_failed")

#: The port with its disk, as they come and as they go.
CAME = (
    "add scsi_host3", "add scsi_target3_0_0", "add scsi_3_0_0_0", {"add scsi_generic_sg0", "add block_sda"},
)  # fmt: skip
WENT = (
    {"remove scsi_generic_sg0", "remove block_sda"}, "remove scsi_3_0_0_0", "remove scsi_target3_0_0",
    "remove scsi_host3",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Use:
    """How the kernel is made to hold the disk and to let go of it, and what it holds it as."""

    begin: str
    end: str
    holder: str
    facts: Mapping[str, str]
    told: str


USES = {
    "device-mapper": Use(
        begin="dmsetup create lun --table '0 2048 linear /dev/sda 0'",
        end="dmsetup remove lun",
        holder="block_dm_0",
        facts={"dm__name": "lun"},
        told="dm-0 (lun)",
    ),
    "LVM": Use(
        begin="vgcreate -qy lab /dev/sda; lvcreate -qy --name data --extents 1 lab",  # whatever was on it before
        end="vgremove -q --force lab",
        holder="block_dm_0",
        facts={"dm__name": "lab-data"},
        told="dm-0 (lab-data, LVM)",
    ),
    "md": Use(
        begin="mdadm --create /dev/md127 --run --level=1 --raid-devices=2 /dev/sda missing",
        end="mdadm --stop /dev/md127",
        holder="block_md127",
        facts={"md__level": "raid1"},
        told="md127 (raid1)",
    ),
}


@pytest.fixture
def port(lab: Lab, console: Console) -> Iterator[str]:
    """A virtual port with a disk behind it. Both go by an order that succeeds: by then nobody uses them."""
    console.orders("create", "lab", "-", "--require", "online", given=vport(INITIATOR))
    lab.hears(*CAME)
    yield "scsi_host3"
    console.orders("destroy", "lab", identity(INITIATOR), "--yes")
    lab.hears(*WENT)


def test_a_disk_behind_a_port_that_is_mounted_or_open_keeps_it_unless_forced(lab: Lab, console: Console) -> None:
    console.orders("create", "lab", "-", "--require", "online", given=vport(INITIATOR))
    lab.hears(*CAME)
    assert console.tells("show", "lab", "block_sda")["facts"]["storage.serial"] == f"LAB{INITIATOR}"

    lab.guest("mke2fs -q -F /dev/sda; mkdir -p /run/lun; mount /dev/sda /run/lun; udevadm settle")
    mounted = console.orders("destroy", "lab", "scsi_host3", "--yes", to="failed", code="in-use")
    assert "/run/lun" in mounted["text"]
    asked = console("vhba", "destroy", "lab", INITIATOR, "--check", "--force")
    assert (asked.status, "nothing on this host is against it" in asked.err) == (0, True), asked
    asked = console("vhba", "destroy", "lab", INITIATOR, "--check")
    assert (asked.status, "in-use: " in asked.err, "/run/lun" in asked.err) == (4, True, True), asked
    lab.guest("umount /run/lun")
    with lab.guest.holding("/dev/sda") as pid:
        opened = console.orders("destroy", "lab", "scsi_host3", "--yes", to="failed", code="in-use")
        assert f"/dev/sda is open in sleep (pid {pid})" in opened["text"]

        console.orders("destroy", "lab", "scsi_host3", "--yes", "--force")
    lab.hears(*WENT)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_disk_that_another_one_is_made_of_keeps_its_port_and_the_holder_is_named(
    lab: Lab, console: Console, port: str, use: Use
) -> None:
    lab.guest(f"{use.begin}; udevadm settle")
    try:
        lab.hears_steps(use.holder, **use.facts)
        refused = console.orders("destroy", "lab", port, "--yes", to="failed", code="in-use")
    finally:
        lab.guest(f"{use.end}; wipefs --all --quiet /dev/sda; udevadm settle")
    assert f"/dev/sda is held by {use.told}" in refused["text"]
    lab.hears(f"remove {use.holder}")
