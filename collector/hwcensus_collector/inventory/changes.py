"""The feed of changes: by position for programs that resume, by time for people."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from hwcensus_collector.inventory.cursor import Page, Window, page_of, question_mark, read_cursor, read_cursor_time
from hwcensus_collector.inventory.refusal import BadParameter
from hwcensus_collector.inventory.version import KINDS, Version, to_version, version_rows
from hwcensus_collector.tables import capability, device_version, feed


@dataclass(frozen=True, kw_only=True)
class ChangeFilter:
    """All that is given must hold. `host` is an id, `cap` a written type."""

    host: str | None = None
    cap: str | None = None
    kinds: tuple[str, ...] = KINDS

    def narrow(self, query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
        if self.host is not None:
            query = query.where(device_version.c.host == self.host)
        if self.cap is not None:
            having = select(capability.c.device).where(
                capability.c.device == device_version.c.device, capability.c.type == self.cap
            )
            query = query.where(having.exists())
        if set(self.kinds) != set(KINDS):
            query = query.where(device_version.c.kind.in_(self.kinds))
        return query


def feed_position(connection: Connection) -> int:
    """The position of the newest version; 0 before the first."""
    return connection.execute(select(feed.c.position)).scalar_one_or_none() or 0


def changes_after(connection: Connection, position: int, wanted: ChangeFilter, limit: int) -> list[Version]:
    """Versions beyond a feed position, in the order in which they became visible."""
    query = wanted.narrow(version_rows()).where(device_version.c.feed > position).order_by(device_version.c.feed)
    return [to_version(row) for row in connection.execute(query.limit(limit))]


def list_changes(
    connection: Connection, wanted: ChangeFilter, window: Window, *, after: int = 0, since: datetime | None = None
) -> Page[Version]:
    """Changes beyond feed position `after` in feed order, or, with `since`, by the time since which they hold.

    Raises BadParameter for a cursor.
    """
    if not 0 <= after < 1 << 63:
        raise BadParameter(f"{after} is no position in the feed", code="bad-position")
    if since is not None:
        return _since(connection, wanted, window, after, since)
    mark = question_mark("changes", wanted, after)
    key = read_cursor(window.cursor, mark, (int,))
    found = changes_after(connection, after if key is None else cast(int, key[0]), wanted, window.limit + 1)
    return page_of(found, window.limit, mark, lambda one: (one.feed,))


def _since(connection: Connection, wanted: ChangeFilter, window: Window, after: int, since: datetime) -> Page[Version]:
    """By time, so that the index on it gives the rows in order; the feed's order is another, as agents may be late."""
    # The mark leaves the time out: a cursor says where to go on, and "7d" is another instant at every request.
    mark = question_mark("changes since", wanted, after)
    key = read_cursor(window.cursor, mark, (str, int))
    columns = (device_version.c.valid_from, device_version.c.feed)
    query = wanted.narrow(version_rows()).where(device_version.c.valid_from >= since).order_by(*columns)
    if after:
        query = query.where(device_version.c.feed > after)
    if key is not None:
        query = query.where(_beyond(columns, read_cursor_time(str(key[0])), cast(int, key[1])))
    found = [to_version(row) for row in connection.execute(query.limit(window.limit + 1))]
    return page_of(found, window.limit, mark, lambda one: (one.valid_from.isoformat(), one.feed))


def _beyond(
    columns: tuple[ColumnElement[datetime], ColumnElement[int]], at: datetime, position: int
) -> ColumnElement[bool]:
    time, feed_column = columns
    # The first condition says nothing new; it is the one that an index on the time alone can start from.
    return (time >= at) & (tuple_(time, feed_column) > tuple_(at, position))
