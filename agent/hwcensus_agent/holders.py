"""Who uses the devices below a place in sysfs: in words, each naming the device and who holds it.

Mounted file systems, swap, what the kernel made out of a block device, and processes that have one open, such as a
guest's QEMU. It looks, and stops nobody; what it may not see without root it does not tell. Nothing is opened but, to
ask the kernel whether it has claimed it, a disk of which nothing else is known.
"""

import errno
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping

from hwcensus.fact import printable
from hwcensus_agent import sysfs
from hwcensus_agent.nodes import BLOCK, CHARACTER, Node, described, holders_of, listed, nodes_below
from hwcensus_agent.sysfs import Unreadable

#: Uses that are told one by one.
TOLD = 16
#: Block devices that are made out of each other: further ones are not looked for.
_HELD = 256
#: Bytes of one of proc's tables.
_TABLE = 8 * 1024 * 1024
#: Processes that open every disk there is, to look at it or to watch it.
_WATCHERS = frozenset({"systemd-udevd", "(udev-worker)", "udevd", "multipathd"})


def holders(sysroot: str, syspath: str, *, proc: str = "/proc") -> tuple[str, ...]:
    """Every use of a device and of all that hangs below it. Raises Unreadable where that cannot be seen."""
    below = nodes_below(sysroot, syspath)
    held = {node.folder: holders_of(sysroot, node) for node in below}
    upon = list(_upon(sysroot, held))
    nodes = [*below, *upon]
    told = [f"{node.path} is held by {described(holder)}" for node in nodes for holder in held.get(node.folder, [])]
    told += _mounted(sysroot, nodes, proc)
    told += _swapped_to(nodes, proc)
    told += open_in_processes(nodes, proc=proc)
    used = [node.folder for node in nodes if any(one.startswith(f"{node.path} is ") for one in told)]
    told += [f"{node.path} is {how}" for node in below if (how := _claimed(node, used)) is not None]
    if len(told) > TOLD:
        told[TOLD:] = [f"and {len(told) - TOLD} more uses"]
    return tuple(told)


def open_in_processes(nodes: Iterable[Node], *, proc: str = "/proc") -> list[str]:
    """Which processes have one of these open."""
    known = {(node.kind, node.number): node for node in nodes}
    found: list[str] = []
    for pid in sorted(int(name) for name in listed(proc) if name.isascii() and name.isdigit()):
        if pid == os.getpid():
            continue
        opened = dict.fromkeys(known[key].path for key in _devices_open(f"{proc}/{pid}/fd") if key in known)
        command = _command(f"{proc}/{pid}") if opened else ""
        found += [f"{path} is open in {command} (pid {pid})" for path in opened if command not in _WATCHERS]
    return found


def _upon(sysroot: str, held: dict[str, list[Node]]) -> Iterator[Node]:
    """What stands upon held devices, and upon that in turn; `held` is completed by theirs."""
    waiting = [holder for several in held.values() for holder in several]
    while waiting and len(held) < _HELD:
        node = waiting.pop()
        if node.folder not in held:
            held[node.folder] = holders_of(sysroot, node)
            waiting += held[node.folder]
            yield node


def _mounted(sysroot: str, nodes: Collection[Node], proc: str) -> list[str]:
    blocks = [node for node in nodes if node.kind == BLOCK]
    at = _mounts(proc) if blocks else {}
    found = []
    for node in blocks:
        places = [*dict.fromkeys([*at.get(node.number, ()), *at.get(node.path, ())])]
        more = f" and {len(places) - 1} more places" if len(places) > 1 else ""
        if places:
            found.append(f"{node.path} is mounted at {places[0]}{more}")
        elif node.name in _btrfs(sysroot):
            found.append(f"{node.path} is part of a mounted btrfs")
    return found


