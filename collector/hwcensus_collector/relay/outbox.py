"""The SQL side of sending: which commands are next, which are being sent, which were, and which came too late.

A command is *claimed* before it goes to Kafka: it stays `queued`, but has a partition, and nobody can cancel it any
more. One that was claimed and not noted as sent is sent again: the same bytes, which its agent knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from hwcensus_collector import tables
from hwcensus_collector.relay.lifecycle import State
from hwcensus_collector.relay.steps import Moved, Step, move

#: Commands of one round.
AT_ONCE = 500

_command, _host = tables.command, tables.host


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A record for one partition of the commands topic: the exact bytes that are signed."""

    id: str
    host: str
    type: str
    partition: int
    body: bytes


def has_queued(connection: Connection) -> bool:
    """Whether anything waits."""
    return (
        connection.execute(select(_command.c.id).where(_command.c.state == State.QUEUED).limit(1)).first() is not None
    )


def expire(connection: Connection, at: datetime) -> int:
    """Ends commands that were never sent and are past their deadline; tells how many."""
    late = select(_command.c.id, _command.c.host, _command.c.type).where(
        _command.c.state == State.QUEUED, _command.c.partition.is_(None), _command.c.expires <= at
    )
    step = Step(
        state=State.EXPIRED, by="relay", door="relay", at=at, code="expired", text="it could not be sent in time"
    )
    rows = connection.execute(late.order_by(_command.c.id).limit(AT_ONCE).with_for_update()).all()
    for row in rows:
        values = {"code": step.code, "text": step.text}
        move(connection, Moved(id=row.id, host=row.host, type=row.type, state=State.QUEUED), step, values)
    return len(rows)


def claim(connection: Connection, partitions: int) -> list[Outgoing]:
    """The next commands in order, claimed. `partitions` is how many the commands topic has.

    Hosts that are in conflict, or whose partition is not known, wait.
    """
    query = (
        select(_command.c.id, _command.c.host, _command.c.type, _command.c.body, _host.c.commands_partition)
        .join(_host, _host.c.id == _command.c.host)
        .where(_command.c.state == State.QUEUED, _host.c.conflict.is_(None), _host.c.retired_at.is_(None))
        .where(_host.c.commands_partition < partitions)
        .order_by(_command.c.number)
        .limit(AT_ONCE)
        .with_for_update(of=_command)
    )
    claimed = [
        Outgoing(id=row.id, host=row.host, type=row.type, partition=row.commands_partition, body=row.body)
        for row in connection.execute(query)
    ]
    for one in claimed:
        connection.execute(update(_command).where(_command.c.id == one.id).values(partition=one.partition))
    return claimed


def note_sent(connection: Connection, sent: Sequence[Outgoing], at: datetime) -> None:
    """Kafka has acknowledged these. One whose agent was faster has moved on already."""
    step = Step(state=State.DISPATCHED, by="relay", door="relay", at=at)
    for one in sorted(sent, key=lambda one: one.id):
        move(connection, Moved(id=one.id, host=one.host, type=one.type, state=State.QUEUED), step)
