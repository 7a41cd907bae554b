"""Giving names to a virtual port: those asked for, the lowest free of a pool, or made of the configured OUI; reserved
for its command.

In the queue's turn, so no two commands are given the same. In use is what has a row that counts, and what the census
shows on any host, ours or not.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from sqlalchemy import Connection, Row, delete, insert, or_, select

from hwcensus.errors import Refused
from hwcensus.instant import now, write_instant
from hwcensus_collector.settings import CommandSettings
from hwcensus_collector.tables import host, wwn
from hwcensus_collector.wwns.census import Wanting, wanted_ports, who_shows
from hwcensus_collector.wwns.life import KEPT, Reason, WwnState, adopt, is_taken, until
from hwcensus_collector.wwns.pool import Pool, exhausted, find_pool, free_names

#: Bits of a name of NAA 5 (IEEE registered, FC-FS) that the owner of its OUI deals.
_DEALT_BITS = 36


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for, by which command, for an adapter (identity) of a host. `pool` gives what is not given;
    `force` takes a name that only rests."""

    command: str
    host: str
    parent: str
    wwpn: str | None = None
    wwnn: str | None = None
    pool: str | None = None
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a port and its node are called."""

    wwnn: str
    wwpn: str


class Allotter:
    """Gives the names of one transaction's ports: what is read of the whole inventory is read once for all of them, and
    of each name that is given whether it is free still.
    """

    def __init__(self, connection: Connection, settings: CommandSettings, asked: str | None) -> None:
        """`asked` is the WWPN that the document gives. Adopts what rests; not in a savepoint that may be undone."""
        self._connection, self._settings = connection, settings
        self._quarantine = timedelta(seconds=settings.wwn_quarantine)
        self._free: dict[str, tuple[Pool, Iterator[str]]] = {}
        adopt(connection, asked)

    def allot(self, wanted: Wanted) -> Names:
        """Names for a port, and its WWPN reserved.

        Raises Refused (`wwn-in-use` with who has it, `pool-exhausted`, `no-oui`), Unknown (`pool-unknown`).
        """
        at = now()
        if wanted.wwpn is not None:
            self._check_given(wanted, wanted.wwpn, at)
        names = self._names(wanted, at)
        former = self._former(names.wwpn, at)
        self._connection.execute(delete(wwn).where(wwn.c.wwpn == names.wwpn))
        self._connection.execute(
            insert(wwn).values(
                wwpn=names.wwpn,
                wwnn=names.wwnn,
                state=WwnState.RESERVED,
                reason=_reason(former),
                since=at,
                host=wanted.host,
                parent=wanted.parent,
                command=wanted.command,
                former=former,
            )
        )
        return names

    def _former(self, wwpn: str, at: datetime) -> dict[str, object] | None:
        """What the name goes back to where nothing is made: it may be one that a host has lost, or that rests."""
        query = select(*KEPT).where(wwn.c.wwpn == wwpn, is_taken(self._quarantine, at))
        former = self._connection.execute(query.with_for_update()).one_or_none()
        return None if former is None else former._asdict()

    def _names(self, wanted: Wanted, at: datetime) -> Names:
        if wanted.pool is None:
            return Names(wwpn=wanted.wwpn or self._made("wwpn", at), wwnn=wanted.wwnn or self._made("wwnn", at))
        pool, free = self._pool(wanted.pool, at)
        wwpn = wanted.wwpn or self._next(pool, free, wanted, at)
        return Names(wwpn=wwpn, wwnn=wanted.wwnn or pool.wwnn or self._next(pool, free, wanted, at))

    def _pool(self, name: str, at: datetime) -> tuple[Pool, Iterator[str]]:
        """With the names of it that nobody had when it was first asked for, and that were not given since."""
        if name not in self._free:
            pool = find_pool(self._connection, name)
            self._free[name] = pool, free_names(self._connection, pool, self._quarantine, at)
        return self._free[name]

    def _next(self, pool: Pool, free: Iterator[str], wanted: Wanted, at: datetime) -> str:
        for name in free:
            if name not in (wanted.wwpn, wanted.wwnn) and self._is_free(name, at):
                return name
        raise exhausted(self._connection, pool)

    def _made(self, field: str, at: datetime) -> str:
        oui = self._settings.oui
        if oui is None:
            raise Refused(
                f"no {field} is given and none can be made: give one, name a pool, or set commands.oui of the collector"
                " to the six hex digits of an IEEE OUI that is yours",
                code="no-oui",
            )
        while True:
            name = f"5{oui}{secrets.randbits(_DEALT_BITS):0{_DEALT_BITS // 4}x}"
            if self._is_free(name, at):
                return name

    def _is_free(self, name: str, at: datetime) -> bool:
        held = select(wwn.c.wwpn).where(or_(wwn.c.wwpn == name, wwn.c.wwnn == name), is_taken(self._quarantine, at))
        shown_by = who_shows(self._connection, name, "wwpn", "wwnn")
        return shown_by is None and self._connection.execute(held).first() is None

    def _check_given(self, wanted: Wanted, wwpn: str, at: datetime) -> None:
        """Raises Refused (`wwn-in-use`)."""
        shown_by = who_shows(self._connection, wwpn, "wwpn")
        if shown_by is not None:
            raise Refused(f"wwpn {wwpn} is in use: it is {shown_by}", code="wwn-in-use")
        wanting = self._wanted_ports.get(wwpn)
        if wanting is not None and wanting.host != wanted.host:
            raise Refused(f"wwpn {wwpn} is in use: it is made again at boot on {wanting.text}", code="wwn-in-use")
        query = select(wwn, host.c.name.label("host_name")).outerjoin(host, host.c.id == wwn.c.host)
        row = self._connection.execute(
            query.where(wwn.c.wwpn == wwpn, is_taken(self._quarantine, at)).with_for_update(of=wwn)
        ).one_or_none()
        why_not = None if row is None else _why_not(row, wanted, until(row, self._quarantine))
        if why_not is not None:
            raise Refused(f"wwpn {wwpn} is in use: {why_not}", code="wwn-in-use")

    @cached_property
    def _wanted_ports(self) -> dict[str, Wanting]:
        return wanted_ports(self._connection)


def _reason(former: Mapping[str, object] | None) -> str:
    if former is None:
        return Reason.CREATE
    return Reason.LOST if former["state"] == WwnState.HELD else str(former["reason"])


def _why_not(row: Row[tuple[object, ...]], wanted: Wanted, end: datetime | None) -> str | None:
    """What keeps a name that the census does not show from being given; None where nothing does.

    A host may make again what it has lost or destroyed: its LUNs are masked to that name. `force` takes a name that
    another host had, or that may have been made and not be known of; never one that is on order.
    """
    owner = f"{row.host_name or row.host}, command {row.command or 'none'}"
    if row.state == WwnState.RESERVED:
        return f"reserved for {owner}"
    if wanted.force or (row.host == wanted.host and (row.state == WwnState.HELD or row.reason == Reason.DESTROY)):
        return None
    if row.state == WwnState.HELD:
        return f"held by {owner}, which does not show it now; force takes it"
    limit = "until that host answers or the name is released" if end is None else f"until {write_instant(end)}"
    return f"in quarantine {limit} after {row.reason} ({owner}); force takes it"