def _mounts(proc: str) -> Mapping[str, list[str]]:
    """Device number, and source as far as it is a path → mount points (proc_pid_mountinfo(5)): of the first process,
    whatever namespace we are in, and ours. Some file systems have numbers of their own, and only their source tells."""
    found: dict[str, list[str]] = {}
    for process in ("1", "self"):
        for line in _table(f"{proc}/{process}/mountinfo"):
            fields = line.split(b" ")
            if len(fields) < 10 or b"-" not in fields[6:-2]:
                continue
            number, place = printable(fields[2]), printable(_unescaped(fields[4]))
            source = printable(_unescaped(fields[fields.index(b"-", 6) + 2]))
            for key in (number, source):
                found.setdefault(key, []).append(place)
    return found


def _btrfs(sysroot: str) -> set[str]:
    """Names of the disks of file systems that are mounted: more of them than the one that is the source."""
    return {
        name.replace("!", "/")
        for file_system in listed(f"{sysroot}/fs/btrfs")
        for name in listed(f"{sysroot}/fs/btrfs/{file_system}/devices")
    }


def _swapped_to(nodes: Iterable[Node], proc: str) -> list[str]:
    files = {printable(_unescaped(line.split(b" ")[0].split(b"\t")[0])) for line in _table(f"{proc}/swaps")}
    return [f"{node.path} is used for swap" for node in nodes if node.path in files]


def _devices_open(folder: str) -> Iterator[tuple[str, str]]:
    """Kind and number of the devices that a process has open; of one that is gone, or not ours to see, none."""
    for name in listed(folder):
        try:
            # Only these are asked what they are: a file may be on a file system that does not answer.
            if "/dev/" not in os.readlink(f"{folder}/{name}"):  # noqa: PTH115
                continue
            found = os.stat(f"{folder}/{name}")  # noqa: PTH116
        except OSError:
            continue
        number = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
        if stat.S_ISBLK(found.st_mode):
            yield BLOCK, number
        elif stat.S_ISCHR(found.st_mode):
            yield CHARACTER, number


def _command(folder: str) -> str:
    try:
        raw = sysfs.read(f"{folder}/comm") or b"?"
    except Unreadable:
        return "?"
    return printable(raw.strip())


def _claimed(node: Node, used: Collection[str]) -> str | None:
    """That the kernel has it for itself, as file systems in other namespaces, ZFS, or a target that exports it: then it
    lets nobody else have it exclusively (blkdev_get_by_dev() in block/bdev.c). Or that this cannot be asked."""
    is_told = any(f"{one}/".startswith(f"{node.folder}/") or node.folder.startswith(f"{one}/") for one in used)
    if node.kind != BLOCK or is_told:
        return None
    state = _state(node)
    if state not in (None, "running", "live"):  # opening it could take as long as its path is dead
        return f"{state}, so that the kernel cannot be asked whether it is in use"
    if not _has_file(node):
        return None
    try:
        os.close(os.open(node.path, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return "claimed by the kernel" if error.errno == errno.EBUSY else None
    return None


def _state(node: Node) -> str | None:
    """Of the disk, also for a partition of it."""
    folders = (node.folder, os.path.dirname(node.folder))  # noqa: PTH120
    raw = next((raw for folder in folders if (raw := sysfs.read(f"{folder}/device/state")) is not None), None)
    return None if raw is None else printable(raw.strip())


def _has_file(node: Node) -> bool:
    """Whether the file of its name is this device's."""
    try:
        found = os.stat(node.path)  # noqa: PTH116
    except OSError:
        return False
    return stat.S_ISBLK(found.st_mode) and f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}" == node.number


def _table(path: str) -> list[bytes]:
    try:
        raw = sysfs.read_whole(path, limit=_TABLE + 1) or b""
    except Unreadable:
        if os.geteuid() == 0:
            raise
        return []
    if len(raw) > _TABLE:
        raise Unreadable(f"{path} is longer than the {_TABLE} bytes of it that are read")
    return raw.splitlines()


def _unescaped(field: bytes) -> bytes:
    """As the kernel mangles blanks in paths: in three octal digits."""
    return re.sub(rb"\\([0-3][0-7]{2})", lambda octal: bytes([int(octal[1], 8)]), field)
