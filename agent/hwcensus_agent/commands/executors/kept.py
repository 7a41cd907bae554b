"""What an interface has and may lose when it becomes a port, goes down, or goes with its device for a while: noted
before, given back after.

The kernel keeps a port's IPv4 addresses; a bond takes it down, and with that go its routes and IPv6 addresses. What was
on top of an interface that went is not made again.
"""

import json
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from hwcensus_agent import hostid
from hwcensus_agent.commands.executors.executor import KernelRefused
from hwcensus_agent.netlink import ip
from hwcensus_agent.rtnetlink import Link, RouteSocket
from hwcensus_agent.way import Broker, Way

logger = logging.getLogger(__name__)

#: Seconds that an interface has to come back with its device: drivers probe, and udev gives it its name.
BACK_S = 10.0
LOOK_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One interface. Addresses and routes are the kernel's own messages, in hex."""

    name: str
    index: int
    up: bool
    master: str | None = None
    addresses: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()

    @classmethod
    def of(cls, route: RouteSocket, link: Link, links: Collection[Link]) -> Self:
        """Raises OSError."""
        return cls(
            name=link.name,
            index=link.index,
            up=link.up,
            master=next((one.name for one in links if one.index == link.master), None),
            addresses=tuple(one.body.hex() for one in route.dump_addresses() if one.index == link.index),
            routes=tuple(one.body.hex() for one in ip.in_order(route.dump_routes()) if one.index == link.index),
        )

    def give_back(self, route: RouteSocket) -> None:
        """To the interface, or to the one that has its name now, unless it is another's port. Raises OSError where it
        does not come up, or not to its master."""
        links = self._links(route)
        link = _it(self, links)
        if link is None or link.master is not None:
            return
        master = next((one.index for one in links if one.name == self.master), None)
        if master is not None:
            route.set_master(link.index, master)
        if not self.up:
            return
        route.set_up(link.index, True)
        addresses = [ip.parse_address(bytes.fromhex(body)) for body in self.addresses]
        for one in (*addresses, *(ip.parse_route(bytes.fromhex(body)) for body in self.routes)):
            try:
                if one is not None:
                    route.give_back(one.at(link.index))
            except OSError as error:  # the others are worth having all the same
                logger.warning("%s did not get back what it had", link.name, extra={"why": str(error)})

    def _links(self, route: RouteSocket) -> list[Link]:
        """The links there are, as soon as it is one of them."""
        until = time.monotonic() + BACK_S
        while True:
            links = route.dump_links()
            if _it(self, links) is not None or time.monotonic() >= until:
                return links
            time.sleep(LOOK_S)


@dataclass(frozen=True, kw_only=True)
class Before:
    """How things were before a command touched interfaces, as a text that survives a crash. `brokers` answered, and
    some of these interfaces carry the way to them. After a start of the host nothing of it holds: interfaces are as the
    host's configuration made them."""

    kept: tuple[Kept, ...] = ()
    brokers: tuple[Broker, ...] = ()
    boot: str | None = None

    @classmethod
    def of(cls, way: Way, names: Collection[str]) -> Self:
        """Of these interfaces. Raises KernelRefused."""
        if not names:
            return cls()
        brokers = tuple(way.at_stake(names))
        try:
            with RouteSocket() as route:
                links = route.dump_links()
                kept = tuple(Kept.of(route, link, links) for link in links if link.name in names)
        except OSError as error:
            raise KernelRefused.by(error, f"rtnetlink, {', '.join(names)}") from error
        return cls(kept=kept, brokers=brokers, boot=hostid.boot_id())

    @classmethod
    def read(cls, text: str) -> Self:
        """What `write` wrote."""
        noted = json.loads(text or "{}")
        return cls(
            kept=tuple(_kept(**one) for one in noted.get("kept", ())),
            brokers=tuple(Broker(**one) for one in noted.get("brokers", ())),
            boot=noted.get("boot"),
        )

    def write(self) -> str:
        """Empty where there is nothing to note."""
        return json.dumps(asdict(self), separators=(",", ":")) if self.kept or self.brokers else ""

    def give_back(self) -> None:
        """Raises KernelRefused."""
        try:
            with RouteSocket() as route:
                for one in self.kept if self.boot == hostid.boot_id() else ():
                    one.give_back(route)
        except OSError as error:
            names = ", ".join(one.name for one in self.kept)
            raise KernelRefused.by(error, f"rtnetlink, {names} as before") from error


def _it(kept: Kept, links: Collection[Link]) -> Link | None:
    by_index = (link for link in links if link.index == kept.index)
    return next(by_index, None) or next((link for link in links if link.name == kept.name), None)


def _kept(*, addresses: Sequence[str], routes: Sequence[str], **rest: Any) -> Kept:
    return Kept(addresses=tuple(addresses), routes=tuple(routes), **rest)
