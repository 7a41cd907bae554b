"""The walk over sysfs trees made by hand: what old kernels, cut recordings and foreign links look like."""

from pathlib import Path

import pytest

from hwcensus_agent.sources import walk
from hwcensus_agent.sources.walk import NoSysfs


def device(root: Path, place: str, *links: str) -> None:
    folder = root / place
    folder.mkdir(parents=True, exist_ok=True)
    for link in links:
        entry = root / link
        entry.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * len(Path(link).parent.parts)
        entry.symlink_to(up + place)


def found(root: Path) -> set[tuple[str, str]]:
    return {(device.syspath, device.subsystem) for device in walk(str(root))}


def test_a_recorded_tree_gives_the_paths_that_its_kernel_named(tmp_path: Path) -> None:
    device(tmp_path, "devices/pci0000:00/0000:00:1f.3", "bus/pci/devices/0000:00:1f.3")
    device(tmp_path, "devices/virtual/net/lo", "class/net/lo")
    (tmp_path / "class/net/bonding_masters").touch()
    (tmp_path / "bus/mei").mkdir()
    assert found(tmp_path) == {("/sys/devices/pci0000:00/0000:00:1f.3", "pci"), ("/sys/devices/virtual/net/lo", "net")}


def test_a_tree_reached_by_a_link_gives_the_same(tmp_path: Path) -> None:
    device(tmp_path / "real", "devices/virtual/net/lo", "class/net/lo")
    (tmp_path / "link").symlink_to("real")
    assert found(tmp_path / "link") == {("/sys/devices/virtual/net/lo", "net")}


def test_old_kernels_keep_devices_in_the_class_and_partitions_in_the_disk(tmp_path: Path) -> None:
    device(tmp_path, "class/net/eth0")
    device(tmp_path, "devices/virtual/block/loop0", "block/loop0")
    device(tmp_path, "block/sda/sda1")
    (tmp_path / "block/sda/sda1/start").touch()
    device(tmp_path, "block/sda/queue")
    assert found(tmp_path) == {
        ("/sys/class/net/eth0", "net"),
        ("/sys/devices/virtual/block/loop0", "block"),
        ("/sys/block/sda", "block"),
        ("/sys/block/sda/sda1", "block"),
    }


def test_a_link_that_leads_out_of_the_tree_is_no_device(tmp_path: Path) -> None:
    device(tmp_path / "sys", "devices/virtual/net/lo", "class/net/lo")
    (tmp_path / "sys/class/net/evil").symlink_to("/etc")
    (tmp_path / "sys/class/net/sly").symlink_to("../../../../etc")
    assert found(tmp_path / "sys") == {("/sys/devices/virtual/net/lo", "net")}


def test_a_place_without_sysfs_is_an_error_not_an_empty_host(tmp_path: Path) -> None:
    with pytest.raises(NoSysfs, match="is sysfs mounted there"):
        list(walk(str(tmp_path)))
