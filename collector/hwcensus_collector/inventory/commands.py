"""Commands and the steps of their life, as they stand in SQL; queueing and cancelling them is the relay's."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from hwcensus.command import CHECK
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.inventory.cursor import Page, Window, page_of, question_mark, read_cursor
from hwcensus_collector.inventory.refusal import BadParameter, Unknown, did_you_mean, nearest_names
from hwcensus_collector.relay.lifecycle import ENDED, State, is_overdue

#: What is done to a device that is there.
DONE_TO = ("destroy", "detach", "reattach")
#: What may be ordered; a resync is asked for by the relay, and no row.
TYPES = ("create", *DONE_TO, *(f"{CHECK}{type_}" for type_ in ("create", *DONE_TO)))


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: who made it (a person, `relay`, or a host's id), when, and what it said."""

    state: str
    at: datetime
    by: str
    code: str | None
    text: str | None


@dataclass(frozen=True, kw_only=True)
class Command:
    """An order to one host and what became of it."""

    id: str
    host: str
    host_name: str
    type: str
    #: One of `lifecycle.State`.
    state: str
    #: Past its deadline without a result.
    overdue: bool
    #: Class of device it is about, and the device it acts on.
    subject: str | None
    identity: str | None
    name: str | None
    by: str
    issued: datetime
    expires: datetime
    updated_at: datetime
    code: str | None
    text: str | None
    #: [{identity, name}] of the devices it made.
    produced: list[dict[str, str]]
    batch: str | None
    #: Filled where one command is asked for.
    steps: tuple[Step, ...] = ()

    @property
    def ended(self) -> bool:
        return State(self.state) in ENDED


@dataclass(frozen=True, kw_only=True)
class CommandFilter:
    """All that is given must hold; `host` is an id. Raises BadParameter (`unknown-state`, `unknown-type`)."""

    host: str | None = None
    state: str | None = None
    type: str | None = None
    batch: str | None = None
    overdue: bool = False

    def __post_init__(self) -> None:
        _require_known("state", self.state, tuple(State))
        _require_known("type", self.type, TYPES)

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """On the command's row."""
        command = tables.command.c
        if self.host is not None:
            yield command.host == self.host
        if self.state is not None:
            yield command.state == self.state
        if self.type is not None:
            yield command.type == self.type
        if self.batch is not None:
            yield command.batch == self.batch
        if self.overdue:
            yield command.state.in_(sorted(set(State) - ENDED))
            yield command.expires <= now()


def _require_known(what: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        near = nearest_names(given, known)
        text = f"there is no {what} {given!r}, only {', '.join(known)}{did_you_mean(near)}"
        raise BadParameter(text, code=f"unknown-{what}", nearest=near)


def list_commands(connection: Connection, window: Window, wanted: CommandFilter) -> Page[Command]:
    """Commands, the newest first. Raises BadParameter for the cursor."""
    command = tables.command
    mark = question_mark("commands", wanted)
    after = read_cursor(window.cursor, mark, (int,))
    query = _commands().where(*wanted.conditions()).order_by(command.c.number.desc()).limit(window.limit + 1)
    if after is not None:
        query = query.where(command.c.number < after[0])
    rows = connection.execute(query).all()
    page = page_of(list(rows), window.limit, mark, lambda row: (row.number,))
    return page.map(lambda row: _command(row, ()))


def find_command(connection: Connection, wanted: str) -> Command:
    """One command with its steps. Raises Unknown (`unknown-command`) with ids that begin alike."""
    row = connection.execute(_commands().where(tables.command.c.id == wanted)).one_or_none()
    if row is None:
        command = tables.command
        recent = select(command.c.id).order_by(command.c.number.desc()).limit(1000)
        near = nearest_names(wanted, connection.execute(recent).scalars())
        raise Unknown(f"there is no command {wanted!r}{did_you_mean(near)}", code="unknown-command", nearest=near)
    event = tables.command_event
    steps = connection.execute(select(event).where(event.c.command == wanted).order_by(event.c.id))
    return _command(row, tuple(_step(step) for step in steps))


def _commands() -> Select[tuple[object, ...]]:
    command, host = tables.command, tables.host
    query = select(command, host.c.name.label("host_name")).outerjoin(host, host.c.id == command.c.host)
    return cast("Select[tuple[object, ...]]", query)


def _step(row: Row[tuple[object, ...]]) -> Step:
    return Step(state=row.state, at=row.at, by=row.by, code=row.code, text=row.text)


def _command(row: Row[tuple[object, ...]], steps: tuple[Step, ...]) -> Command:
    expires = row.expires
    return Command(
        id=row.id,
        host=row.host,
        host_name=row.host_name or row.host,
        type=row.type,
        state=row.state,
        overdue=is_overdue(State(row.state), expires, now()),
        subject=row.subject,
        identity=row.identity,
        name=row.name,
        by=row.by,
        issued=row.issued,
        expires=expires,
        updated_at=row.updated_at,
        code=row.code,
        text=row.text,
        produced=row.produced,
        batch=row.batch,
        steps=steps,
    )
