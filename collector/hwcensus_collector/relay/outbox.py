"""The SQL side of sending: which commands are next, which are being sent, which were, and which came too late.

A command is *claimed* before it goes to Kafka: it stays `queued`, but has a partition, and nobody can cancel it any
more. One that was claimed and not noted as sent is sent again: the same bytes, which its agent knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update

from hwcensus.instant import now, write_instant
from hwcensus_collector import tables
from hwcensus_collector.inventory.batches import UNDER_WAY
from hwcensus_collector.relay.batch import failing
from hwcensus_collector.relay.lifecycle import State
from hwcensus_collector.relay.steps import Moved, Step, move

#: Commands of one round.
AT_ONCE = 500

_command, _host, _batch = tables.command, tables.host, tables.batch


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A record for one partition of the commands topic: the exact bytes that are signed."""

    id: str
    host: str
    type: str
    partition: int
    body: bytes


def has_sendable() -> ColumnElement[bool]:
    """Whether anything waits that could leave now."""
    return _sendable().exists()


def has_late(at: datetime) -> ColumnElement[bool]:
    """Whether anything waits that is past its deadline and was never sent."""
    return _late(at).exists()


def _sendable() -> Select[str]:
    """Ids in the order of sending. Hosts that are in conflict, or whose partition is not known, wait; so do commands of
    a batch that has enough under way, or has failed too often, unless they are claimed: only their hosts end them."""
    claimed = _command.c.partition.is_not(None)
    return (
        select(_command.c.id)
        .join(_host, _host.c.id == _command.c.host)
        .where(_command.c.state == State.QUEUED, *_can_be_sent())
        .where(or_(_command.c.batch.is_(None), claimed, _command.c.id.in_(_next_of_batches(now()))))
        .order_by(_command.c.number)
    )


def _can_be_sent() -> tuple[ColumnElement[bool], ...]:
    return (_host.c.conflict.is_(None), _host.c.retired_at.is_(None), _host.c.commands_partition.is_not(None))


def _next_of_batches(at: datetime) -> Select[str]:
    """The first `at_once` commands of each batch that may be under way, those first that are.

    One past its deadline is not counted as under way: no agent begins it any more, and it counts as a failure.
    """
    begun = _command.c.partition.is_not(None)
    place = func.row_number().over(partition_by=_command.c.batch, order_by=(begun.desc(), _command.c.number))
    open_ones = (
        select(_command.c.id, place.label("place"), _batch.c.at_once)
        .join(_host, _host.c.id == _command.c.host)
        .join(_batch, _batch.c.id == _command.c.batch)
        .where(_command.c.state.in_((State.QUEUED, *UNDER_WAY)), _command.c.expires > at)
        .where(or_(begun, and_(*_can_be_sent(), _command.c.batch.not_in(failing(at)))))
        .subquery()
    )
    return select(open_ones.c.id).where(open_ones.c.place <= open_ones.c.at_once)


def _late(at: datetime) -> Select[str]:
    return (
        select(_command.c.id)
        .where(_command.c.state == State.QUEUED, _command.c.partition.is_(None), _command.c.expires <= at)
        .order_by(_command.c.id)
    )


def expire(connection: Connection, at: datetime) -> list[str]:
    """Ends commands that were never sent and are past their deadline; tells which."""
    late = _late(at).add_columns(_command.c.host, _command.c.type, _command.c.expires)
    rows = connection.execute(late.limit(AT_ONCE).with_for_update()).all()
    for row in rows:
        text = f"valid until {write_instant(row.expires)}, and it could not be sent to {row.host} before"
        step = Step(state=State.EXPIRED, by="relay", door="relay", at=at, code="expired", text=text)
        values = {"code": step.code, "text": step.text}
        move(connection, Moved(id=row.id, host=row.host, type=row.type, state=State.QUEUED), step, values)
    return [row.id for row in rows]


def claim(connection: Connection, partitions: int) -> list[Outgoing]:
    """The next commands in order, claimed. `partitions` is how many the commands topic has: who reads another waits."""
    next_ones = _sendable().where(_host.c.commands_partition < partitions).limit(AT_ONCE)
    ids = connection.execute(next_ones).scalars().all()
    # Locked in the order in which everybody locks commands, so that no two transactions wait for each other.
    locked = select(_command.c.id).where(_command.c.id.in_(ids)).order_by(_command.c.id).with_for_update()
    connection.execute(locked).all()
    query = (
        select(_command.c.id, _command.c.host, _command.c.type, _command.c.body, _host.c.commands_partition)
        .join(_host, _host.c.id == _command.c.host)
        .where(_command.c.id.in_(ids), _command.c.state == State.QUEUED)
        .order_by(_command.c.number)
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
