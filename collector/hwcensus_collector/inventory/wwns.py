"""World Wide Names of virtual ports for those who ask: the pools, and who has which name. Giving them is `wwns/`'s."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Connection, Row, Select, func, select

from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.inventory.cursor import Page, Window, page_of, question_mark, read_cursor
from hwcensus_collector.inventory.hosts import host_id
from hwcensus_collector.inventory.refusal import BadParameter, Unknown, did_you_mean, nearest_names
from hwcensus_collector.wwns.life import WwnState, is_taken, until
from hwcensus_collector.wwns.pool import Pool, find_pool, pools


@dataclass(frozen=True, kw_only=True)
class Wwn:
    """A WWPN that is not free, and who has it or had it."""

    wwpn: str
    wwnn: str | None
    #: reserved (by a command that has not ended), held, quarantined; since when, and why (create, import, seen,
    #: lost, destroy, unknown, abandoned, abandoned-again).
    state: str
    reason: str
    since: datetime
    #: When a quarantine ends by itself; null where it does not.
    until: datetime | None
    host: str
    host_name: str
    #: Identity of the adapter.
    parent: str | None
    command: str | None


@dataclass(frozen=True, kw_only=True)
class PoolUse:
    """A pool and how many of its WWPNs are in which state."""

    name: str
    first: str
    last: str
    wwnn: str | None
    size: int
    reserved: int
    held: int
    quarantined: int


def list_wwns(
    connection: Connection,
    window: Window,
    quarantine: timedelta,
    *,
    pool: str | None = None,
    host: str | None = None,
    state: str | None = None,
) -> Page[Wwn]:
    """By WWPN; `host` is an id or a holder. Raises BadParameter for the state or the cursor, Unknown for the pool."""
    if state is not None and state not in tuple(WwnState):
        near = nearest_names(state, WwnState)
        text = f"there is no state {state!r}, only {', '.join(WwnState)}{did_you_mean(near)}"
        raise BadParameter(text, code="unknown-state", nearest=near)
    mark = question_mark("wwns", pool, host, state)
    after = read_cursor(window.cursor, mark, (str,))
    query = wwn_rows(quarantine).order_by(tables.wwn.c.wwpn).limit(window.limit + 1)
    if pool is not None:
        found = find_pool(connection, pool)
        query = query.where(tables.wwn.c.wwpn.between(found.first, found.last))
    if host is not None:
        query = query.where(tables.wwn.c.host == host)
    if state is not None:
        query = query.where(tables.wwn.c.state == state)
    if after is not None:
        query = query.where(tables.wwn.c.wwpn > after[0])
    rows = connection.execute(query).all()
    page = page_of(list(rows), window.limit, mark, lambda row: (cast(str, row.wwpn),))
    return page.map(lambda row: to_wwn(row, quarantine))


def holder_id(connection: Connection, wanted: str) -> str:
    """The id of a host, or the one for whom a list was imported, whom the census need not know. Raises as `host_id`."""
    try:
        return host_id(connection, wanted)
    except Unknown:
        if connection.execute(select(tables.wwn.c.wwpn).where(tables.wwn.c.host == wanted).limit(1)).first() is None:
            raise
        return wanted


def wwn_rows(quarantine: timedelta) -> Select[tuple[object, ...]]:
    """Names that are not free."""
    wwn, host = tables.wwn, tables.host
    query = select(wwn, host.c.name.label("host_name")).outerjoin(host, host.c.id == wwn.c.host)
    return cast("Select[tuple[object, ...]]", query.where(is_taken(quarantine, now())))


def to_wwn(row: Row[tuple[object, ...]], quarantine: timedelta) -> Wwn:
    """Of a row of `wwn_rows`."""
    return Wwn(
        wwpn=row.wwpn,
        wwnn=row.wwnn,
        state=row.state,
        reason=row.reason,
        since=row.since,
        until=until(row, quarantine),
        host=row.host,
        host_name=row.host_name or row.host,
        parent=row.parent,
        command=row.command,
    )


def list_pools(connection: Connection, window: Window, quarantine: timedelta) -> Page[PoolUse]:
    """By name. Raises BadParameter for the cursor."""
    mark = question_mark("wwn pools")
    after = read_cursor(window.cursor, mark, (str,))
    known = [pool for pool in pools(connection) if after is None or pool.name > str(after[0])]
    page = page_of(known[: window.limit + 1], window.limit, mark, lambda pool: (pool.name,))
    return Page(items=tuple(_used(connection, page.items, quarantine)), next=page.next)


def _used(connection: Connection, known: Iterable[Pool], quarantine: timedelta) -> Iterable[PoolUse]:
    wwn = tables.wwn
    for pool in known:
        count = (
            select(wwn.c.state, func.count().label("names"))
            .where(wwn.c.wwpn.between(pool.first, pool.last), is_taken(quarantine, now()))
            .group_by(wwn.c.state)
        )
        by_state = {row.state: row.names for row in connection.execute(count)}
        yield PoolUse(
            name=pool.name,
            first=pool.first,
            last=pool.last,
            wwnn=pool.wwnn,
            size=int(pool.last, 16) - int(pool.first, 16) + 1,
            **{str(state): by_state.get(state, 0) for state in WwnState},
        )
