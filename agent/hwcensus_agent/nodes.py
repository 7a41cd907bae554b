"""Block and character devices by where they are in sysfs: all below one device, and those that stand upon them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from hwcensus.fact import printable
from hwcensus_agent import sysfs
from hwcensus_agent.sysfs import Unreadable

BLOCK, CHARACTER = "block", "char"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One of them, with or without a file in /dev."""

    kind: str
    number: str  # "8:16"
    folder: str  # in this file system
    name: str  # below /dev: "sdb", "bsg/7:0:0:0"

    @property
    def path(self) -> str:
        return f"/dev/{self.name}"


#: One path to a namespace that may have several: without a number, its namespace's disk hangs below no controller
#: (nvme_alloc_ns() and nvme_mpath_alloc_disk() in drivers/nvme/host).
_NVME_PATH = re.compile(r"(nvme[0-9]+)c[0-9]+(n[0-9]+)")


def nodes_below(sysroot: str, syspath: str) -> list[Node]:
    """Those of a device and of all that hangs below it, sorted by name; and those to which a path leads over it.

    Raises Unreadable.
    """
    found = {node.folder: node for node in (*_all(sysroot, syspath), *_by_nvme_paths(sysroot, syspath))}
    return sorted(found.values(), key=lambda node: (node.kind, len(node.name), node.name))


def holders_of(sysroot: str, node: Node) -> list[Node]:
    """The block devices that the kernel has made out of this one: device-mapper, md, bcache, and loop devices."""
    names = listed(f"{node.folder}/holders")
    for loop in sysfs.children(f"{sysroot}/block", "loop") if node.kind == BLOCK else []:
        if _text(f"{sysroot}/block/{loop}/loop/backing_file") == node.path:
            names.append(loop)
    held = (_node(os.path.realpath(f"{sysroot}/block/{name}"), BLOCK) for name in names)
    return [holder for holder in held if holder is not None]


def described(node: Node) -> str:
    """What sort of block device it is, for people: `dm-3 (vg0-data, LVM)`."""
    name, uuid, level = (_text(f"{node.folder}/{attribute}") for attribute in ("dm/name", "dm/uuid", "md/level"))
    words = [name, _MAPPERS.get((uuid or "").partition("-")[0]), level]
    told = ", ".join(word for word in words if word)
    return f"{node.name} ({told})" if told else node.name


#: How a device-mapper's uuid begins, by who made it (each tool's own custom; LVM's and cryptsetup's are documented).
_MAPPERS = {"LVM": "LVM", "CRYPT": "dm-crypt", "mpath": "multipath", "DMRAID": "dmraid"}


def _all(sysroot: str, syspath: str) -> Iterator[Node]:
    for kind in (BLOCK, CHARACTER):
        for number in listed(f"{sysroot}/dev/{kind}"):
            there = sysfs.target(f"{sysroot}/dev/{kind}/{number}", sysroot)
            if there is not None and _is_below(there, syspath):
                node = _node(sysroot + there.removeprefix("/sys"), kind)
                if node is not None:
                    yield node
    if not os.path.isdir(f"{sysroot}/dev"):  # noqa: PTH112 - before Linux 2.6.27
        yield from _all_of_classes(sysroot, syspath)


def _all_of_classes(sysroot: str, syspath: str) -> Iterator[Node]:
    """The same where classes are folders, not links to devices."""
    for home, kind in (("block", BLOCK), ("class/scsi_generic", CHARACTER), ("class/scsi_tape", CHARACTER)):
        for name in listed(f"{sysroot}/{home}"):
            folder = f"{sysroot}/{home}/{name}"
            device = sysfs.target(f"{folder}/device", sysroot)
            if device is None or not _is_below(device, syspath):
                continue
            for part in (folder, *(f"{folder}/{inner}" for inner in listed(folder) if inner.startswith(name))):
                node = _node(part, kind)
                if node is not None:
                    yield node


def _by_nvme_paths(sysroot: str, syspath: str) -> Iterator[Node]:
    for name in listed(f"{sysroot}/block"):
        path = _NVME_PATH.fullmatch(name)
        there = None if path is None else sysfs.target(f"{sysroot}/block/{name}", sysroot)
        if path is None or there is None or not _is_below(there, syspath):
            continue
        folder = os.path.realpath(f"{sysroot}/block/{path[1]}{path[2]}")
        for part in (folder, *(f"{folder}/{inner}" for inner in listed(folder) if inner.startswith(path[1]))):
            node = _node(part, BLOCK)
            if node is not None:
                yield node


def _is_below(there: str, syspath: str) -> bool:
    return there == syspath or there.startswith(f"{syspath}/")


def _node(folder: str, kind: str) -> Node | None:
    number = _text(f"{folder}/dev")
    if number is None:
        return None
    try:
        named = sysfs.variables(sysfs.read(f"{folder}/uevent", limit=sysfs.UEVENT) or b"").get("DEVNAME")
    except Unreadable:
        named = None
    name = os.path.basename(folder).replace("!", "/") if named is None else printable(named).removeprefix("/dev/")  # noqa: PTH119
    return Node(kind=kind, number=number, folder=folder, name=name)


def listed(folder: str) -> list[str]:
    """The names in a folder. Raises Unreadable, for what cannot be seen is not unused; but without root, which has not
    the right to see all and does nothing."""
    try:
        return sysfs.children(folder, "")
    except Unreadable:
        if os.geteuid() == 0:
            raise
        return []


def _text(path: str) -> str | None:
    try:
        raw = sysfs.read(path)
    except Unreadable:
        return None
    return None if raw is None else printable(raw.strip(b" \t\n\r\0")) or None
