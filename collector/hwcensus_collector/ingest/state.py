"""What is known of one host between two of its records: all that the fold looks at, and nothing of SQL.

A `HostState` changes only by `take`: the fold itself makes `Step`s and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from hwcensus import census_digest
from hwcensus.event import AgentState, Evidence, Manifest, SourceState

if TYPE_CHECKING:
    from hwcensus_collector.ingest.step import Step


class Held(NamedTuple):
    """One thing as the inventory holds it: what the fold needs of it, not the document."""

    name: str
    digest: bytes
    state_hash: bytes
    present: bool
    #: Begin of its current version; the next one does not begin before.
    since: datetime
    #: Link and port states by path, of the few devices that have one.
    ports: tuple[tuple[str, str], ...]
    #: What it adds to the host's two sums.
    term: int
    state_term: int


def hold(
    identity: str,
    *,
    name: str,
    digest: bytes,
    state_hash: bytes,
    since: datetime,
    present: bool = True,
    ports: tuple[tuple[str, str], ...] = (),
) -> Held:
    """A held thing with its terms worked out."""
    return Held(
        name,
        digest,
        state_hash,
        present,
        since,
        ports,
        census_digest.term(identity, digest),
        census_digest.term(identity, state_hash),
    )


class Totals(NamedTuple):
    """Count and sums over the devices held present; see hwcensus.census_digest."""

    size: int = 0
    digest: int = 0
    state_digest: int = 0

    def plus(self, held: Held) -> "Totals":
        return Totals(
            self.size + 1,
            (self.digest + held.term) % census_digest.MODULUS,
            (self.state_digest + held.state_term) % census_digest.MODULUS,
        )

    def minus(self, held: Held) -> "Totals":
        return Totals(
            self.size - 1,
            (self.digest - held.term) % census_digest.MODULUS,
            (self.state_digest - held.state_term) % census_digest.MODULUS,
        )

    def beyond(self, other: "Totals") -> "Totals":
        """What must be added to `other` to get here."""
        return Totals(
            self.size - other.size,
            census_digest.subtract(self.digest, other.digest),
            census_digest.subtract(self.state_digest, other.state_digest),
        )

    def with_excess(self, excess: "Totals") -> "Totals":
        return Totals(
            self.size + excess.size,
            census_digest.add(self.digest, excess.digest),
            census_digest.add(self.state_digest, excess.state_digest),
        )


class Place(NamedTuple):
    """Where in its stream a host is, and when we last heard from it (by the broker's clock, or ours)."""

    stream: str | None = None
    seq: int = 0
    heard_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class About:
    """What a host's last hello said."""

    #: None until there was a hello.
    name: str | None = None
    evidence: Evidence = field(default_factory=Evidence)
    boot: str | None = None
    agent: AgentState | None = None
    sources: tuple[SourceState, ...] = ()
    creatable: tuple[str, ...] = ()
    commands_partition: int | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A device that a manifest had and we have not: the first bytes of its digest, and whether an answer came."""

    digest: bytes
    answered: bool = False


@dataclass(frozen=True, kw_only=True)
class Healing:
    """How far we are in agreeing with the host again."""

    #: What the relay is to ask for: `manifest`, `devices`, `all`, `stream` or nothing; and why.
    wanted: str | None = None
    reason: str | None = None
    asked: Mapping[str, Asked] = field(default_factory=dict)
    #: Identity → first bytes of a digest that could not be processed: counts as held.
    refused: Mapping[str, bytes] = field(default_factory=dict)
    #: What those add to the host's totals.
    excess: Totals = field(default_factory=Totals)
    #: Parts of a manifest that is not yet whole. Not in SQL: a manifest cut by our own restart is asked for again.
    parts: tuple[Manifest, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Another agent that claims to be this host, and what was held of it."""

    stream: str
    #: Of its last record.
    seq: int
    evidence: Evidence
    why: str
    since: datetime
    heard_at: datetime
    #: Records that were not folded.
    held: int = 1


@dataclass(kw_only=True, slots=True)
class HostState:
    """One host between two records."""

    id: str
    place: Place = field(default_factory=Place)
    totals: Totals = field(default_factory=Totals)
    about: About = field(default_factory=About)
    healing: Healing = field(default_factory=Healing)
    conflict: Conflict | None = None
    #: Begin of the gap-free stretch that lasts; None while there is none.
    covered: datetime | None = None
    #: Streams that were left → their last seq.
    left: dict[str, int] = field(default_factory=dict)
    #: By identity; things that are gone too.
    devices: dict[str, Held] = field(default_factory=dict)

    def take(self, step: "Step") -> None:
        """Becomes what the step says."""
        self.place = step.place
        self.totals = step.totals
        self.about = step.about
        self.healing = step.healing
        self.conflict = step.conflict
        self.covered = step.covered
        for was, _ in step.moved:
            del self.devices[was]
        self.devices.update(step.devices)
        if step.left is not None:
            self.left[step.left[0]] = step.left[1]
        if step.place.stream in self.left:
            del self.left[step.place.stream]
