"""The audit for those who ask who did what. In the order in which it was written: a host's clock says only when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Connection, Select, false, func, select, union_all

from hwcensus_collector import tables
from hwcensus_collector.audit import Action
from hwcensus_collector.inventory.cursor import Key, Page, Window, page_of, question_mark, read_cursor, read_cursor_time
from hwcensus_collector.inventory.refusal import BadParameter, did_you_mean, nearest_names

_audit = tables.audit


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What was done, by whom (`local:NAME` a person, `relay`, or a host's id) and through which door: api, cli, agent
    or relay."""

    id: int
    #: By the clock of who did it.
    at: datetime
    actor: str
    door: str
    action: str
    #: Id or name of what was changed.
    subject: str
    #: What more there is to say of such an action; texts of hosts are as they sent them, cut where they are long.
    detail: dict[str, object]


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """All that is given must hold; a host may be named in `actor` and `subject`. Raises BadParameter
    (`unknown-action`)."""

    actor: str | None = None
    #: `host.retire`, or with a dot at its end all that begin so: `host.`
    action: str | None = None
    subject: str | None = None

    def __post_init__(self) -> None:
        if self.action is not None and not self.actions:
            near = nearest_names(self.action, Action)
            hint = did_you_mean(near) or f"; there are {', '.join(Action)}"
            raise BadParameter(f"there is no action {self.action!r}{hint}", code="unknown-action", nearest=near)

    @property
    def actions(self) -> tuple[Action, ...]:
        """Those that are meant; none where all are."""
        wanted = self.action or ""
        return tuple(one for one in Action if one == wanted or (wanted.endswith(".") and one.startswith(wanted)))

    def conditions(self, connection: Connection) -> Iterator[ColumnElement[bool]]:
        """But for the action."""
        if self.actor is not None:
            yield _audit.c.actor.in_(_meant(connection, self.actor))
        if self.subject is not None:
            yield _audit.c.subject.in_(_meant(connection, self.subject))


def _meant(connection: Connection, wanted: str) -> list[str]:
    """The text itself, and the ids of the hosts that bear it as a name, retired ones too."""
    host = tables.host
    return [wanted, *connection.execute(select(host.c.id).where(host.c.name == wanted)).scalars()]


def list_deeds(
    connection: Connection,
    wanted: AuditFilter,
    window: Window,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[Deed]:
    """The last written first; `until` itself is left out. Raises BadParameter for a cursor."""
    # The mark leaves the times out: "7d" is another instant at every request.
    mark = question_mark("audit", wanted, since is None)
    key = read_cursor(window.cursor, mark, (int,) if since is None else (int, int, str))
    first = None if since is None else _first(connection, since, key)
    query = select(_audit).where(*wanted.conditions(connection), *_between(first, since, until))
    if key is not None:
        query = query.where(_audit.c.id < key[0])
    rows = connection.execute(_newest(query, wanted.actions, window.limit + 1))
    found = [Deed(**row._mapping) for row in rows]  # the columns and the fields have the same names
    beginning = () if since is None else (first or 0, since.isoformat())
    return page_of(found, window.limit, mark, lambda one: (one.id, *beginning))


def _first(connection: Connection, since: datetime, key: Key | None) -> int | None:
    """The first row of that time. All that are of it are looked through: so a cursor has it for the next page, whose
    "7d" begins later."""
    if key is not None and read_cursor_time(cast(str, key[2])) <= since:
        return cast(int, key[1])
    # The sum keeps PostgreSQL from seeking that row from the oldest one on.
    return connection.execute(select(func.min(_audit.c.id + 0)).where(_audit.c.at >= since)).scalar()


def _between(first: int | None, since: datetime | None, until: datetime | None) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        # Nothing written before the first row of that time is looked at.
        yield false() if first is None else _audit.c.id >= first
        yield _audit.c.at >= since
    if until is not None:
        yield _audit.c.at < until


def _newest(query: Select[tuple[object, ...]], actions: tuple[Action, ...], limit: int) -> Select[tuple[object, ...]]:
    """The newest rows of a query that are of these actions. Of several actions the newest of each are merged, so that
    the index gives them in order."""
    each = [query.where(_audit.c.action == action) for action in actions] or [query]
    parts = [one.order_by(_audit.c.id.desc()).limit(limit) for one in each]
    if len(parts) == 1:
        return parts[0]
    merged = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return cast("Select[tuple[object, ...]]", select(merged).order_by(merged.c.id.desc()).limit(limit))
