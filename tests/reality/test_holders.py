"""Who uses a device: what this machine's kernel says of loop devices, and files that say what it cannot be made to."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hwcensus_agent.holders import TOLD, holders
from hwcensus_agent.nodes import nodes_below
from hwcensus_agent.sysfs import Unreadable
from tests.fixtures.require import require
from tests.unit.sysfs_tree import Tree


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Callable[[str | Path], str]]:
    """Makes a loop device of a file; gives its path."""
    require(os.geteuid() == 0 and Path("/dev/loop-control").exists(), "loop devices need root")
    made: list[str] = []

    def make(file: str | Path = "") -> str:
        if not file:
            file = tmp_path / f"disk{len(made)}"
            with Path(file).open("wb") as disk:
                disk.truncate(16 << 20)
        made.append(run("losetup", "--find", "--show", file))
        return made[-1]

    yield make
    for device in reversed(made):
        run("losetup", "--detach", device)


def of(device: str) -> tuple[str, ...]:
    return holders("/sys", f"/sys/devices/virtual/block/{Path(device).name}")


def test_a_disk_that_nobody_uses_has_no_holder(loop: Callable[..., str]) -> None:
    assert of(loop()) == ()


def test_a_mounted_disk_says_where_even_with_blanks(loop: Callable[..., str], tmp_path: Path) -> None:
    device, at = loop(), tmp_path / "a place"
    at.mkdir()
    run("mkfs.ext4", "-q", device)
    run("mount", device, at)
    try:
        assert of(device) == (f"{device} is mounted at {at}",)
    finally:
        run("umount", at)
    assert of(device) == ()


def test_a_disk_that_is_mounted_where_we_do_not_see_it_is_claimed(loop: Callable[..., str], tmp_path: Path) -> None:
    device = loop()
    run("mkfs.ext4", "-q", device)
    script = f"mount {device} {tmp_path} && echo ready && read _"
    elsewhere = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert elsewhere.stdin is not None
    assert elsewhere.stdout is not None
    assert elsewhere.stdout.readline() == "ready\n"
    assert of(device) == (f"{device} is claimed by the kernel",)
    elsewhere.communicate("\n")
    assert of(device) == ()


def test_a_disk_that_is_swapped_to(loop: Callable[..., str]) -> None:
    device = loop()
    run("mkswap", device)
    run("swapon", device)
    try:
        assert of(device) == (f"{device} is used for swap",)
    finally:
        run("swapoff", device)


def test_a_disk_that_another_block_device_is_made_of_and_what_stands_upon_that(
    loop: Callable[..., str], tmp_path: Path
) -> None:
    below = loop()
    above = loop(below)
    run("mkfs.ext4", "-q", above)
    run("mount", above, tmp_path)
    try:
        assert of(below) == (f"{below} is held by {Path(above).name}", f"{above} is mounted at {tmp_path}")
    finally:
        run("umount", tmp_path)


def test_a_process_that_has_it_open_by_whatever_path(loop: Callable[..., str], tmp_path: Path) -> None:
    device = loop()
    node = tmp_path / "dev/another"
    node.parent.mkdir()
    os.mknod(node, 0o600 | stat.S_IFBLK, Path(device).stat().st_rdev)
    script = f"exec 3<{node}; rm {node}; echo ready; read _"
    holder = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    assert of(device) == (f"{device} is open in sh (pid {holder.pid})",)
    holder.communicate("\n")
    assert of(device) == ()


def test_a_guest_that_was_given_it_is_named_with_its_process(loop: Callable[..., str]) -> None:
    require(shutil.which("qemu-system-x86_64") is not None, "QEMU is not installed")
    device = loop()
    guest = subprocess.Popen(
        ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio",
         "-blockdev", f"driver=host_device,node-name=disk,filename={device}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert guest.stdout is not None
    assert "QMP" in guest.stdout.readline()
    assert of(device) == (f"{device} is open in qemu-system-x86 (pid {guest.pid})",)
    guest.communicate('{"execute": "qmp_capabilities"}{"execute": "quit"}')
    assert of(device) == ()


LUN = "devices/pci0000:00/0000:00:03.0/host5/vport-5:0-0/host7/rport-7:0-1/target7:0:0/7:0:0:0"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A LUN behind a virtual port, as the kernel shows it: disk, partition and sg."""
    made = Tree(tmp_path)
    for path, number, kind in (
        ("block/sdb", "8:16", "block"), ("block/sdb/sdb1", "8:17", "block"), ("scsi_generic/sg2", "21:2", "char"),
    ):  # fmt: skip
        made.device(f"class/{path.split('/')[0]}", f"{LUN}/{path}", dev=number, uevent=f"DEVNAME={Path(path).name}\n")
        made.link(f"dev/{kind}/{number}", f"{LUN}/{path}")
    return made


