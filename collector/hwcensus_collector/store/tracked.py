"""A host in memory between two batches: what the fold knows of it, and where its rows are.

One that took part in a transaction that failed is thrown away and loaded again.
"""

from dataclasses import dataclass, field
from datetime import datetime

from hwcensus_collector.ingest.state import About, Conflict, Healing, HostState, Place, Totals


@dataclass(eq=False, slots=True)
class Thing:
    """The row of one thing."""

    identity: str
    #: 0 until it is written for the first time.
    id: int = 0
    #: Feed position of its open version, 0 before it has one.
    version: int = 0
    #: Stands for what it is looked up by, to know when that changed (within this process only).
    marks: int = 0


@dataclass(frozen=True, slots=True)
class HostRow:
    """What the host's row was made from: equal to the last one, it is not written again."""

    place: tuple[str | None, int]
    totals: Totals
    about: About
    healing: Healing
    conflict: Conflict | None
    partition: int | None
    #: Whole seconds: a clock is never off by the same microseconds twice.
    skew: int | None


@dataclass(eq=False, slots=True)
class Tracked:
    """One host: its state, its rows, and what of it was written last."""

    state: HostState
    first_seen: datetime
    #: 0: the host has no row yet.
    revision: int = 0
    #: Partition of the events topic that its last record was in.
    partition: int | None = None
    #: Seconds by which the agent's clock was ahead when last measured.
    skew: float | None = None
    things: dict[str, Thing] = field(default_factory=dict)
    written: HostRow | None = None

    def row(self) -> HostRow:
        state = self.state
        place: Place = state.place
        return HostRow(
            place=(place.stream, place.seq),
            totals=state.totals,
            about=state.about,
            healing=state.healing,
            conflict=state.conflict,
            partition=self.partition,
            skew=None if self.skew is None else round(self.skew),
        )
