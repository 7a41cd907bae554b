"""The life of a WWPN: reserved by a command, held by a host, quarantined, and free again; moved by what becomes of
commands.

A free name has no row. How long a quarantine lasts is the settings', so it is worked out on read; one after `abandoned`
has no end but a late result or a person's word, for nobody knows whether the port was made.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    String,
    and_,
    cast,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    update,
)

from hwcensus.instant import now
from hwcensus.wwn import PORT, port_wwpn
from hwcensus_collector.relay.lifecycle import ENDED, SUSPECT, State
from hwcensus_collector.tables import command, device, identifier, wwn


class WwnState(StrEnum):
    """Where a WWPN is in its life."""

    RESERVED = "reserved"
    HELD = "held"
    QUARANTINED = "quarantined"


class Reason(StrEnum):
    """Why a WWPN is where it is."""

    CREATE = "create"
    IMPORT = "import"
    #: It rested, and its host shows it.
    SEEN = "seen"
    DESTROY = "destroy"
    #: The host could not say whether it was made.
    UNKNOWN = "unknown"
    ABANDONED = "abandoned"
    #: The same of a name that was not free when it was reserved; `former` has what it was.
    ABANDONED_AGAIN = "abandoned-again"
    #: Reserved, and held by a host that shows it no more. (What rested is reserved for the reason it rested for.)
    LOST = "lost"


#: Reasons of a quarantine without an end.
NO_END = (Reason.ABANDONED, Reason.ABANDONED_AGAIN)
#: Codes of a failed create after which a port may be there all the same.
UNCERTAIN = SUSPECT | {"interrupted", "not-seen", "not-undone", "agent-error", "wrong-stream"}
#: What is kept of a name that is reserved though it was not free.
KEPT = (wwn.c.wwnn, wwn.c.state, wwn.c.reason, wwn.c.host, wwn.c.parent, wwn.c.command, wwn.c.former)


def follow(connection: Connection, command_id: str, type_: str, state: State, code: str | None) -> None:
    """What a command's new state does to the name it is about."""
    if type_ == "create" and state in ENDED:
        _created(connection, command_id, state, code)
    elif type_ == "destroy" and state is State.SUCCEEDED:
        _destroyed(connection, command_id)


def follow_late(connection: Connection, command_id: str, type_: str, state: State, code: str | None) -> None:
    """The same of a state that was told after `abandoned`. Looks through all names: another may have taken this one."""
    follow(connection, command_id, type_, state, code)
    if type_ == "create" and state in ENDED:
        _taken_since(connection, command_id, state, code)


def _created(connection: Connection, command_id: str, state: State, code: str | None) -> None:
    row = connection.execute(select(wwn).where(wwn.c.command == command_id).with_for_update()).one_or_none()
    if row is None or not (row.state == WwnState.RESERVED or row.reason in NO_END):
        return
    after = _after(row.former, state, code)
    ours = wwn.c.wwpn == row.wwpn
    connection.execute(delete(wwn).where(ours) if after is None else update(wwn).where(ours).values(after))


def _after(former: dict[str, object] | None, state: State, code: str | None) -> dict[str, object] | None:
    """What the end of a create makes of its name; None where it is free: nothing was made, and nobody had it before."""
    if state is State.SUCCEEDED:
        return _as(WwnState.HELD, Reason.CREATE)
    if state is State.ABANDONED:
        reason = Reason.ABANDONED if former is None else Reason.ABANDONED_AGAIN
        return _as(WwnState.QUARANTINED, reason) | {"former": former}
    if state is State.FAILED and code in UNCERTAIN:
        return _as(WwnState.QUARANTINED, Reason.UNKNOWN)
    return None if former is None else former | {"since": now()}


def _taken_since(connection: Connection, command_id: str, state: State, code: str | None) -> None:
    """The late end of a create whose name another command took by force: what the name may go back to changes."""
    query = select(wwn.c.wwpn, wwn.c.former).where(_was_of([command_id])).with_for_update()
    for row in connection.execute(query).all():
        former = _former_after(row.former, command_id, state, code)
        connection.execute(update(wwn).where(wwn.c.wwpn == row.wwpn).values(former=former))


