"""What somebody had done, as the audit has it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from hwcensus.client.members import Members, Told


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One entry of the audit. `told` is all that the API said."""

    id: int
    at: datetime
    #: A person (`local:NAME`), `relay`, or the id of a host.
    actor: str
    #: api, cli, agent or relay.
    door: str
    action: str
    #: Id or name of what was changed.
    subject: str
    detail: Told
    told: Told = field(repr=False, compare=False)

    @classmethod
    def read(cls, members: Members) -> Self:
        return cls(
            id=members.number("id"),
            at=members.instant("at"),
            actor=members.text("actor"),
            door=members.text("door"),
            action=members.text("action"),
            subject=members.text("subject"),
            detail=members.mapping("detail"),
            told=members.told,
        )
