"""How people end a command: cancel one that has not left, abandon one that does not come back."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from hwcensus.errors import Refused
from hwcensus.instant import now, write_instant
from hwcensus_collector import tables
from hwcensus_collector.inventory import commands as inventory
from hwcensus_collector.relay.lifecycle import Mover, State, may_move, to_abandoned
from hwcensus_collector.relay.steps import Moved, Step, move


def cancel(
    connection: Connection, command_id: str, *, actor: str, reason: str | None = None, door: str = "api"
) -> inventory.Command:
    """Takes back a command that is still queued. Raises Unknown; Refused (`too-late`) where it may be on its way."""
    row = _locked(connection, command_id)
    # With a partition, the relay is sending it just now, or did and does not know.
    if not may_move(State(row.state), State.CANCELLED, Mover.PERSON) or row.partition is not None:
        on_its_way = "on its way, and can be abandoned when its deadline is past"
        state = on_its_way if row.state == State.QUEUED else row.state
        raise Refused(f"the command is {state}; only a queued one can be cancelled", code="too-late")
    return _end(connection, row, State.QUEUED, Step(state=State.CANCELLED, by=actor, door=door, at=now(), text=reason))


def abandon(
    connection: Connection, command_id: str, *, actor: str, reason: str | None = None, door: str = "api"
) -> inventory.Command:
    """Gives up on a command that was sent, or may have been, and is past its deadline. Raises Unknown; Refused
    (`too-late` where it has ended, `not-sent`, `too-early`)."""
    row = _locked(connection, command_id)
    state, expires = State(row.state), row.expires
    path = to_abandoned(state, claimed=row.partition is not None)
    if not path:
        if state is State.QUEUED:
            raise Refused("the command has not been sent; cancel it instead", code="not-sent")
        raise Refused(f"the command is {state}, that is its end", code="too-late")
    if expires > now():
        raise Refused(f"the command may still be answered: it is valid until {_minute(expires)}", code="too-early")
    if path[0] is State.DISPATCHED:
        sent = Step(state=State.DISPATCHED, by="relay", door="relay", at=now(), text="it may have been sent")
        move(connection, Moved(id=row.id, host=row.host, type=row.type, state=state), sent)
        state = State.DISPATCHED
    return _end(connection, row, state, Step(state=State.ABANDONED, by=actor, door=door, at=now(), text=reason))


def _locked(connection: Connection, command_id: str) -> Row[Any]:
    inventory.find_command(connection, command_id)
    query = select(tables.command).where(tables.command.c.id == command_id)
    return connection.execute(query.with_for_update()).one()


def _end(connection: Connection, row: Row[Any], state: State, step: Step) -> inventory.Command:
    moved = move(connection, Moved(id=row.id, host=row.host, type=row.type, state=state), step)
    assert moved, "the row is locked"
    return inventory.find_command(connection, row.id)


def _minute(instant: datetime) -> str:
    return write_instant(instant)[:16].replace("T", " ") + " UTC"
