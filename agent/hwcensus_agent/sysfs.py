"""Reads sysfs by name: an attribute is a value, absent, or unreadable.

It lists no attributes, so that none with a side effect is read by accident.
"""

import errno
import os
from collections.abc import Callable
from typing import TypeVar

from hwcensus.errors import HwcensusError

#: Errors that say, as surely as a missing file does, that the device has no such fact.
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP})

T = TypeVar("T")

PAGE = 4096  # bytes: an attribute is never longer
UEVENT = 16384  # bytes, of what recordings keep in one file


class Unreadable(HwcensusError):
    """a fact is there but cannot be read"""

    code = "unreadable"


def read(path: str, *, absent: frozenset[int] = frozenset(), limit: int = PAGE) -> bytes | None:
    """The attribute's bytes as the kernel gives them; None where there is none, or where errno is one of `absent`.

    Raises Unreadable for every other error: no right, an I/O error, what the driver makes up.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, limit)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in ABSENT or error.errno in absent:
            return None
        raise Unreadable(f"{path}: {error.strerror}") from error


def opened(path: str, take: Callable[[int], T]) -> T | None:
    """The same of an attribute of which only some places may be read: what `take` makes of its descriptor."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return take(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise Unreadable(f"{path}: {error.strerror}") from error


def read_whole(path: str, *, limit: int) -> bytes | None:
    """The same of an attribute that is longer than a page: the kernel gives a page at a time. No more than `limit`."""
    try:
        with open(path, "rb") as attribute:  # noqa: PTH123 - as `read` does
            return attribute.read(limit)
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise Unreadable(f"{path}: {error.strerror}") from error


def variables(raw: bytes) -> dict[str, bytes]:
    """The `KEY=value` lines of a uevent file."""
    pairs = (line.partition(b"=") for line in raw.splitlines())
    return {key.decode("ascii", "replace"): value for key, equals, value in pairs if equals}


def target(link: str, root: str) -> str | None:
    """The syspath ("/sys/…", as the kernel names it) that a link below `root` leads to; None where there is none."""
    try:
        found = os.readlink(link)  # noqa: PTH115 - a Path for each link doubles the time of a look
    except OSError:
        return None
    resolved = found if found.startswith("/") else os.path.normpath(f"{os.path.dirname(link)}/{found}")  # noqa: PTH120
    return "/sys" + resolved[len(root) :] if resolved.startswith(root + "/") else None


def children(folder: str, prefix: str) -> list[str]:
    """The names in a folder that begin with `prefix`, sorted; none where there is no such folder."""
    try:
        return sorted(name for name in os.listdir(folder) if name.startswith(prefix))  # noqa: PTH208
    except OSError as error:
        if error.errno in ABSENT:
            return []
        raise Unreadable(f"{folder}: {error.strerror}") from error