def _former_after(
    former: dict[str, Any] | None, command_id: str, state: State, code: str | None
) -> dict[str, object] | None:
    if former is None:
        return None
    before = former.get("former")
    if former["command"] != command_id:
        return former | {"former": _former_after(before, command_id, state, code)}
    if former["reason"] not in NO_END:
        return former
    after = _after(before, state, code)
    return None if after is None else {field: value for field, value in (former | after).items() if field != "since"}


def _was_of(commands: Collection[str]) -> ColumnElement[bool]:
    """Whether one of these commands is somewhere in what a name was before."""
    text = cast(wwn.c.former, String)
    return or_(false(), *(text.contains(command, autoescape=True) for command in commands))


def _destroyed(connection: Connection, command_id: str) -> None:
    """The name of a port that was taken away rests, also of one that somebody else had made."""
    about = (command.c.host, command.c.number, command.c.identity, command.c.subject)
    destroy = connection.execute(select(*about).where(command.c.id == command_id)).one()
    wwpn = port_wwpn(destroy.identity or "")
    if destroy.subject != "vport" or wwpn is None:
        return
    values = {"command": command_id, **_as(WwnState.QUARANTINED, Reason.DESTROY)}
    by = select(wwn.c.host, wwn.c.state, command.c.number).outerjoin(command, command.c.id == wwn.c.command)
    known = connection.execute(by.where(wwn.c.wwpn == wwpn).with_for_update(of=wwn)).one_or_none()
    if known is None:
        connection.execute(insert(wwn).values(wwpn=wwpn, host=destroy.host, **values))
    # A late result says nothing of the port that was made under this name since.
    elif known.host == destroy.host and (known.number is None or known.number < destroy.number):
        connection.execute(update(wwn).where(wwn.c.wwpn == wwpn).values(values))


def adopt(connection: Connection, asked: str | None = None) -> None:
    """A resting name whose host shows a port of that name after all is held: the host could not say, or somebody made
    it again behind our back. Not one that was abandoned: its result may still come.

    Locks the name that is asked for as well: whoever looks at it next already holds others."""
    shown = (
        select(device.c.id)
        .join(identifier, identifier.c.device == device.c.id)
        .where(identifier.c.kind == "wwpn", identifier.c.value == wwn.c.wwpn, identifier.c.own.is_(True))
        .where(device.c.host == wwn.c.host, device.c.present.is_(True))
    )
    resting = and_(wwn.c.state == WwnState.QUARANTINED, wwn.c.reason.not_in(NO_END))
    again = and_(resting, shown.exists())
    locked = _lock(connection, again if asked is None else or_(again, wwn.c.wwpn == asked))
    if locked:
        ours = update(wwn).where(wwn.c.wwpn.in_(locked), again)
        connection.execute(ours.values(_as(WwnState.HELD, Reason.SEEN)))


def lock_all(connection: Connection, commands: Collection[str], late: Collection[str] = ()) -> None:
    """Locks the names that these commands are about, of `late` ones also those that others took since, before `follow`
    does one after the other."""
    named = select(func.substr(command.c.identity, len(PORT) + 1)).where(command.c.id.in_(commands))
    _lock(connection, or_(wwn.c.command.in_(commands), wwn.c.wwpn.in_(named), _was_of(late)))


def _lock(connection: Connection, which: ColumnElement[bool]) -> list[str]:
    # In one order everywhere, so that two transactions do not wait for each other.
    query = select(wwn.c.wwpn).where(which).order_by(wwn.c.wwpn).with_for_update()
    return list(connection.execute(query).scalars())


def _as(state: WwnState, reason: Reason) -> dict[str, object]:
    return {"state": state, "reason": reason, "since": now(), "former": None}


def is_taken(quarantine: timedelta, at: datetime) -> ColumnElement[bool]:
    """Whether a row keeps its name from being given: one whose quarantine is over does not."""
    return or_(wwn.c.state != WwnState.QUARANTINED, wwn.c.reason.in_(NO_END), wwn.c.since > at - quarantine)


def until(row: Row[tuple[object, ...]], quarantine: timedelta) -> datetime | None:
    """When the quarantine of a row ends; None where it has no end, or is none."""
    if row.state != WwnState.QUARANTINED or row.reason in NO_END:
        return None
    since: datetime = row.since
    return since + quarantine
