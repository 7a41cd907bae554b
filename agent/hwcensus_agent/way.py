"""The way to Kafka: which interfaces carry it, and whether it still works after something was changed.

Brokers are those that this process is connected to; where it is to none (it has just started), those of its settings.
Nothing is changed here. Questions block: up to LIMIT_S where the way is lost.
"""

import os
import socket
import stat
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hwcensus.errors import Refused
from hwcensus_agent.rtnetlink import Link, RouteSocket

#: Seconds a way has to come back: a card may be reset, a port of a switch may learn, an address may move.
LIMIT_S = 20.0
#: Seconds one broker has to take a connection.
ATTEMPT_S = 2.0
RETRY_S = 0.25
OWN_DESCRIPTORS = Path("/proc/self/fd")
INTERFACES = "/sys/class/net"


class CarriesKafka(Refused):
    """the way to Kafka leads over it"""

    code = "carries-kafka"


class WayUnknown(Refused):
    """it cannot be found out which interfaces carry the way to Kafka"""

    code = "way-unknown"


class WayLost(Refused):
    """the way to Kafka was lost, and what had been done was undone"""

    code = "way-lost"


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where a broker answers; `local` is our end of a connection to it."""

    address: str
    port: int
    local: str | None = None

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def answers(self, within: float) -> bool:
        """Whether it takes a connection in so many seconds."""
        try:
            socket.create_connection((self.address, self.port), timeout=within).close()
        except OSError:
            return False
        return True


class Way:
    """The way of this process, whose settings name these brokers (`host:port`)."""

    def __init__(self, bootstrap: Sequence[str], *, limit: float = LIMIT_S, attempt: float = ATTEMPT_S) -> None:
        self._bootstrap, self._limit, self._attempt = bootstrap, limit, attempt

    def brokers(self) -> list[Broker]:
        return _connected() or [broker for server in self._bootstrap for broker in _resolved(server)]

    def carriers(self) -> dict[str, Broker]:
        """Interface → a broker that is reached over it, or would not be without it: what packets leave by, what has our
        address, all these are made of, and whose ports they are."""
        brokers = self.brokers()
        with RouteSocket() as route:
            links, addresses = route.dump_links(), route.dump_addresses()
            ends = {
                broker: {route.link_towards(broker.address, broker.local)}
                | {address.index for address in addresses if address.text == broker.local}
                for broker in brokers
            }
        named = {link.index: link.name for link in links}
        return {
            named[index]: broker
            for broker, found in ends.items()
            for index in stack(links, {one for one in found if one is not None})
        }

    def below(self, syspath: str) -> dict[str, Broker]:
        """The same of the interfaces of one device, and of those below it."""
        return {name: broker for name, broker in self.carriers().items() if _is_below(name, syspath)}

    def interfaces(self, syspath: str) -> list[str]:
        """All of one device, and of those below it, whatever they carry."""
        return [name for name in os.listdir(INTERFACES) if _is_below(name, syspath)]  # noqa: PTH208 - as sysfs does

    def require_free(self, interfaces: Iterable[str], *, force: bool | None) -> None:
        """Raises CarriesKafka where one of these carries the way and `force` is not said; WayUnknown where any may."""
        asked = () if force else tuple(interfaces)
        carriers = self.carriers() if asked else {}
        if asked and self._bootstrap and not carriers:
            raise WayUnknown(
                f"no broker can be found, or none has a route now, so that {', '.join(asked)} may carry the way to"
                " Kafka; with force it is done all the same"
            )
        for name in asked:
            if name in carriers:
                raise CarriesKafka(
                    f"{name} carries the way to Kafka, to {carriers[name]}; with force it is done all the same,"
                    " and undone where that way is lost"
                )

    def at_stake(self, interfaces: Collection[str]) -> list[Broker]:
        """The brokers that can be lost when these are touched."""
        return self.answering() if interfaces and self.carriers().keys() & set(interfaces) else []

    def answering(self) -> list[Broker]:
        """Those that answer now."""
        return [broker for broker in self.brokers() if broker.answers(self._attempt)]

    def lost(self, answered: Collection[Broker]) -> list[Broker]:
        """Of brokers that answered, those that do not any more, however long they are waited for."""
        until, missing = time.monotonic() + self._limit, list(answered)
        while missing := [broker for broker in missing if not broker.answers(self._attempt)]:
            if time.monotonic() >= until:
                break
            time.sleep(RETRY_S)
        return missing

    def require_still(self, answered: Collection[Broker]) -> None:
        """Raises WayLost where one does not answer any more: whoever did something undoes it then."""
        lost = self.lost(answered)
        if lost:
            raise WayLost(f"the way to Kafka, to {', '.join(map(str, lost))}, was lost by it: it was undone")


def stack(links: Sequence[Link], ends: Collection[int]) -> set[int]:
    """These links (by index), all that they are on top of, and what any of these is a port of."""
    by_index = {link.index: link for link in links}
    found: set[int] = set()
    waiting = [index for index in ends if index in by_index]
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += [link.index for link in links if link.master == index]
            lower = by_index[index].lower
            if lower in by_index and not by_index[index].lower_is_foreign:
                waiting.append(lower)
    masters = {by_index[index].master for index in found}
    while more := {master for master in masters if master in by_index and master not in found}:
        found |= more
        masters = {by_index[index].master for index in more}
    return found


def _connected() -> list[Broker]:
    """Whom this process has a connection to. An agent talks TCP to nobody but brokers."""
    found = {}
    for descriptor in OWN_DESCRIPTORS.iterdir():
        with suppress(OSError):
            broker = _other_end(int(descriptor.name))
            if broker is not None:
                found[str(broker)] = broker
    return list(found.values())


def _other_end(descriptor: int) -> Broker | None:
    """Who is at the other end of a TCP connection; None for other sockets and files. Raises OSError for one that is
    not connected, or closed meanwhile."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return None
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
            return None
        (address, port), local = connection.getpeername()[:2], connection.getsockname()[0]
        return Broker(address=address, port=port, local=local)


def _resolved(server: str) -> list[Broker]:
    host, _, port = server.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter of a name that cannot be one
        return []
    return [Broker(address=str(end[0]), port=int(end[1])) for *_, end in found]


def _is_below(interface: str, syspath: str) -> bool:
    return f"{os.path.realpath(f'{INTERFACES}/{interface}')}/".startswith(f"{os.path.realpath(syspath)}/")
