"""The audit: who had what done, when and by which door. Written in the transaction that does it, and never changed."""

import getpass
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert

from hwcensus.instant import now
from hwcensus_collector import tables


@dataclass(frozen=True, kw_only=True)
class Deed:
    """`actor` is a person (`local:LOGIN`), `relay` or a host's id; `door` api, cli, agent or relay; `subject` the id or
    name of what was changed."""

    at: datetime
    actor: str
    door: str
    action: str
    subject: str
    detail: Mapping[str, object]


def by_hand(action: str, subject: str, detail: Mapping[str, object]) -> Deed:
    """What the person at this command line has done now."""
    return Deed(at=now(), actor=person(), door="cli", action=action, subject=subject, detail=detail)


def person() -> str:
    """Who is at this command line."""
    return f"local:{getpass.getuser()}"


def audit(connection: Connection, deed: Deed) -> None:
    """Keeps it for ever."""
    connection.execute(insert(tables.audit).values(asdict(deed)))
