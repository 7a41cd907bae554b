"""Giving names to a virtual port: those asked for, the lowest free of a pool, or made of the configured OUI; reserved
for its command.

In the queue's turn, so no two commands are given the same. In use is what has a row that counts, and what the census
shows on any host, ours or not.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, insert, or_, select

from hwcensus.errors import Refused
from hwcensus.instant import now, write_instant
from hwcensus_collector.settings import CommandSettings
from hwcensus_collector.tables import host, wwn
from hwcensus_collector.wwns.census import wanted_ports, who_shows
from hwcensus_collector.wwns.life import KEPT, Reason, WwnState, adopt, is_taken, until
from hwcensus_collector.wwns.pool import find_pool, free_names

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


def allot(connection: Connection, settings: CommandSettings, wanted: Wanted) -> Names:
    """Names for a port, and its WWPN reserved.

    Raises Refused (`wwn-in-use` with who has it, `pool-exhausted`, `no-oui`), Unknown (`pool-unknown`).
    """
    at = now()
    adopt(connection)
    if wanted.wwpn is not None:
        _check_given(connection, settings, wanted, wanted.wwpn, at)
    names = _names(connection, settings, wanted, at)
    former = _former(connection, settings, names.wwpn, at)
    connection.execute(delete(wwn).where(wwn.c.wwpn == names.wwpn))
    connection.execute(
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


def _former(connection: Connection, settings: CommandSettings, wwpn: str, at: datetime) -> dict[str, object] | None:
    """What the name goes back to where nothing is made: it may be one that a host has lost, or that rests."""
    query = select(*KEPT).where(wwn.c.wwpn == wwpn, is_taken(_quarantine(settings), at))
    former = connection.execute(query.with_for_update()).one_or_none()
    return None if former is None else former._asdict()


def _reason(former: Mapping[str, object] | None) -> str:
    if former is None:
        return Reason.CREATE
    return Reason.LOST if former["state"] == WwnState.HELD else str(former["reason"])


def _names(connection: Connection, settings: CommandSettings, wanted: Wanted, at: datetime) -> Names:
    if wanted.pool is None:
        return Names(
            wwpn=wanted.wwpn or _made(connection, settings, "wwpn", at),
            wwnn=wanted.wwnn or _made(connection, settings, "wwnn", at),
        )
    pool = find_pool(connection, wanted.pool)
    free = free_names(connection, pool, _quarantine(settings), at, but=(wanted.wwpn, wanted.wwnn))
    return Names(wwpn=wanted.wwpn or next(free), wwnn=wanted.wwnn or pool.wwnn or next(free))


def _made(connection: Connection, settings: CommandSettings, field: str, at: datetime) -> str:
    if settings.oui is None:
        raise Refused(
            f"no {field} is given and none can be made: give one, name a pool, or set commands.oui of the collector to"
            " the six hex digits of an IEEE OUI that is yours",
            code="no-oui",
        )
    while True:
        name = f"5{settings.oui}{secrets.randbits(_DEALT_BITS):0{_DEALT_BITS // 4}x}"
        held = select(wwn.c.wwpn).where(
            or_(wwn.c.wwpn == name, wwn.c.wwnn == name), is_taken(_quarantine(settings), at)
        )
        if who_shows(connection, name, "wwpn", "wwnn") is None and connection.execute(held).first() is None:
            return name


def _check_given(connection: Connection, settings: CommandSettings, wanted: Wanted, wwpn: str, at: datetime) -> None:
    """Raises Refused (`wwn-in-use`)."""
    shown_by = who_shows(connection, wwpn, "wwpn")
    if shown_by is not None:
        raise Refused(f"wwpn {wwpn} is in use: it is {shown_by}", code="wwn-in-use")
    wanting = wanted_ports(connection).get(wwpn)
    if wanting is not None and wanting.host != wanted.host:
        raise Refused(f"wwpn {wwpn} is in use: it is made again at boot on {wanting.text}", code="wwn-in-use")
    query = select(wwn, host.c.name.label("host_name")).outerjoin(host, host.c.id == wwn.c.host)
    row = connection.execute(
        query.where(wwn.c.wwpn == wwpn, is_taken(_quarantine(settings), at)).with_for_update(of=wwn)
    ).one_or_none()
    why_not = None if row is None else _why_not(row, wanted, until(row, _quarantine(settings)))
    if why_not is not None:
        raise Refused(f"wwpn {wwpn} is in use: {why_not}", code="wwn-in-use")


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


def _quarantine(settings: CommandSettings) -> timedelta:
    return timedelta(seconds=settings.wwn_quarantine)
