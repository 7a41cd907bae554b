"""Hints from rtnetlink: what uevents do not tell of links (up, down, MAC, MTU, carrier, masters and their ports).

It knows of each link just enough to find its device again once the link is gone. Links of other network namespaces are
not its business: their numbers mean nothing here.
"""

import logging
import os
from asyncio import AbstractEventLoop
from dataclasses import dataclass, replace
from pathlib import Path

from hwcensus.errors import HwcensusError
from hwcensus_agent.rtnetlink import Link, LinkChange, LinkEvent, LinkMonitor, Malformed, RouteSocket
from hwcensus_agent.sources.drain import Drain
from hwcensus_agent.sources.hint import Action, Hint
from hwcensus_agent.sources.source import RECEIVE_BUFFER, OnGap, OnHint
from hwcensus_agent.sources.walk import resolve

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    name: str
    syspath: str
    master: int | None
    lower: int | None
    carrier: bool
    fingerprint: int | None = None  # of what was last said of it


class RtnetlinkSource:
    """Watches the links of this network namespace."""

    name = "rtnetlink"

    def __init__(self, *, sysroot: str = "/sys", receive_buffer: int = RECEIVE_BUFFER) -> None:
        self.works = False
        self.why_not: str | None = "not started"
        self.malformed = 0
        self._root = os.path.realpath(sysroot)
        self._receive_buffer = receive_buffer
        self._known: dict[int, _Known] = {}
        self._monitor: LinkMonitor | None = None
        self._loop: AbstractEventLoop | None = None
        self._drain = Drain(self._read, self._lost)

    @property
    def overflows(self) -> int:
        """How often the kernel's signals were lost."""
        return self._drain.overflows

    def start(self) -> None:
        if self._root != "/sys":
            self.why_not = "the sysfs is another host's, whose links are not in reach"
            return
        try:
            self._monitor = LinkMonitor(receive_buffer=self._receive_buffer)
            self._learn()
        except (OSError, HwcensusError) as error:
            self.close()
            self.why_not = str(error)
            logger.warning("no news of network links: %s", error)
            return
        self.works, self.why_not = True, None

    def attach(self, loop: AbstractEventLoop, on_hint: OnHint, on_gap: OnGap) -> None:
        if self._monitor is None:
            return
        self._loop, self._on_hint, self._on_gap = loop, on_hint, on_gap
        loop.add_reader(self._monitor, self._drain)

    def close(self) -> None:
        if self._monitor is not None:
            if self._loop is not None:
                self._loop.remove_reader(self._monitor)
            self._monitor.close()
        self._monitor = self._loop = None
        self.works, self.why_not = False, "closed"

    def _read(self) -> bool:
        if self._monitor is None:
            return False
        try:
            events = self._monitor.receive()
        except Malformed as error:
            self.malformed += 1
            if self.malformed == 1:
                logger.warning("a message about a link cannot be read, said once: %s", error)
            self._on_gap("netlink-malformed")
            return True
        for event in events or ():
            for hint in self._hints(event):
                self._on_hint(hint)
        return events is not None

    def _lost(self) -> None:
        logger.warning("news of links came faster than we read: looking at everything", extra={"n": self.overflows})
        try:
            self._learn()
        except (OSError, HwcensusError) as error:
            logger.warning("the links cannot be listed: %s", error)
        self._on_gap("netlink-overflow")

    def _learn(self) -> None:
        with RouteSocket() as route:
            links = route.dump_links()
        known = ((link.index, self._look(link)) for link in links)
        self._known = {index: seen for index, seen in known if seen is not None}

    def _look(self, link: Link) -> _Known | None:
        """What to remember of this link; None where sysfs does not show it: gone or renamed since, or not our sysfs."""
        syspath = resolve(f"{self._root}/class/net/{link.name}", self._root)
        if syspath is None or _index_at(self._root + syspath.removeprefix("/sys")) != link.index:
            return None
        return _remembered(link, syspath)

    def _hints(self, event: LinkEvent) -> list[Hint]:
        link, old = event.link, self._known.get(event.link.index)
        match event.change:
            case LinkChange.DELETED:
                return self._gone(link.index)
            case LinkChange.PORT:
                return self._changed(link.index, link.master)
        if old is not None and event.fingerprint is not None and event.fingerprint == old.fingerprint:
            return []  # the same again, but for what is counted
        new = _remembered(link, old.syspath) if old is not None and old.name == link.name else self._look(link)
        if new is None:
            return []  # a later message tells what became of it
        self._known[link.index] = replace(new, fingerprint=event.fingerprint)
        masters = _masters_that_changed(old, new)
        if old is None or old.syspath == new.syspath:
            return self._changed(link.index, *masters)
        moved = _hint(Action.MOVE, new, old_syspath=old.syspath)
        others = self._changed(*masters, *self._relatives(link.index))
        return [moved, *(replace(other, beside=new.syspath) for other in others)]

    def _gone(self, index: int) -> list[Hint]:
        old = self._known.pop(index, None)
        return [] if old is None else [_hint(Action.REMOVE, old), *self._changed(old.master)]

    def _changed(self, *indexes: int | None) -> list[Hint]:
        known = (self._known.get(index) for index in dict.fromkeys(indexes) if index is not None)
        return [_hint(Action.CHANGE, link) for link in known if link is not None]

    def _relatives(self, index: int) -> list[int]:
        """The links whose documents hold this one's name: its master, its ports, those on top of it."""
        above = [other for other, link in self._known.items() if index in (link.master, link.lower)]
        master = self._known[index].master
        return above if master is None else [master, *above]


def _remembered(link: Link, syspath: str) -> _Known:
    lower = None if link.lower_is_foreign else link.lower
    return _Known(name=link.name, syspath=syspath, master=link.master, lower=lower, carrier=link.carrier)


def _masters_that_changed(old: _Known | None, new: _Known) -> set[int | None]:
    """Those whose documents say otherwise now: their ports, and a bond's speed, made of what slaves have carrier."""
    if old is None or old.master != new.master:
        return {None if old is None else old.master, new.master}
    return {new.master} if old.carrier != new.carrier else set()


def _hint(action: Action, link: _Known, old_syspath: str | None = None) -> Hint:
    return Hint(
        source=RtnetlinkSource.name,
        action=action,
        syspath=link.syspath,
        subsystem="net",
        old_syspath=old_syspath,
    )


def _index_at(folder: str) -> int | None:
    try:
        return int(Path(f"{folder}/ifindex").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
