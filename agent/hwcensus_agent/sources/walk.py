"""Lists every device that sysfs shows, by its own links below `bus` and `class`.

Ours rather than libudev's enumeration, which knows only /sys: one walk serves the live host and a recorded tree.
It reads no attribute.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from hwcensus.errors import HwcensusError


class NoSysfs(HwcensusError):
    """there is no sysfs here"""

    code = "no-sysfs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One device."""

    syspath: str  # "/sys/…" as the kernel names it, whatever the sysroot
    subsystem: str


def walk(sysroot: str = "/sys") -> Iterator[Found]:
    """All devices, in no particular order. Raises NoSysfs where `sysroot` shows none, OSError where a folder is there
    but cannot be read: a listing that was cut is never taken for a whole one.
    """
    root = os.path.realpath(sysroot)
    buses, classes = _names(f"{root}/bus"), _names(f"{root}/class")
    if not buses and not classes:
        raise NoSysfs(f"{sysroot} shows neither buses nor classes: is sysfs mounted there?")
    for bus in buses:
        yield from _devices(root, f"{root}/bus/{bus}/devices", bus)
    for name in classes:
        yield from _devices(root, f"{root}/class/{name}", name)
    if "block" not in classes:
        yield from _old_block(root)


def resolve(link: str, root: str) -> str | None:
    """The syspath of the device that this link below `root` leads to; None where it is gone or leads elsewhere."""
    try:
        target = os.readlink(link)  # noqa: PTH115 - a Path for each link doubles the time of the walk
    except OSError:
        return None
    folder = link.rpartition("/")[0]
    return _syspath(target if target.startswith("/") else os.path.normpath(f"{folder}/{target}"), root)


def _devices(root: str, folder: str, subsystem: str) -> Iterator[Found]:
    for entry in _entries(folder):
        if entry.is_symlink():
            syspath = resolve(entry.path, root)
        elif entry.is_dir():
            syspath = _syspath(entry.path, root)  # kernels before 2.6.25 keep class devices here
        else:
            continue  # an attribute of the class, such as bonding_masters
        if syspath is not None:
            yield Found(syspath=syspath, subsystem=subsystem)


def _old_block(root: str) -> Iterator[Found]:
    """Block devices where there is no class of them: disks in `block`, their partitions inside them."""
    for disk in _devices(root, f"{root}/block", "block"):
        yield disk
        for entry in _entries(root + disk.syspath.removeprefix("/sys")):
            if entry.is_dir(follow_symlinks=False) and "start" in _names(entry.path):
                yield Found(syspath=f"{disk.syspath}/{entry.name}", subsystem="block")


def _syspath(path: str, root: str) -> str | None:
    return "/sys" + path[len(root) :] if path.startswith(root + "/") else None


def _names(folder: str) -> list[str]:
    return [entry.name for entry in _entries(folder)]


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []  # it went between two looks, or this kernel has none
