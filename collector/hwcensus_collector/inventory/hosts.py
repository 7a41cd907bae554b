"""Hosts: the list of them, and one by its id or its name."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Row, Select, func, select, tuple_

from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.inventory.cursor import Page, Window, page_of, question_mark, read_cursor
from hwcensus_collector.inventory.filters import DeviceFilter
from hwcensus_collector.inventory.refusal import Ambiguous, Unknown, did_you_mean, nearest_names
from hwcensus_collector.inventory.status import Patience

#: Names that are compared with a mistyped one: difflib takes about 10 µs a name.
_COMPARED = 20_000


@dataclass(frozen=True, kw_only=True)
class Host:
    """One host as last heard. Times are UTC, `clock_skew` seconds ahead of ours, `rss` bytes, `cpu` a share of one."""

    id: str
    name: str
    #: online, stale or offline.
    status: str
    heard_at: datetime | None
    #: Devices held present.
    devices: int
    #: Another agent claims to be this host: since when, and which stream.
    conflict: dict[str, object] | None
    #: Documents of it that could not be processed.
    incomplete: int
    retired_at: datetime | None
    agent_version: str | None
    model: str | None
    kernel: str | None
    boot: str | None
    stream: str | None
    seq: int
    evidence: dict[str, object]
    sources: list[object]
    creatable: list[str]
    clock_skew: float | None
    #: What is being asked of the agent to heal a difference, if anything.
    resync_wanted: str | None
    spool: int | None
    rss: int | None
    cpu: float | None
    first_seen: datetime


def _hosts() -> Select[tuple[object, ...]]:
    host, seen, refused = tables.host, tables.host_seen, tables.refused
    incomplete = select(func.count()).where(refused.c.host == host.c.id).scalar_subquery().label("incomplete")
    joined = host.outerjoin(seen, seen.c.host == host.c.id)
    return cast(
        "Select[tuple[object, ...]]",
        select(host, seen.c.heard_at, seen.c.spool, seen.c.rss, seen.c.cpu, incomplete).select_from(joined),
    )


def _host(row: Row[tuple[object, ...]], patience: Patience, at: datetime) -> Host:
    heard_at = row.heard_at
    return Host(
        id=row.id,
        name=row.name,
        status=patience.status(heard_at, at),
        heard_at=heard_at,
        devices=row._mapping[tables.host.c["count"]],
        conflict=row.conflict,
        incomplete=row.incomplete,
        retired_at=row.retired_at,
        agent_version=row.agent_version,
        model=row.model,
        kernel=row.kernel,
        boot=row.boot,
        stream=row.stream,
        seq=row.seq,
        evidence=row.evidence,
        sources=row.sources,
        creatable=row.creatable,
        clock_skew=row.clock_skew,
        resync_wanted=row.resync_wanted,
        spool=row.spool,
        rss=row.rss,
        cpu=row.cpu,
        first_seen=row.first_seen,
    )


def list_hosts(
    connection: Connection,
    window: Window,
    *,
    status: str | None = None,
    retired: bool = False,
    patience: Patience | None = None,
) -> Page[Host]:
    """Hosts by name; those that were retired only with `retired`. Raises BadParameter."""
    patience, at, host = patience or Patience(), now(), tables.host
    mark = question_mark("hosts", status, retired)
    after = read_cursor(window.cursor, mark, (str, str))
    query = _hosts().order_by(host.c.name, host.c.id).limit(window.limit + 1)
    if status is not None:
        query = query.where(patience.condition(status, at))
    if not retired:
        query = query.where(host.c.retired_at.is_(None))
    if after is not None:
        query = query.where(tuple_(host.c.name, host.c.id) > tuple_(*after))
    found = [_host(row, patience, at) for row in connection.execute(query)]
    return page_of(found, window.limit, mark, lambda one: (one.name, one.id))


def ids_of_hosts(
    connection: Connection, *, status: str | None, cap: str | None, patience: Patience | None = None
) -> tuple[str, ...]:
    """Ids of all hosts of this status that have a device of this capability, by name; without those retired. Raises
    BadParameter."""
    patience, host = patience or Patience(), tables.host
    query = _hosts().where(host.c.retired_at.is_(None)).order_by(host.c.name, host.c.id)
    if status is not None:
        query = query.where(patience.condition(status, now()))
    if cap is not None:
        query = query.where(host.c.id.in_(DeviceFilter(cap=cap).narrow(select(tables.device.c.host))))
    return tuple(row.id for row in connection.execute(query))


def find_host(connection: Connection, wanted: str, *, patience: Patience | None = None) -> Host:
    """One host with all that is known of it. Raises what `host_id` raises."""
    row = connection.execute(_hosts().where(tables.host.c.id == host_id(connection, wanted))).one()
    return _host(row, patience or Patience(), now())


def host_id(connection: Connection, wanted: str) -> str:
    """The id of the host that is called so, or has this id.

    Raises Unknown (`unknown-host`) with the nearest names, Ambiguous with the ids. A retired host gives way.
    """
    host = tables.host
    if connection.execute(select(host.c.id).where(host.c.id == wanted)).first() is not None:
        return wanted
    rows = connection.execute(select(host.c.id, host.c.retired_at).where(host.c.name == wanted)).all()
    ids = sorted(row.id for row in rows if row.retired_at is None) or sorted(row.id for row in rows)
    if len(ids) > 1:
        listed = ", ".join(ids)
        raise Ambiguous(f"{len(ids)} hosts are called {wanted!r}; give one of the ids {listed}", nearest=tuple(ids))
    if not ids:
        near = nearest_names(wanted, connection.execute(select(host.c.name).limit(_COMPARED)).scalars())
        raise Unknown(f"there is no host {wanted!r}{did_you_mean(near)}", code="unknown-host", nearest=near)
    return str(ids[0])
