"""What agents answered: called by ingest within its transaction, so that a result is noted exactly once.

A result that comes late or twice is kept as a step and moves nothing; after `abandoned` it tells what became of a WWN.
What an agent refused because it was forged, sent elsewhere or replayed is audited all the same; so is what it obeyed
though it is no command of this database: ordered before that was made, or by who has stolen the key.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from hwcensus.event import Produced
from hwcensus_collector import tables
from hwcensus_collector.audit import Action, audit
from hwcensus_collector.relay.lifecycle import SUSPECT, TOLD, State, after_told
from hwcensus_collector.relay.steps import Moved, Step, move, note
from hwcensus_collector.wwns.life import follow_late, lock_all

log = logging.getLogger(__name__)

#: What an agent tells of a command whose signature, host and stream were right. A resync has no such results.
_OBEYED = frozenset({State.ACCEPTED, State.SUCCEEDED})
#: Characters of an id or a code, and of a text, that are kept: ours are shorter. A rogue's would fill the audit, which
#: is kept for ever, and an index takes no text of any length.
_LONGEST_WORD, _LONGEST_TEXT = 64, 4000


@dataclass(frozen=True, kw_only=True)
class ResultStep:
    """One `result` event. `host` is who said so, `at` when by its clock."""

    command: str
    host: str
    state: str
    at: datetime
    code: str | None = None
    text: str | None = None
    produced: tuple[Produced, ...] = ()

    def cut(self) -> "ResultStep":
        """As it is kept."""
        return replace(
            self,
            command=_cut(self.command, _LONGEST_WORD),
            code=self.code and _cut(self.code, _LONGEST_WORD),
            text=self.text and _cut(self.text, _LONGEST_TEXT),
        )

    def step(self, state: State) -> Step:
        """The step of that state that it tells of."""
        return Step(state=state, by=self.host, door="agent", at=self.at, code=self.code, text=self.text)


def record_results(connection: Connection, results: Sequence[ResultStep]) -> None:
    """Notes results in their order. Those about a command that is unknown, or another host's, move nothing."""
    if not results:
        return
    kept = [result.cut() for result in results]
    known = _commands(connection, {result.command for result in kept})
    lock_all(connection, known, late=[one.id for one in known.values() if one.state is State.ABANDONED])
    for result in kept:
        command = known.get(result.command)
        # A resync is no row; what else is unknown came before this database was made.
        if command is None or command.host != result.host or result.state not in {str(state) for state in TOLD}:
            log.warning(
                "a result that belongs to no command of its host",
                extra={"command": result.command, "host": result.host, "state": result.state, "code": result.code},
            )
            _audit_suspect(connection, result)
            if result.state in _OBEYED:
                _audit_stranger(connection, Action.COMMAND_UNKNOWN, State(result.state), result)
            continue
        known[command.id] = _record(connection, command, result)


def _commands(connection: Connection, ids: set[str]) -> dict[str, Moved]:
    table = tables.command
    # In one order everywhere, so that two transactions do not wait for each other.
    query = select(table.c.id, table.c.host, table.c.type, table.c.state).where(table.c.id.in_(ids))
    rows = connection.execute(query.order_by(table.c.id).with_for_update())
    return {row.id: Moved(id=row.id, host=row.host, type=row.type, state=State(row.state)) for row in rows}


def _record(connection: Connection, command: Moved, result: ResultStep) -> Moved:
    """The command as it is after the result."""
    told = State(result.state)
    step = result.step(told)
    path = after_told(command.state, told)
    if not path:
        note(connection, command.id, step)
        _audit_suspect(connection, result)
        if command.state is State.ABANDONED and result.code not in SUSPECT:
            follow_late(connection, command.id, command.type, told, result.code)
        return command
    for state in path[:-1]:
        sent = Step(state=state, by="relay", door="relay", at=result.at, text="known by its answer")
        move(connection, command, sent)
        command = replace(command, state=state)
    move(connection, command, step, _outcome(command, result))
    return replace(command, state=told)


def _audit_suspect(connection: Connection, result: ResultStep) -> None:
    """Somebody who is not the collector sent something to a host, it says: and no command's own steps tell of it."""
    if result.code in SUSPECT:
        _audit_stranger(connection, Action.COMMAND_REFUSED, State.FAILED, result)


def _audit_stranger(connection: Connection, action: Action, state: State, result: ResultStep) -> None:
    """What a host said of something that claims to be this command, whatever became of the command itself."""
    detail = {"host": result.host, "state": state, "code": result.code, "text": result.text}
    audit(connection, result.step(state).deed(action, result.command, detail))


def _outcome(command: Moved, result: ResultStep) -> dict[str, object]:
    values: dict[str, object] = {"code": result.code, "text": result.text}
    if result.produced:
        values["produced"] = [{"identity": one.identity, "name": one.name} for one in result.produced]
        if command.type == "create":
            values |= {"identity": result.produced[0].identity, "name": result.produced[0].name}
    return values


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
