"""Records that could not be processed: where they stand in Kafka, and why."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from hwcensus_collector.inventory.cursor import Page, Window, page_of, question_mark, read_cursor
from hwcensus_collector.tables import dead_letter


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """One record; its `size` is in bytes. The bytes themselves stay in SQL, for replay."""

    id: int
    topic: str
    partition: int
    offset: int
    at: datetime
    #: As the headers or the record name it, so it may be made up.
    host: str | None
    headers: dict[str, object]
    code: str
    reason: str
    size: int


def list_dead_letters(
    connection: Connection, window: Window, *, host: str | None = None, code: str | None = None
) -> Page[DeadLetter]:
    """The newest first. `host` is as the record named it. Raises BadParameter for a cursor."""
    mark = question_mark("dead letters", host, code)
    after = read_cursor(window.cursor, mark, (int,))
    size = func.length(dead_letter.c.value).label("size")
    columns = [column for column in dead_letter.c if column.name != "value"]
    query = select(*columns, size).order_by(dead_letter.c.id.desc()).limit(window.limit + 1)
    if host is not None:
        query = query.where(dead_letter.c.host == host)
    if code is not None:
        query = query.where(dead_letter.c.code == code)
    if after is not None:
        query = query.where(dead_letter.c.id < after[0])
    found = [
        DeadLetter(**row._mapping)  # the columns and the fields have the same names
        for row in connection.execute(query)
    ]
    return page_of(found, window.limit, mark, lambda one: (one.id,))
