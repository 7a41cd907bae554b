"""What comes of one record: the host's next state, and the history that has to be written.

Made by the fold, taken by `HostState.take`, written by `store/`. A step is filled while one record is folded and not
changed afterwards.
"""

from datetime import datetime
from typing import NamedTuple

from hwcensus.event import Result
from hwcensus_collector.ingest.state import Held, HostState


class Version(NamedTuple):
    """A new version of one thing; it closes the one before."""

    identity: str
    #: add, change, remove, renumbered, redescribed
    kind: str
    valid_from: datetime
    name: str
    #: None for a remove.
    digest: bytes | None
    changed: tuple[str, ...]
    #: event, reconciled, or the id of the command.
    cause: str
    stands_for: int | None


class Transition(NamedTuple):
    """A link or port state that became another."""

    identity: str
    at: datetime
    path: str
    old: str | None
    new: str | None


class Stretch(NamedTuple):
    """A gap-free stretch that begins, or the one that lasts ends."""

    begins: bool
    at: datetime
    reason: str


class Step:
    """The next state of a host, beginning as the present one, and what happened on the way."""

    __slots__ = (
        "about",
        "conflict",
        "covered",
        "devices",
        "folded",
        "healing",
        "left",
        "moved",
        "notes",
        "place",
        "results",
        "state",
        "stretches",
        "totals",
        "transitions",
        "versions",
    )

    def __init__(self, state: HostState) -> None:
        self.state = state
        self.place = state.place
        self.totals = state.totals
        self.about = state.about
        self.healing = state.healing
        self.conflict = state.conflict
        self.covered = state.covered
        #: Whether the record counts: no duplicate, not held.
        self.folded = False
        #: The stream that was left, with its last seq.
        self.left: tuple[str, int] | None = None
        #: Things that changed, by identity.
        self.devices: dict[str, Held] = {}
        #: (former identity, identity) of things that stayed the same.
        self.moved: list[tuple[str, str]] = []
        self.versions: list[Version] = []
        self.transitions: list[Transition] = []
        self.stretches: list[Stretch] = []
        #: What the agent said of commands, and when (clamped).
        self.results: list[tuple[Result, datetime]] = []
        #: What was remarkable, for counters: duplicate, held, remove-of-unknown, …
        self.notes: list[str] = []

    def device(self, identity: str) -> Held | None:
        """The thing as it is at this point of the step."""
        return self.devices.get(identity) or self.state.devices.get(identity)

    def replace_device(self, identity: str, before: Held | None, after: Held) -> None:
        """The thing is now `after`; the totals follow."""
        if before is not None and before.present:
            self.totals = self.totals.minus(before)
        if after.present:
            self.totals = self.totals.plus(after)
        self.devices[identity] = after

    def gap(self, reason: str, at: datetime) -> None:
        """From here on the record is not complete."""
        self.notes.append(reason)
        if self.covered is not None:
            self.stretches.append(Stretch(False, max(at, self.covered), reason))
            self.covered = None

    def cover(self, reason: str, at: datetime) -> None:
        """From here on the record is complete, if it was not so already."""
        if self.covered is None:
            self.stretches.append(Stretch(True, at, reason))
            self.covered = at