def dm(tree: Tree, name: str, holds: str, **attributes: str) -> None:
    path = f"devices/virtual/block/{name}"
    tree.device("class/block", path, dev=f"254:{name[3:]}", uevent=f"DEVNAME={name}\n", **attributes)
    tree.link(f"block/{name}", path)
    tree.link(f"{holds}/holders/{name}", path)


def proc(tree: Tree, **files: str) -> str:
    folder = tree.sys.parent / "proc"
    for path, text in ({"1/mountinfo": "", "swaps": ""} | {k.replace("__", "/"): v for k, v in files.items()}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return str(folder)


@pytest.mark.parametrize("place", ["/sys/devices/pci0000:00/0000:00:03.0", f"/sys/{LUN}", f"/sys/{LUN}/block/sdb"])
def test_a_holder_is_told_by_name_and_kind_and_so_is_what_stands_upon_it_from_any_place_above(
    tree: Tree, place: str
) -> None:
    dm(tree, "dm-0", f"{LUN}/block/sdb", dm__name="mpatha", dm__uuid="mpath-3600508b400105e21")
    dm(tree, "dm-3", "devices/virtual/block/dm-0", dm__name="vg0-data", dm__uuid="LVM-kB4r")
    mounts = "36 35 254:3 / /data rw,noatime shared:1 - ext4 /dev/mapper/vg0-data rw\n"
    assert holders(str(tree.sys), place, proc=proc(tree, **{"1__mountinfo": mounts})) == (
        "/dev/sdb is held by dm-0 (mpatha, multipath)",
        "/dev/dm-0 is held by dm-3 (vg0-data, LVM)",
        "/dev/dm-3 is mounted at /data",
    )


def test_a_partition_that_is_swapped_to_and_a_btrfs_of_several_disks(tree: Tree) -> None:
    (tree.sys / "fs/btrfs/0b1c/devices/sdb").mkdir(parents=True)
    swaps = "Filename\tType\n/dev/sdb1                               partition\t1048572\t0\t-2\n"
    told = holders(str(tree.sys), f"/sys/{LUN}", proc=proc(tree, swaps=swaps))
    assert told == ("/dev/sdb is part of a mounted btrfs", "/dev/sdb1 is used for swap")


def test_what_hangs_elsewhere_holds_nothing(tree: Tree) -> None:
    dm(tree, "dm-0", f"{LUN}/block/sdb", dm__name="mpatha")
    for place in (
        "/sys/devices/pci0000:00/0000:00:03",
        f"/sys/{LUN}/scsi_generic",
        "/sys/devices/pci0000:00/0000:00:04.0",
    ):
        assert holders(str(tree.sys), place, proc=proc(tree)) == ()


def test_tables_and_trees_that_lie_cost_no_answer_and_no_time(tree: Tree) -> None:
    dm(tree, "dm-0", f"{LUN}/block/sdb", dm__name="a\x01b", dm__uuid="-")
    tree.link("devices/virtual/block/dm-0/holders/dm-0", "devices/virtual/block/dm-0")
    (tree.sys / LUN / "block/sdb/sdb1/dev").write_bytes(b"\xff" * 5000)
    junk = "36 35\n- - -\n" + "1 2 8:16 / \\777 rw - x /dev/sdb rw\n" + "1 2 8:16 / /b\\040c rw a - x /dev/sdb rw\n"
    told = holders(str(tree.sys), f"/sys/{LUN}", proc=proc(tree, **{"1__mountinfo": junk, "77__comm": "x"}))
    assert told[0] == "/dev/sdb is held by dm-0 (a\\x01b)"
    assert any("is mounted at" in one for one in told)


def test_of_very_many_uses_some_are_told_and_the_rest_counted(tree: Tree) -> None:
    for n in range(40):
        dm(tree, f"dm-{n}", f"{LUN}/block/sdb")
    told = holders(str(tree.sys), f"/sys/{LUN}", proc=proc(tree))
    assert (len(told), told[-1]) == (TOLD + 1, "and 24 more uses")


def test_a_lun_of_a_kernel_whose_classes_are_folders(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    (tree.sys / LUN).mkdir(parents=True)
    for folder, number in (("block/sdb", "8:16"), ("block/sdb/sdb1", "8:17"), ("class/scsi_generic/sg2", "21:2")):
        (tree.sys / folder).mkdir(parents=True)
        (tree.sys / folder / "dev").write_text(f"{number}\n")
    for folder in ("block/sdb", "class/scsi_generic/sg2"):
        (tree.sys / folder / "device").symlink_to(os.path.relpath(tree.sys / LUN, tree.sys / folder))
    below = nodes_below(str(tree.sys), "/sys/devices/pci0000:00/0000:00:03.0/host5/vport-5:0-0/host7")
    assert [(node.path, node.number) for node in below] == [
        ("/dev/sdb", "8:16"), ("/dev/sdb1", "8:17"), ("/dev/sg2", "21:2"),
    ]  # fmt: skip
    mounts = "36 35 8:17 / /data rw - ext4 /dev/sdb1 rw\n"
    at = proc(tree, **{"1__mountinfo": mounts})
    assert holders(str(tree.sys), f"/sys/{LUN}", proc=at) == ("/dev/sdb1 is mounted at /data",)


def test_a_namespace_that_may_have_several_paths_is_in_use_by_its_disk_which_hangs_elsewhere(tmp_path: Path) -> None:
    tree, disk = Tree(tmp_path), "devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"
    for path, number in ((disk, "259:0"), (f"{disk}/nvme0n1p2", "259:2")):
        tree.device("class/block", path, dev=number, uevent=f"DEVNAME={Path(path).name}\n")
    hidden = "devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0c0n1"
    tree.device("class/block", hidden)
    for path in (disk, hidden):
        tree.link(f"block/{Path(path).name}", path)
    at = proc(tree, **{"1__mountinfo": "36 35 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n"})
    used = ("/dev/nvme0n1p2 is mounted at /",)
    assert holders(str(tree.sys), "/sys/devices/pci0000:00/0000:01:00.0", proc=at) == used
    assert holders(str(tree.sys), "/sys/devices/pci0000:00/0000:02:00.0", proc=at) == ()


@pytest.mark.parametrize(
    "place",
    ["proc/1/mountinfo", "proc/swaps", "proc/77/fd", "sys/dev/block", "sys/fs/btrfs", f"sys/{LUN}/block/sdb/holders"],
)
def test_where_the_kernel_does_not_tell_a_device_is_not_taken_for_free(tree: Tree, place: str) -> None:
    require(os.geteuid() == 0, "without root not all is told anyway")
    at, path = proc(tree), tree.sys.parent / place
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)  # ELOOP
    with pytest.raises(Unreadable):
        holders(str(tree.sys), f"/sys/{LUN}", proc=at)


def test_a_table_that_is_longer_than_what_is_read_of_it_does_not_say_that_a_device_is_free(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwcensus_agent.holders._TABLE", 80)
    mounts = "1 1 0:1 / /a rw - tmpfs none rw\n" * 3 + "36 35 8:16 / /data rw - ext4 /dev/sdb rw\n"
    with pytest.raises(Unreadable, match="longer than the 80 bytes"):
        holders(str(tree.sys), f"/sys/{LUN}", proc=proc(tree, **{"1__mountinfo": mounts}))


def test_a_disk_whose_path_is_dead_is_not_opened_nor_its_partitions_and_not_taken_for_free(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree.sys / LUN / "state").write_text("blocked\n")
    tree.link(f"{LUN}/block/sdb/device", LUN)
    monkeypatch.setattr("hwcensus_agent.holders._has_file", lambda node: True)
    assert holders(str(tree.sys), f"/sys/{LUN}", proc=proc(tree)) == (
        "/dev/sdb is blocked, so that the kernel cannot be asked whether it is in use",
        "/dev/sdb1 is blocked, so that the kernel cannot be asked whether it is in use",
    )
