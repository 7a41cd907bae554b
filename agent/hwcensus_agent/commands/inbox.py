"""The inbox: a command id is taken once, its intent noted before the kernel is touched, its result kept.

The states are taken → begun → done. It lives in the spool's file; every function that writes is
called within the spool's transaction, so that a state and the answer about it are on disk together or not at all.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from hwcensus.command import IssuedCommand, read_command
from hwcensus.errors import InvalidDocument
from hwcensus.instant import write_instant
from hwcensus_agent.commands.answer import Answer
from hwcensus_agent.commands.census_port import Target

TAKEN, BEGUN, DONE = "taken", "begun", "done"

SCHEMA = """
CREATE TABLE IF NOT EXISTS inbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, body BLOB NOT NULL,
  at TEXT NOT NULL, intent TEXT, result TEXT
);
CREATE INDEX IF NOT EXISTS inbox_state ON inbox (state, number);
"""

#: How long an id is remembered: far longer than the topic keeps its record (retention, and a segment that rolls late).
KEPT = timedelta(days=60)


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What is about to be done, by which executor or binder; to whom, unless it is made anew; and the mark."""

    executor: str
    target: Target | None = None
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A command whose intent was noted and whose end was not."""

    command: IssuedCommand
    intent: Intent


def take(connection: sqlite3.Connection, command_id: str, body: bytes, at: datetime, *, state: str = TAKEN) -> bool:
    """Takes an id. False where it was taken before: then nothing is to be done."""
    taken = connection.execute(
        "INSERT INTO inbox (id, state, body, at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (command_id, state, body, write_instant(at)),
    )
    return taken.rowcount == 1


def begin(connection: sqlite3.Connection, command_id: str, intent: Intent) -> None:
    """Notes the intent. Commit before the kernel is touched."""
    connection.execute(
        "UPDATE inbox SET state = ?, intent = ? WHERE id = ? AND state = ?",
        (BEGUN, json.dumps(asdict(intent)), command_id, TAKEN),
    )


def finish(connection: sqlite3.Connection, answer: Answer) -> None:
    """Notes how it ended."""
    connection.execute(
        "UPDATE inbox SET state = ?, result = ? WHERE id = ?", (DONE, json.dumps(asdict(answer)), answer.command)
    )


def is_done(connection: sqlite3.Connection, command_id: str) -> bool:
    """Whether its result was noted."""
    return (
        connection.execute("SELECT 1 FROM inbox WHERE id = ? AND state = ?", (command_id, DONE)).fetchone() is not None
    )


def next_taken(connection: sqlite3.Connection) -> IssuedCommand | None:
    """The oldest command that was taken and not begun."""
    row = connection.execute("SELECT body FROM inbox WHERE state = ? ORDER BY number LIMIT 1", (TAKEN,)).fetchone()
    return None if row is None else read_command(row[0])


def begun(connection: sqlite3.Connection) -> Iterator[Begun]:
    """What was begun and not finished, oldest first: the agent stopped in between."""
    rows = connection.execute("SELECT body, intent FROM inbox WHERE state = ? ORDER BY number", (BEGUN,)).fetchall()
    for body, intent in rows:
        yield Begun(command=read_command(body), intent=_read_intent(intent))


def unreadable(connection: sqlite3.Connection) -> Iterator[tuple[str, Exception]]:
    """Ids of unfinished commands that another version of the agent noted in its own way, and what is wrong there."""
    rows = connection.execute("SELECT id, body, intent FROM inbox WHERE state <> ? ORDER BY number", (DONE,)).fetchall()
    for command_id, body, intent in rows:
        try:
            read_command(body)
            if intent is not None:
                _read_intent(intent)
        except (InvalidDocument, ValueError, LookupError, TypeError) as error:
            yield command_id, error


def _read_intent(text: str) -> Intent:
    noted = json.loads(text)
    target = noted["target"]
    return Intent(**noted | {"target": None if target is None else Target(**target)})


def forget_old(connection: sqlite3.Connection, at: datetime) -> int:
    """Drops finished commands that nobody can send again; tells how many."""
    return connection.execute("DELETE FROM inbox WHERE state = ? AND at < ?", (DONE, write_instant(at - KEPT))).rowcount
