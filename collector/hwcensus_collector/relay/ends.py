"""How people end a command: cancel one that has not left, abandon one that does not come back."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from hwcensus.errors import Refused
from hwcensus.instant import now, write_instant
from hwcensus_collector import tables
from hwcensus_collector.inventory import commands as inventory
from hwcensus_collector.relay.lifecycle import Mover, State, may_move
from hwcensus_collector.relay.steps import Moved, Step, move


def cancel(
    connection: Connection, command_id: str, *, actor: str, reason: str | None = None, door: str = "api"
) -> inventory.Command:
    """Takes back a command that is still queued. Raises Unknown; Refused (`too-late`) where it may be on its way."""
    row = _locked(connection, command_id)
    # With a partition, the relay is sending it just now, or did and does not know.
    if not may_move(State(row.state), State.CANCELLED, Mover.PERSON) or row.partition is not None:
        state = "on its way" if row.state == State.QUEUED else row.state
        raise Refused(f"the command is {state}; only a queued one can be cancelled", code="too-late")
    return _end(connection, row, Step(state=State.CANCELLED, by=actor, door=door, at=now(), text=reason))


def abandon(
    connection: Connection, command_id: str, *, actor: str, reason: str | None = None, door: str = "api"
) -> inventory.Command:
    """Gives up on a command that was sent and is past its deadline. Raises Unknown; Refused (`too-late` where it has
    ended, `not-sent`, `too-early`)."""
    row = _locked(connection, command_id)
    state, expires = State(row.state), row.expires
    if not may_move(state, State.ABANDONED, Mover.PERSON):
        if state is State.QUEUED:
            raise Refused("the command has not been sent; cancel it instead", code="not-sent")
        raise Refused(f"the command is {state}, that is its end", code="too-late")
    if expires > now():
        raise Refused(f"the command may still be answered: it is valid until {_minute(expires)}", code="too-early")
    return _end(connection, row, Step(state=State.ABANDONED, by=actor, door=door, at=now(), text=reason))


def _locked(connection: Connection, command_id: str) -> Row[Any]:
    inventory.find_command(connection, command_id)
    query = select(tables.command).where(tables.command.c.id == command_id)
    return connection.execute(query.with_for_update()).one()


def _end(connection: Connection, row: Row[Any], step: Step) -> inventory.Command:
    moved = move(connection, Moved(id=row.id, host=row.host, type=row.type, state=State(row.state)), step)
    assert moved, "the row is locked"
    return inventory.find_command(connection, row.id)


def _minute(instant: datetime) -> str:
    return write_instant(instant)[:16].replace("T", " ") + " UTC"
