"""How SQLite goes about what it is asked. Not a test."""

import re
from collections.abc import Callable

from sqlalchemy import Connection, event


def looked_through(connection: Connection, work: Callable[[], object]) -> set[str]:
    """The tables that any statement of `work` on this connection reads from one end to the other, without an index."""
    said: list[tuple[str, object]] = []

    def note(_: object, __: object, statement: str, parameters: object, *rest: object) -> None:
        said.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    work()
    event.remove(connection, "before_cursor_execute", note)
    assert said
    scans = (re.fullmatch(r"SCAN (\w+)", step) for one in said for step in _plan(connection, *one))
    return {scan[1] for scan in scans if scan is not None}


def _plan(connection: Connection, statement: str, parameters: object) -> list[str]:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
    return [row.detail for row in rows]
