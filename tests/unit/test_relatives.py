"""Which devices are looked at with those that were hinted at, because these came or went."""

from pathlib import Path

import pytest

from hwcensus_agent.enumerate import Enumerator

from .sysfs_tree import Tree

PCI = "devices/pci0000:00"


def also_looked_at(tree: Tree, known: dict[str, str], *came: str) -> set[str]:
    """Of the known devices (path below /sys → name), those that a look at others takes in."""
    names = {f"/sys/{path}": name for path, name in known.items()}
    looked = Enumerator(str(tree.sys)).some([f"/sys/{path}" for path in came], {}, names)
    assert looked.paths is not None
    return {path.removeprefix("/sys/") for path in looked.paths & names.keys()}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_number_that_the_kernel_deals_again_is_looked_at_where_it_was(tree: Tree) -> None:
    new = f"{PCI}/0000:00:04.0/host0"
    tree.device("bus/scsi/devices", new, uevent="DEVTYPE=scsi_host\n")
    there = f"{PCI}/0000:00:05.0/host1"
    tree.device("bus/scsi/devices", there, uevent="DEVTYPE=scsi_host\n")
    old = f"{PCI}/0000:00:03.0/host0"
    known = {old: "scsi_host0", f"{old}/target0:0:0": "scsi_target0_0_0", there: "scsi_host1"}
    assert also_looked_at(tree, known, new) == {old, f"{old}/target0:0:0"}


def test_an_interface_whose_name_another_one_takes_may_have_been_renamed_and_is_not(tree: Tree) -> None:
    new = f"{PCI}/0000:00:04.0/net/eth0"
    tree.device("class/net", new, uevent="INTERFACE=eth0\nIFINDEX=3\n")
    assert also_looked_at(tree, {f"{PCI}/0000:00:03.0/net/eth0": "net_eth0"}, new) == set()


def test_what_is_below_a_device_that_came_is_looked_at_and_what_only_begins_like_it_is_not(tree: Tree) -> None:
    new = f"{PCI}/0000:00:04.0"
    tree.device("bus/pci/devices", new)
    below = {f"{new}/usb1": "usb_usb1", f"{new}/usb1/1-1": "usb_1-1"}
    for path in below:
        tree.device("bus/usb/devices", path, uevent="DEVTYPE=usb_device\n")
    beside = {f"{new}-x/a": "a", f"{new}0/a": "b", f"{PCI}/0000:00:03.0/a": "c"}
    for path in beside:
        tree.device("bus/pci/devices", path)
    assert also_looked_at(tree, below | beside, new) == set(below)
