"""Hints from udev's own events or, where no udevd runs, from the kernel's uevents.

Which of the two is said. It reads no udev database, and of an event only which device it is about.
"""

import logging
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hwcensus_agent.netlink.frame import Malformed
from hwcensus_agent.netlink.uevent import KERNEL, UDEV, Uevent, UeventMonitor
from hwcensus_agent.sources.drain import Drain
from hwcensus_agent.sources.hint import Action, Hint
from hwcensus_agent.sources.source import RECEIVE_BUFFER, OnGap, OnHint
from hwcensus_agent.sources.walk import Found, walk

logger = logging.getLogger(__name__)

CONTROL = Path("/run/udev/control")  # without it, libudev's group `udev` stays silent
SOCKETS = Path("/proc/self/net/unix")  # the local sockets of this network namespace
LOOK_EVERY = 12  # calls of `recheck`: reading the sockets takes a host that has 8,000 of them 6 ms

Group = Literal["udev", "kernel"]


class UdevSource:
    """Watches all devices."""

    name = "udev"

    def __init__(self, *, receive_buffer: int = RECEIVE_BUFFER) -> None:
        self.works = False
        self.why_not: str | None = "not started"
        self.group: Group = "udev"
        self.why_kernel: str | None = None  # why group is `kernel`, for people
        self.malformed = 0
        self._receive_buffer = receive_buffer
        self._control: tuple[int, int] | None = None
        self._rechecks = 0
        self._monitor: UeventMonitor | None = None
        self._loop: AbstractEventLoop | None = None
        self._drain = Drain(self._read, self._lost)

    @property
    def overflows(self) -> int:
        """How often the kernel's signals were lost."""
        return self._drain.overflows

    def start(self) -> None:
        before = self.why_not
        self._control = _control()
        self.group = wanted_group()
        self.why_kernel = None if self.group == "udev" else f"no udevd runs here (nobody listens at {CONTROL})"
        try:
            self._monitor = UeventMonitor(UDEV if self.group == "udev" else KERNEL, receive_buffer=self._receive_buffer)
        except OSError as error:
            self.close()
            self.why_not = str(error)
            if self.why_not != before:
                logger.warning("no news of devices: %s", error)
            return
        self.works, self.why_not = True, None
        if self.why_kernel is not None:
            logger.warning("%s: the kernel's uevents lead, devices are taken as the kernel shows them", self.why_kernel)

    def attach(self, loop: AbstractEventLoop, on_hint: OnHint, on_gap: OnGap) -> None:
        self._loop, self._on_hint, self._on_gap = loop, on_hint, on_gap
        if self._monitor is not None:
            loop.add_reader(self._monitor, self._drain)

    def close(self) -> None:
        if self._monitor is not None:
            if self._loop is not None:
                self._loop.remove_reader(self._monitor)
            self._monitor.close()
        self._monitor = self._loop = None
        self.works, self.why_not = False, "closed"

    def enumerate(self, sysroot: str = "/sys") -> Iterator[Found]:
        """All devices there are. Raises NoSysfs, OSError."""
        return walk(sysroot)

    def recheck(self) -> bool:
        """Whether udevd came, went or was started anew since `start`. To be called every few seconds.

        One that went and left its file behind is noticed after LOOK_EVERY calls, all else at once.
        """
        if self._monitor is None:
            return False
        self._rechecks += 1
        control = _control()
        same = control == self._control
        if same and self._rechecks % LOOK_EVERY:
            return False
        due = wanted_group() != self.group or (self.group == "udev" and not same)
        if not due:
            self._control = control
        return due

    def check(self) -> None:
        """Listen anew where that is due, or did not work: a gap, for what happened meanwhile must be looked for."""
        loop, listens = self._loop, self._monitor is not None
        if loop is None or (listens and not self.recheck()):
            return
        on_hint, on_gap = self._on_hint, self._on_gap
        if listens:
            self.close()
        self.start()
        self.attach(loop, on_hint, on_gap)
        if not self.works:
            return
        logger.info("udevd came, went or was started anew: events come from the group `%s` now", self.group)
        on_gap("udevd-started" if self.group == "udev" else "udevd-stopped")

    def _read(self) -> bool:
        if self._monitor is None:
            return False
        try:
            event = self._monitor.receive()
        except Malformed as error:
            self._unreadable(error)
            return True
        if event is not None:
            self._on_hint(_hint(event))
        return event is not None

    def _unreadable(self, error: Malformed) -> None:
        """Which device it was can only be found by looking."""
        self.malformed += 1
        if self.malformed == 1:
            logger.warning("an event cannot be read, said once: %s", error)
        self._on_gap("netlink-malformed")

    def _lost(self) -> None:
        logger.warning("events came faster than we read: looking at everything", extra={"n": self.overflows})
        self._on_gap("netlink-overflow")


def wanted_group() -> Group:
    """Whose events to hear: udev's, which come when the device is ready for use, where udevd runs.

    libudev is content with the file; but the file outlives its udevd (seen with 252), and may be that of a udevd in
    another network namespace, whose events do not come here. Under systemd, which starts udevd on demand, it listens.
    """
    if not CONTROL.exists():
        return "kernel"
    try:
        return "udev" if b" %s\n" % bytes(CONTROL) in SOCKETS.read_bytes() else "kernel"
    except OSError:
        return "udev"  # a hardened /proc: the file is all we can go by


def _control() -> tuple[int, int] | None:
    """What tells this control file from the next one: a udevd that is not systemd's makes it anew."""
    try:
        found = CONTROL.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _hint(event: Uevent) -> Hint:
    old = event.text(b"DEVPATH_OLD")
    return Hint(
        source=UdevSource.name,
        action=_action(event.action),
        syspath=f"/sys{event.devpath}",
        subsystem=event.text(b"SUBSYSTEM"),
        old_syspath=None if old is None else f"/sys{old}",
    )


def _action(word: str) -> Action:
    try:
        return Action(word)
    except ValueError:
        return Action.CHANGE  # the kernel has grown a new word
