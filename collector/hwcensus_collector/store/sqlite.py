"""SQLite's write path: executemany, with upserts.

There is one writer, and it holds the database's only write lock: see `hwcensus_collector.database.writing`.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import cast

from sqlalchemy import Connection, func, select

from hwcensus_collector import tables
from hwcensus_collector.store.writer import Row, Target


class SqliteWriter:
    """See `Writer`."""

    def insert(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        _run(connection, _insert(target), target, rows)

    def merge(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        _run(connection, _merge(target), target, rows)

    def update(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        # Parameters are numbered by column: SET comes before WHERE, whatever the order of the row.
        _run(connection, _update(target), target, rows)

    def delete(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        _run(connection, _delete(target), target, rows)

    def reserve(self, connection: Connection, count: int) -> Sequence[int]:
        # Nobody else writes until our COMMIT.
        last = connection.execute(select(func.coalesce(func.max(tables.device.c.id), 0))).scalar_one()
        return range(last + 1, last + 1 + count)

    def finish(self, connection: Connection) -> None:
        """Nothing is left: it works for each call at once, row by row."""


def _run(connection: Connection, statement: str, target: Target, rows: Sequence[Row]) -> None:
    if rows:
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        raw.executemany(statement, _converted(target)(rows))


@lru_cache(maxsize=10_000)
def instant(value: datetime) -> str:
    """A UTC time as SQLAlchemy writes it: without saying that it is UTC. (One stands in several rows of a batch.)"""
    return value.isoformat(" ", "microseconds")[:26]


@cache
def _converted(target: Target) -> Callable[[Iterable[Row]], Iterable[Row]]:
    """Rows as the driver takes them: all but times can stay."""
    times = [i for i, name in enumerate(target.columns) if isinstance(target.table.c[name].type, tables.Instant)]
    if not times:
        return lambda rows: rows

    def convert(rows: Iterable[Row]) -> Iterable[Row]:
        for row in rows:
            values = list(row)
            for i in times:
                value = values[i]
                if value is not None:
                    values[i] = instant(cast(datetime, value))
            yield values

    return convert


@cache
def _insert(target: Target) -> str:
    places = ", ".join(f"?{i}" for i, _ in enumerate(target.columns, 1))
    return f"INSERT INTO {target.table.name} ({_names(target.columns)}) VALUES ({places})"  # noqa: S608 (our own names)


@cache
def _merge(target: Target) -> str:
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in target.changed)
    action = f"UPDATE SET {changed}" if changed else "NOTHING"
    return f"{_insert(target)} ON CONFLICT ({_names(target.key)}) DO {action}"


@cache
def _update(target: Target) -> str:
    changed = ", ".join(_equal(target, name) for name in target.changed)
    return f"UPDATE {target.table.name} SET {changed} WHERE {_by_key(target)}"  # noqa: S608 (our own names)


@cache
def _delete(target: Target) -> str:
    return f"DELETE FROM {target.table.name} WHERE {_by_key(target)}"  # noqa: S608 (our own names)


def _by_key(target: Target) -> str:
    return " AND ".join(_equal(target, name) for name in target.key)


def _equal(target: Target, name: str) -> str:
    return f'"{name}" = ?{target.columns.index(name) + 1}'


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
