"""The audit: who had what done, when and by which door. Written in the transaction that does it, and never changed."""

import getpass
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert

from hwcensus.instant import now
from hwcensus.parser import is_text
from hwcensus_collector import tables


class Action(StrEnum):
    """All that is audited. A command's are its states, `command.refused` (a host was sent what we did not send, and
    says so) and `command.unknown` (a host obeyed what is no command of it here)."""

    COMMAND_QUEUED = "command.queued"
    COMMAND_DISPATCHED = "command.dispatched"
    COMMAND_ACCEPTED = "command.accepted"
    COMMAND_SUCCEEDED = "command.succeeded"
    COMMAND_FAILED = "command.failed"
    COMMAND_EXPIRED = "command.expired"
    COMMAND_ABANDONED = "command.abandoned"
    COMMAND_CANCELLED = "command.cancelled"
    COMMAND_REFUSED = "command.refused"
    COMMAND_UNKNOWN = "command.unknown"
    BATCH_QUEUED = "batch.queued"
    BATCH_STOPPED = "batch.stopped"
    HOST_ACCEPT = "host.accept"
    HOST_RETIRE = "host.retire"
    HOST_UNRETIRE = "host.unretire"
    POOL_ADD = "wwn-pool.add"
    POOL_REMOVE = "wwn-pool.remove"
    WWN_IMPORT = "wwn.import"
    WWN_RELEASE = "wwn.release"


@dataclass(frozen=True, kw_only=True)
class Deed:
    """`actor` is a person (`local:LOGIN`), `relay` or a host's id; `door` api, cli, agent or relay; `subject` the id or
    name of what was changed."""

    at: datetime
    actor: str
    door: str
    action: Action
    subject: str
    detail: Mapping[str, object]


def by_hand(action: Action, subject: str, detail: Mapping[str, object]) -> Deed:
    """What the person at this command line has done now."""
    return Deed(at=now(), actor=person(), door="cli", action=action, subject=subject, detail=detail)


def person() -> str:
    """Who is at this command line; `local` where the user id has no name, as in a container, or one that is no text."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        return "local"
    return f"local:{name}" if is_text(name) else "local"


def audit(connection: Connection, deed: Deed) -> None:
    """Keeps it for ever."""
    connection.execute(insert(tables.audit).values(asdict(deed)))
