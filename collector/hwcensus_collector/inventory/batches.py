"""Batches: one request for many hosts, and how far its commands are; queueing and stopping them is the relay's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Connection, Row, case, func, or_, select

from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.inventory.cursor import Page, Window, page_of, question_mark, read_cursor
from hwcensus_collector.inventory.refusal import Unknown
from hwcensus_collector.relay.lifecycle import ENDED, State

_batch, _command = tables.batch, tables.command
#: Ends that count against a batch; what a person cancels does not.
FAILURES = (State.FAILED, State.EXPIRED, State.ABANDONED)
UNDER_WAY = (State.DISPATCHED, State.ACCEPTED)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One request for many hosts. `state` is running, stopped (the rest was cancelled) or done."""

    id: str
    by: str
    issued: datetime
    #: Class of device it is about.
    subject: str | None
    at_once: int
    stop_after: int
    state: str
    #: Commands, and how many of them are in which state.
    commands: int
    states: dict[str, int]
    #: Those that failed, expired, were abandoned or are overdue.
    failures: int
    #: [{host, code, detail}] that got no command.
    refused: list[dict[str, str]]
    stopped_at: datetime | None
    stopped_by: str | None
    reason: str | None


def has_failed(at: datetime) -> ColumnElement[bool]:
    """Whether a command counts against its batch. One that is overdue does: its host may never answer; or Kafka may
    never have got it, and nobody knows."""
    begun = or_(_command.c.state.in_(UNDER_WAY), (_command.c.state == State.QUEUED) & _command.c.partition.is_not(None))
    return or_(_command.c.state.in_(FAILURES), begun & (_command.c.expires <= at))


def list_batches(connection: Connection, window: Window) -> Page[Batch]:
    """The newest first. Raises BadParameter for the cursor."""
    mark = question_mark("batches")
    after = read_cursor(window.cursor, mark, (str,))
    query = select(_batch).order_by(_batch.c.id.desc()).limit(window.limit + 1)
    if after is not None:
        query = query.where(_batch.c.id < after[0])
    page = page_of(list(connection.execute(query)), window.limit, mark, lambda row: (row.id,))
    told = {one.id: one for one in _batches(connection, page.items)}
    return page.map(lambda row: told[row.id])


def find_batch(connection: Connection, wanted: str) -> Batch:
    """One batch. Raises Unknown (`unknown-batch`)."""
    row = connection.execute(select(_batch).where(_batch.c.id == wanted)).one_or_none()
    if row is None:
        raise Unknown(f"there is no batch {wanted!r}", code="unknown-batch")
    return _batches(connection, [row])[0]


def _batches(connection: Connection, rows: Sequence[Row[tuple[object, ...]]]) -> list[Batch]:
    ids = [row.id for row in rows]
    failed = func.sum(case((has_failed(now()), 1), else_=0)).label("failed")
    query = select(_command.c.batch, _command.c.state, func.count().label("number"), failed)
    counted = connection.execute(query.where(_command.c.batch.in_(ids)).group_by(_command.c.batch, _command.c.state))
    states: dict[str, dict[str, int]] = {}
    failures: dict[str, int] = {}
    for count in counted:
        states.setdefault(count.batch, {})[count.state] = count.number
        failures[count.batch] = failures.get(count.batch, 0) + int(count.failed)
    return [_told(row, states.get(row.id, {}), failures.get(row.id, 0)) for row in rows]


def _told(row: Row[tuple[object, ...]], states: dict[str, int], failures: int) -> Batch:
    running = any(State(state) not in ENDED for state in states)
    return Batch(
        id=row.id,
        by=row.by,
        issued=row.issued,
        subject=row.subject,
        at_once=row.at_once,
        stop_after=row.stop_after,
        state="running" if running else "done" if row.stopped_at is None else "stopped",
        commands=sum(states.values()),
        states=dict(sorted(states.items())),
        failures=failures,
        refused=cast("list[dict[str, str]]", row.refused),
        stopped_at=row.stopped_at,
        stopped_by=row.stopped_by,
        reason=row.reason,
    )
