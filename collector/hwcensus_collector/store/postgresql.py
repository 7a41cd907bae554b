"""PostgreSQL's write path: COPY into a staging table, then one set-based statement.

Staging tables are temporary, one a target and connection, and empty after every transaction.
"""

from collections.abc import Sequence
from functools import cache
from typing import cast

import psycopg
from psycopg.types.string import BytesBinaryDumper
from sqlalchemy import JSON, BigInteger, Boolean, Connection, Float, Integer, LargeBinary, text

from hwcensus_collector.store.writer import Row, Target
from hwcensus_collector.tables import Instant

#: Column types as COPY has them in binary; JSON travels as text. The first that fits counts.
TYPES: tuple[tuple[type, str], ...] = (
    (BigInteger, "int8"),
    (Integer, "int4"),
    (Boolean, "bool"),
    (Float, "float8"),
    (LargeBinary, "bytea"),
    (Instant, "timestamptz"),
)


class PostgresqlWriter:
    """See `Writer`."""

    def __init__(self) -> None:
        #: Updates whose rows are staged.
        self._updates: list[str] = []

    def insert(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        if rows and any(isinstance(target.table.c[name].type, JSON) for name in target.columns):
            _staged(connection, target, rows, _insert(target))
        elif rows:
            _copy(connection, target.table.name, target, rows)

    def merge(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        if rows:
            _staged(connection, target, rows, _merge(target))

    def update(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        if rows:
            _stage(connection, target, rows)
            self._updates.append(_update(target))

    def delete(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        if rows:
            _staged(connection, target, rows, _delete(target))

    def reserve(self, connection: Connection, count: int) -> Sequence[int]:
        # Not gapless, and need not be: each call of nextval gives what nobody else gets.
        ids = connection.execute(
            text("SELECT nextval(pg_get_serial_sequence('device', 'id')) FROM generate_series(1, :count)"),
            {"count": count},
        )
        return list(ids.scalars())

    def finish(self, connection: Connection) -> None:
        while self._updates:
            connection.exec_driver_sql(self._updates.pop(0))


def _staged(connection: Connection, target: Target, rows: Sequence[Row], statement: str) -> None:
    _stage(connection, target, rows)
    connection.exec_driver_sql(statement)


def _stage(connection: Connection, target: Target, rows: Sequence[Row]) -> None:
    connection.exec_driver_sql(_create(target))
    _copy(connection, _staging(target), target, rows)


def _copy(connection: Connection, table: str, target: Target, rows: Sequence[Row]) -> None:
    raw = cast(psycopg.Connection[tuple[object, ...]], connection.connection.driver_connection)
    statement = f"COPY {table} ({_names(target.columns)}) FROM STDIN (FORMAT BINARY)"
    with raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        # The last one registered for a type counts, and that is slow Python for DB-API's Binary by default.
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
        copy.set_types([_type(target, name) for name in target.columns])
        write = copy.write_row
        for row in rows:
            write(row)


def _type(target: Target, name: str) -> str:
    of = target.table.c[name].type
    return next((short for kind, short in TYPES if isinstance(of, kind)), "text")


def _staging(target: Target) -> str:
    return f"stage_{target.name}"


@cache
def _create(target: Target) -> str:
    columns = ", ".join(f'"{name}" {_type(target, name)}' for name in target.columns)
    return f"CREATE TEMP TABLE IF NOT EXISTS {_staging(target)} ({columns}) ON COMMIT DELETE ROWS"


@cache
def _insert(target: Target) -> str:
    # In order of the key, so that two writers of the same rows wait for each other instead of both for ever.
    order = f" ORDER BY {_names(target.key)}" if target.key else ""
    values = ", ".join(_value(target, name) for name in target.columns)
    return (
        f"INSERT INTO {target.table.name} ({_names(target.columns)}) "  # noqa: S608 (our own names)
        f"SELECT {values} FROM {_staging(target)}{order}"
    )


@cache
def _merge(target: Target) -> str:
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in target.changed)
    action = f"UPDATE SET {changed}" if changed else "NOTHING"
    return f"{_insert(target)} ON CONFLICT ({_names(target.key)}) DO {action}"


@cache
def _update(target: Target) -> str:
    changed = ", ".join(f'"{name}" = {_value(target, name, "stage.")}' for name in target.changed)
    return (
        f"UPDATE {target.table.name} AS old SET {changed} "  # noqa: S608 (our own names)
        f"FROM {_staging(target)} AS stage WHERE {_by_key(target)}"
    )


@cache
def _delete(target: Target) -> str:
    return f"DELETE FROM {target.table.name} AS old USING {_staging(target)} AS stage WHERE {_by_key(target)}"  # noqa: S608


def _by_key(target: Target) -> str:
    return " AND ".join(f'old."{name}" = stage."{name}"' for name in target.key)


def _value(target: Target, name: str, prefix: str = "") -> str:
    cast_to = "::jsonb" if isinstance(target.table.c[name].type, JSON) else ""
    return f'{prefix}"{name}"{cast_to}'


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
