"""What one device shows of itself: sysfs attributes, links and uevent, and what udev's rules found out about it.

Each attribute is read when it is first asked for, and once. What it means is the describers' business.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TypeVar

from hwcensus.fact import Value, printable
from hwcensus_agent import sysfs
from hwcensus_agent.board import Part
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.udev_database import UdevDatabase

#: What HAL's properties are (HAL specification): string, int32 and uint64, double, bool, strlist.
HalValue = str | int | float | bool | Sequence[str]
T = TypeVar("T")
_Seen = bytes | Unreadable | None
_GOING = frozenset({errno.EINVAL})


class View:
    """One device. Every method that reads may raise Unreadable."""

    def __init__(
        self,
        *,
        root: str,
        syspath: str,
        subsystem: str,
        database: UdevDatabase | None = None,
        hal: Mapping[str, HalValue] | None = None,
        devtype: str | None = None,
        part: Part | None = None,
    ) -> None:
        """`root` is what serves as /sys, without symlinks; `syspath` begins with "/sys" whatever `root` is. `hal` are
        the properties that a hald has of the device; `devtype` is what it is where no uevent says so; `part` what it
        is, if it is no device of the kernel's."""
        self.syspath = syspath
        self.subsystem = subsystem
        #: Paths of the facts that could not be read; describers add to it.
        self.unread: set[str] = set()
        self._root = root
        self._part = part
        self._folder = root + (syspath if part is None else part.folder).removeprefix("/sys")
        self._database = database
        self._hal = hal or {}
        self._devtype = devtype
        self._seen: dict[str, _Seen] = {}
        self._there: dict[str, bool] = {}
        self._uevent: dict[str, bytes] | None = None
        self._found: Mapping[str, bytes] | None = None
        #: The attribute that is being read, and those whose read did not come back.
        self._reading: str | None = None
        self._hanging: frozenset[str] = frozenset()
        #: Whether nothing more is read of it: what was not, is Unreadable.
        self.is_frozen = False

    def frozen(self) -> "View":
        """The device as it was read until now."""
        view = copy(self)
        view._seen, view.unread, view._reading, view.is_frozen = dict(self._seen), set(), None, True
        return view

    def given_up(self) -> "View":
        """The device for another try, while this one hangs: without what it hangs at, the second time as it is."""
        view = self.frozen()
        view.is_frozen = self._reading is None or bool(self._hanging)
        view._hanging = self._hanging if self._reading is None else self._hanging | {self._reading}
        self.is_frozen = True  # its thread, when it is back, has nothing more to do
        return view

    @property
    def kernel_name(self) -> str:
        """The name that the kernel gives it; in its folder's name `!` stands for `/`."""
        if self._part is not None:
            return str(self._part.number)
        return os.path.basename(self.syspath).replace("!", "/")  # noqa: PTH119 - once a device, it adds up

    @property
    def devtype(self) -> str | None:
        return self.uevent("DEVTYPE") or self._devtype

    @property
    def devnode(self) -> str | None:
        """Its node in /dev, as the kernel or udev named it."""
        name = self.uevent("DEVNAME") or self.hal("linux.device_file")
        return None if not isinstance(name, str) else name if name.startswith("/") else f"/dev/{name}"

    @property
    def driver(self) -> str | None:
        found = self.link_name("driver") or self.hal("info.linux.driver")
        return found if isinstance(found, str) else None

    def is_going(self) -> bool:
        """Whether it is an interface that goes: its folder is there for a while, but no attribute has a value (kernel
        net-sysfs.c, dev_isalive), and then there are none."""
        had_one = self.subsystem == "net" and (self._seen.get("ifindex") is not None or self.has("ifindex"))
        try:
            return had_one and self._read("ifindex", absent=_GOING) is None
        except Unreadable:
            return False

    def inode(self) -> int | None:
        """Of its folder: another one when another device has come to its place (kernfs counts them up)."""
        try:
            return os.stat(self._folder).st_ino  # noqa: PTH116
        except OSError:
            return None

    def has(self, name: str) -> bool:
        """Whether there is such an attribute, folder or link. It is not read."""
        there = self._there.get(name)
        if there is None:
            there = self._there[name] = os.path.lexists(f"{self._folder}/{name}")
        return there

    def path(self, name: str) -> str:
        """Where an attribute is in this file system."""
        return f"{self._folder}/{name}"

    def raw(self, name: str, *, absent: frozenset[int] = frozenset()) -> bytes | None:
        """An attribute's bytes. `absent`: further errnos by which this one says that it has no value."""
        if name not in self._seen:
            try:
                self._seen[name] = self._read(name, absent=absent)
            except Unreadable as error:
                self._seen[name] = error
        seen = self._seen[name]
        if isinstance(seen, Unreadable):
            raise seen
        return seen

    def _read(self, name: str, *, absent: frozenset[int] = frozenset(), limit: int = sysfs.PAGE) -> bytes | None:
        self._begin(name)
        try:
            return sysfs.read(f"{self._folder}/{name}", absent=absent, limit=limit)
        finally:
            self._reading = None

    def opened(self, name: str, take: Callable[[int], T]) -> T | None:
        """What `take` makes of an attribute's descriptor; None where there is no such attribute. It is not kept."""
        self._begin(name)
        try:
            return sysfs.opened(f"{self._folder}/{name}", take)
        finally:
            self._reading = None

    def ask(self, whom: str, question: Callable[[], T]) -> T:
        """The answer of one who is asked about the device and may hang like a read: its driver."""
        self._begin(whom)
        try:
            return question()
        finally:
            self._reading = None

    def _begin(self, name: str) -> None:
        """To be called before a read, which may hang."""
        if self.is_frozen or name in self._hanging:
            raise Unreadable(f"{self._folder}/{name}: the device does not answer")
        self._reading = name

    def text(self, name: str, *, absent: frozenset[int] = frozenset()) -> str | None:
        """An attribute as text that XML can carry, without blanks around it; None where it is absent or empty."""
        raw = self.raw(name, absent=absent)
        return None if raw is None else printable(raw.strip(b" \t\n\r\0")) or None

    def link(self, name: str) -> str | None:
        """The syspath of the device that a link leads to."""
        return sysfs.target(f"{self._folder}/{name}", self._root)

    def link_name(self, name: str) -> str | None:
        """The kernel's name of what a link leads to: of a driver, of a group."""
        found = self.link(name)
        return None if found is None else printable(os.fsencode(os.path.basename(found)))  # noqa: PTH119

    def children(self, prefix: str, folder: str = ".") -> list[str]:
        """The names in its folder, or in one below, that begin with `prefix`, sorted."""
        return sysfs.children(f"{self._folder}/{folder}", prefix)

    def uevent(self, key: str) -> str | None:
        """A variable of the device's uevent, as the kernel would send it now."""
        if self._uevent is None:
            raw = self._read("uevent", limit=sysfs.UEVENT)
            self._uevent = sysfs.variables(raw or b"")
        return _text(self._uevent.get(key))

    def udev(self, key: str) -> str | None:
        """A property that udev's rules gave the device; None too where no udevd runs."""
        if self._found is None:
            self._found = {} if self._database is None else self._database.properties(self._database_key()) or {}
        return _text(self._found.get(key))

    def hal(self, key: str) -> Value | tuple[str, ...] | None:
        """A property that HAL has of the device, with its type but for doubles, which become decimal fractions.

        An empty string is how HAL says that there is none (HAL specification, "Conventions").
        """
        found = self._hal.get(key)
        if isinstance(found, str):
            return _text(found.encode("utf-8", "surrogatepass"))
        if isinstance(found, float):
            return f"{found:.6f}".rstrip("0").rstrip(".")
        if isinstance(found, Sequence):
            return tuple(text for one in found if (text := _text(one.encode("utf-8", "surrogatepass"))) is not None)
        return found

    @property
    def udev_is_done(self) -> bool:
        """Whether udev's database has it. A device without node and interface may never get there."""
        return self._database is None or self._database.properties(self._database_key()) is not None

    @property
    def udev_will_tell(self) -> bool:
        """Whether it is of the sort that udev always writes down, and tells of when it has."""
        return self.uevent("IFINDEX") is not None or self.uevent("MAJOR") is not None

    def _database_key(self) -> str:
        """As sd_device_get_device_id(3) has it."""
        index, major, minor = self.uevent("IFINDEX"), self.uevent("MAJOR"), self.uevent("MINOR")
        if index is not None:
            return f"n{index}"
        if major is not None and minor is not None:
            return f"{'b' if self.subsystem == 'block' else 'c'}{major}:{minor}"
        return f"+{self.subsystem}:{os.path.basename(self.syspath)}"  # noqa: PTH119


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else printable(raw.strip()) or None
