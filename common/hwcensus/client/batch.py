"""One request for many hosts, and waiting for what becomes of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from hwcensus.client.members import Members, Told
from hwcensus.client.path import path_to
from hwcensus.client.transport import Transport

#: Seconds between two looks while waiting: at first, and at most.
FIRST_LOOK, SLOWEST_LOOK = 0.05, 1.0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch as it stood when it was read. `told` is all that the API said."""

    id: str
    #: running, stopped (the rest was cancelled) or done.
    state: str
    by: str
    issued: datetime
    at_once: int
    stop_after: int
    commands: int
    #: State → how many commands are in it.
    states: Told
    failures: int
    #: Host, code and text of those that got no command.
    refused: tuple[tuple[str, str, str], ...]
    reason: str | None
    told: Told = field(repr=False, compare=False)
    _transport: Transport = field(repr=False, compare=False)

    @classmethod
    def read(cls, members: Members, transport: Transport) -> Self:
        refused = ((one.text("host"), one.text("code"), one.text("detail")) for one in members.objects("refused"))
        return cls(
            id=members.text("id"),
            state=members.text("state"),
            by=members.text("by"),
            issued=members.instant("issued"),
            at_once=members.number("at_once"),
            stop_after=members.number("stop_after"),
            commands=members.number("commands"),
            states=members.mapping("states"),
            failures=members.number("failures"),
            refused=tuple(refused),
            reason=members.optional_text("reason"),
            told=members.told,
            _transport=transport,
        )

    @property
    def succeeded(self) -> bool:
        """Whether every host that was asked for has what was ordered."""
        return not self.refused and self.states.get("succeeded") == self.commands

    def refresh(self) -> "Batch":
        """The batch as it stands now."""
        return Batch.read(self._transport.get(path_to("batches", self.id)), self._transport)

    def cancel(self, reason: str | None = None) -> "Batch":
        """Takes back what has not been sent. Raises Refused where all of it was."""
        path = path_to("batches", self.id, "cancel")
        return Batch.read(self._transport.order("POST", path, {"reason": reason}), self._transport)

    def wait(self, seen: Callable[["Batch"], object] = bool) -> "Batch":
        """The batch once all its commands have ended, or are overdue; `seen` is told whenever it has moved on."""
        pause, told, current = FIRST_LOOK, None, self
        while True:
            current = current.refresh()
            if current.told != told:
                told = current.told
                seen(current)
            if current.state != "running" or current.overdue:
                return current
            time.sleep(pause)
            pause = min(pause * 1.5, SLOWEST_LOOK)

    @property
    def overdue(self) -> bool:
        """Whether nothing is awaited any more but hosts that are past their deadline."""
        ended = {"succeeded", "cancelled"}
        return sum(_count(self.states, state) for state in ended) + self.failures == self.commands


def _count(states: Told, state: str) -> int:
    number = states.get(state, 0)
    return number if isinstance(number, int) else 0
