"""What an interface has and may lose when it becomes a port or goes down: noted before, given back after.

The kernel keeps a port's IPv4 addresses; a bond takes it down, and with that go its routes and IPv6 addresses.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

from hwcensus_agent.netlink import ip
from hwcensus_agent.rtnetlink import Link, RouteSocket
from hwcensus_agent.way import Broker

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One interface. Addresses and routes are the kernel's own messages, in hex."""

    index: int
    up: bool
    addresses: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()

    @classmethod
    def of(cls, route: RouteSocket, link: Link) -> Self:
        """Raises OSError."""
        addresses = [one.body.hex() for one in route.dump_addresses() if one.index == link.index]
        routes = [one.body.hex() for one in ip.in_order(route.dump_routes()) if one.index == link.index]
        return cls(index=link.index, up=link.up, addresses=tuple(addresses), routes=tuple(routes))

    def give_back(self, route: RouteSocket) -> None:
        """To an interface that was up and is nobody's port. Raises OSError where it does not come up."""
        link = next((link for link in route.dump_links() if link.index == self.index), None)
        if link is None or link.master is not None or not self.up:
            return
        route.set_up(self.index, True)
        lost = [ip.parse_address(bytes.fromhex(body)) for body in self.addresses]
        for one in (*lost, *(ip.parse_route(bytes.fromhex(body)) for body in self.routes)):
            try:
                if one is not None:
                    route.give_back(one)
            except OSError as error:  # the others are worth having all the same
                logger.warning("%s did not get back what it had", link.name, extra={"why": str(error)})


@dataclass(frozen=True, kw_only=True)
class Before:
    """How things were before a command touched interfaces, as a text that survives a crash. `brokers` answered, and
    some of these interfaces carry the way to them."""

    kept: tuple[Kept, ...] = ()
    brokers: tuple[Broker, ...] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """What `write` wrote."""
        noted = json.loads(text or "{}")
        return cls(
            kept=tuple(_kept(**one) for one in noted.get("kept", ())),
            brokers=tuple(Broker(**one) for one in noted.get("brokers", ())),
        )

    def write(self) -> str:
        """Empty where there is nothing to note."""
        return json.dumps(asdict(self), separators=(",", ":")) if self.kept or self.brokers else ""

    def give_back(self, route: RouteSocket) -> None:
        """Raises OSError."""
        for one in self.kept:
            one.give_back(route)


def _kept(*, index: int, up: bool, addresses: Sequence[str], routes: Sequence[str]) -> Kept:
    return Kept(index=index, up=up, addresses=tuple(addresses), routes=tuple(routes))
