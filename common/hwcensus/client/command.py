"""A command to a host, and waiting for what becomes of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from hwcensus.client.members import Members, Told
from hwcensus.client.path import path_to
from hwcensus.client.transport import Transport
from hwcensus.errors import Unreachable

#: After these nothing more comes.
ENDED = ("succeeded", "failed", "expired", "cancelled", "abandoned")
#: Seconds that one question waits for the next step: how late a deadline is noticed.
HOLD = 1.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step in the life of a command."""

    state: str
    at: datetime
    by: str
    code: str | None
    text: str | None

    @classmethod
    def read(cls, members: Members) -> Self:
        return cls(
            state=members.text("state"),
            at=members.instant("at"),
            by=members.text("by"),
            code=members.optional_text("code"),
            text=members.optional_text("text"),
        )


@dataclass(frozen=True, kw_only=True)
class Command:
    """An order to one host, as it stood when it was read. `told` is all that the API said."""

    id: str
    host: str
    host_name: str
    type: str
    state: str
    #: Past its deadline without a result.
    overdue: bool
    name: str | None
    code: str | None
    text: str | None
    by: str
    issued: datetime
    expires: datetime
    #: Names of the devices that it made.
    produced: tuple[str, ...]
    #: Id of the batch it belongs to.
    batch: str | None
    steps: tuple[Step, ...]
    told: Told = field(repr=False, compare=False)
    _transport: Transport = field(repr=False, compare=False)

    @classmethod
    def read(cls, members: Members, transport: Transport) -> Self:
        return cls(
            id=members.text("id"),
            host=members.text("host"),
            host_name=members.text("host_name"),
            type=members.text("type"),
            state=members.text("state"),
            overdue=members.flag("overdue"),
            name=members.optional_text("name"),
            code=members.optional_text("code"),
            text=members.optional_text("text"),
            by=members.text("by"),
            issued=members.instant("issued"),
            expires=members.instant("expires"),
            produced=tuple(one.text("name") for one in members.objects("produced")),
            batch=members.optional_text("batch"),
            steps=tuple(Step.read(one) for one in members.objects("steps")),
            told=members.told,
            _transport=transport,
        )

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def refresh(self) -> "Command":
        """The command as it stands now."""
        return Command.read(self._transport.get(path_to("commands", self.id)), self._transport)

    def cancel(self, reason: str | None = None) -> "Command":
        """Takes it back before it is sent. Raises Refused afterwards."""
        return self._end("cancel", reason)

    def abandon(self, reason: str | None = None) -> "Command":
        """Gives up waiting for a result that is overdue. Raises Refused where it is not."""
        return self._end("abandon", reason)

    def _end(self, how: str, reason: str | None) -> "Command":
        told = self._transport.order("POST", path_to("commands", self.id, how), {"reason": reason})
        return Command.read(told, self._transport)

    def wait(self, timeout: float | None = None, seen: Callable[[Step], object] = bool) -> "Command":
        """The command once it has ended; `seen` is told of each step on the way.

        Raises Unreachable (`overdue`) when `timeout` seconds are over, or by default the deadline of the command is;
        with `math.inf` it waits for its end.
        """
        told, limit = 0, None if timeout is None else time.monotonic() + timeout
        while True:
            hold = HOLD if limit is None else min(HOLD, max(0.0, limit - time.monotonic()))
            current = self._after(told, hold)
            for step in current.steps[told:]:
                seen(step)
            told = len(current.steps)
            if current.ended:
                return current
            if time.monotonic() >= limit if limit is not None else current.overdue:
                raise Unreachable(
                    f"command {self.id} is still {current.state}; `hwcensus command watch {self.id}` goes on waiting",
                    code="overdue",
                )

    def _after(self, steps: int, hold: float) -> "Command":
        """The command once it has more than so many steps or has ended, at the latest after `hold` seconds."""
        query = {"after": str(steps), "wait": f"{hold:.3f}"}
        return Command.read(self._transport.get(path_to("commands", self.id), query), self._transport)
