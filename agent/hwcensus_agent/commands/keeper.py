"""Makes wanted virtual ports again that are not there: at the start, and when their adapter comes or comes online.

A port that somebody takes away meanwhile is shown as absent, and left so until then: two that know better would fight
for ever. Nothing is made where any port of this host has that WWPN, or one that cannot be read: it may be the same.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from lxml import etree

from hwcensus.command import Command
from hwcensus.creatable.adapter import ONLINE
from hwcensus.instant import now
from hwcensus.names import device_name
from hwcensus.wwn import port_identity, port_wwpn
from hwcensus_agent.commands.answer import SUCCEEDED, Answer
from hwcensus_agent.desired import Desired, Wish
from hwcensus_agent.fc_ports import FcPort, fc_hosts, fc_port
from hwcensus_agent.news import REMOVE, News
from hwcensus_agent.sysfs import Unreadable

logger = logging.getLogger(__name__)

#: Seconds between two looks at the adapters, whose states the kernel does not announce.
LOOK_S = 5.0
#: Seconds until what was refused is tried again: doubled each time.
FIRST_RETRY_S, LAST_RETRY_S = 5.0, 600.0

#: Carries out a creation once more, if it is still wanted when its turn has come; None where not.
Make = Callable[[Command, Callable[[], bool]], Awaitable[Answer | None]]


@dataclass(frozen=True, kw_only=True)
class _Try:
    """When a port is to be made, and after how long again."""

    at: float
    retry: float = FIRST_RETRY_S
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class _Look:
    """The ports of this host by WWPN, which adapters are online, and by host what could not be read, and why."""

    ports: dict[str | None, FcPort] = field(default_factory=dict)
    online: set[tuple[str, str]] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)


class Keeper:
    """Keeps the wishes of one host."""

    def __init__(self, desired: Desired, sysroot: str, make: Make) -> None:
        self._desired, self._sysroot, self._make = desired, sysroot, make
        #: Adapters that were online at the last look, by WWPN and the number that they had.
        self._online: set[tuple[str, str]] = set()
        #: WWPNs of adapters that the census saw gone or not online since.
        self._went: set[str] = set()
        self._tries: dict[str, _Try] = {}
        #: Why which ports could not be read at the last look, by host.
        self._unread: dict[str, str] = {}
        self.woken = asyncio.Event()

    async def run(self) -> None:
        """Looks for ever; cancel it to stop."""
        while True:
            self.woken.clear()
            await self.round()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S if any(self._desired) else None):
                    await self.woken.wait()

    def hear(self, news: Iterable[News]) -> None:
        """What the census saw: an adapter that went between two looks, or its link, came anew all the same."""
        parents = {wish.parent for wish in self._desired}
        for one in news if parents else ():
            wwpn = port_wwpn(one.sight.identity)
            if wwpn is not None and _went(one):
                self._went.add(wwpn)  # also of one on which nothing is wanted yet
            if wwpn in parents:
                self.woken.set()

    async def round(self) -> None:
        """One look, and what there is to make."""
        if not any(self._desired):
            return
        self._online = {place for place in self._online if place[0] not in self._went}
        self._went.clear()
        try:
            look = await asyncio.to_thread(_look, self._sysroot)
        except Unreadable as error:
            logger.debug("the adapters cannot be read now", extra={"why": str(error)})
            return
        self._warn(look.unread)
        unknown = {place for place in self._online if place[1] in look.unread}
        came, self._online = look.online - self._online, look.online | unknown
        for wish in tuple(self._desired):
            if wish.parent not in dict(unknown):
                await self._keep(wish, look, came)

    def _warn(self, unread: dict[str, str]) -> None:
        text = "a port cannot be read: none is made below it now, and while its WWPN is not known none on this host"
        for host, why in unread.items() - self._unread.items():
            logger.warning(text, extra={"host": host, "why": why})
        self._unread = unread

    async def _keep(self, wish: Wish, look: _Look, came: set[tuple[str, str]]) -> None:
        parent = look.ports.get(wish.parent)
        if parent is None or _place(parent) not in look.online or wish.wwpn in look.ports:
            self._tries.pop(wish.wwpn, None)
            return
        if _place(parent) in came:
            self._tries[wish.wwpn] = _Try(at=self._time())
        due = self._tries.get(wish.wwpn)
        if due is not None and due.at <= self._time():
            await self._try(wish, parent, due)

    async def _try(self, wish: Wish, parent: FcPort, due: _Try) -> None:
        answer = await self._make(_creation(wish, parent), lambda: self._desired.get(wish.wwpn) == wish)
        if answer is None or answer.state == SUCCEEDED:
            self._tries.pop(wish.wwpn, None)
            if answer is not None:
                facts = {"wwpn": wish.wwpn, "parent": parent.host, "command": wish.command, "how": answer.text}
                logger.info("a wanted virtual port was made again", extra=facts)
            return
        why = f"{answer.code}: {answer.text}"
        if why != due.said:
            facts = {"wwpn": wish.wwpn, "parent": parent.host, "why": why}
            logger.warning("a wanted virtual port cannot be made; tried again, ever more seldom", extra=facts)
        self._tries[wish.wwpn] = _Try(at=self._time() + due.retry, retry=min(due.retry * 2, LAST_RETRY_S), said=why)

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def _look(sysroot: str) -> _Look:
    """Raises Unreadable where not even the hosts are known."""
    look = _Look()
    for host in fc_hosts(sysroot):
        try:
            port = fc_port(sysroot, host)
            if port is not None:
                look.ports[port.wwpn] = port
                if _is_online(port):
                    look.online.add(_place(port))
        except Unreadable as error:
            look.unread[host] = str(error)
    return look


def _went(one: News) -> bool:
    """Whether a port is gone, or came to be offline."""
    if "fc.port" in one.changed:
        return one.sight.survey().state.get("fc.port", ONLINE) != ONLINE
    return one.type == REMOVE


def _place(port: FcPort) -> tuple[str, str]:
    return port.wwpn or "", port.host


def _is_online(port: FcPort) -> bool:
    return port.vport is None and port.state == ONLINE


def _creation(wish: Wish, parent: FcPort) -> Command:
    """The command that wanted the port, for the number that its adapter has now."""
    device = etree.Element("device")
    etree.SubElement(device, "parent", identity=port_identity(wish.parent)).text = device_name("scsi", parent.host)
    fc = etree.SubElement(etree.SubElement(device, "capability", type="scsihost"), "capability", type="fc")
    etree.SubElement(fc, "address", wwnn=wish.wwnn, wwpn=wish.wwpn)
    return Command(id=wish.command, type="create", expires=now() + timedelta(hours=1), device=device)
