"""Writing a step of a command's life: its new state, the step itself, and the audit row, in the caller's transaction.

Whether a step is legal is `lifecycle.py`'s to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, text, update

from hwcensus_collector import tables
from hwcensus_collector.audit import Action, Deed, audit
from hwcensus_collector.relay.lifecycle import State
from hwcensus_collector.wwns.life import follow

#: Any number, the same in all our programs: whoever queues a command holds it to the end of the transaction.
_QUEUE_LOCK = 0x68776371


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: who made it (a person, `relay`, or a host's id) through which door, when, and why."""

    state: State
    by: str
    door: str
    at: datetime
    code: str | None = None
    text: str | None = None

    def deed(self, action: Action, subject: str, detail: Mapping[str, object]) -> Deed:
        """What the audit has of it, but for what is None."""
        said = {key: value for key, value in detail.items() if value is not None}
        return Deed(at=self.at, actor=self.by, door=self.door, action=action, subject=subject, detail=said)


@dataclass(frozen=True, kw_only=True)
class Moved:
    """The command that a step is about."""

    id: str
    host: str
    type: str
    state: State


def move(connection: Connection, command: Moved, step: Step, values: Mapping[str, object] | None = None) -> bool:
    """Moves a command from the state it was seen in, sets further columns, notes and audits it; WWNs follow.

    False, and nothing done, where it has another state by now.
    """
    table = tables.command
    moved = connection.execute(
        update(table)
        .where(table.c.id == command.id, table.c.state == command.state)
        .values(state=step.state, updated_at=step.at, **(values or {}))
    )
    if moved.rowcount != 1:
        return False
    note(connection, command.id, step)
    audit_move(connection, command, step)
    follow(connection, command.id, command.type, step.state, step.code)
    return True


def note(connection: Connection, command_id: str, step: Step) -> None:
    """Keeps a step, whether it moved the command or came late."""
    connection.execute(
        insert(tables.command_event).values(
            command=command_id, state=step.state, at=step.at, by=step.by, code=step.code, text=step.text
        )
    )


def audit_move(connection: Connection, command: Moved, step: Step) -> None:
    """Who moved a command from which state."""
    detail = {"host": command.host, "type": command.type, "from": command.state, "code": step.code, "text": step.text}
    audit(connection, step.deed(Action(f"command.{step.state}"), command.id, detail))


def take_turn(connection: Connection) -> None:
    """Lets one transaction at a time queue commands, so that numbers and idempotency keys are given once.

    SQLite has only one writer anyway (`database.writing`).
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _QUEUE_LOCK})
