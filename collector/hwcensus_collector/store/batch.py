"""What a batch of folded records comes to: the last state of each thing, every version, and all else to be kept.

It only gathers; ids and feed positions are given by `write.py`, within the transaction.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from hwcensus.event import Heartbeat, Hello, Result, Told
from hwcensus_collector.audit import Deed
from hwcensus_collector.ingest.record import DeadLetter, Reading, Record
from hwcensus_collector.ingest.step import Step, Stretch, Transition, Version
from hwcensus_collector.store.tracked import Thing, Tracked

#: Transitions of link and port states that are kept of a device.
TRANSITIONS_KEPT = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Offset:
    """How far a partition of Kafka is folded once the batch is stored."""

    topic: str
    partition: int
    #: What SQL must say before; None where it has no row yet.
    expected: int | None
    next: int
    fingerprint: bytes | None


@dataclass(eq=False, slots=True)
class NewVersion:
    """A version on its way; `valid_to` is set where the same batch has the next one."""

    thing: Thing
    record: Record
    version: Version
    valid_to: datetime | None = None


@dataclass(eq=False, slots=True)
class Sight:
    """How a thing was last described, and by which record it was last touched."""

    tracked: Tracked
    record: Record
    #: None: it is only gone, and how it looked stands in SQL.
    reading: Reading | None


@dataclass(eq=False, slots=True)
class StreamRow:
    """A stream that began or went on in the batch; `left_at` is None for the current one."""

    first_seq: int
    begun_at: datetime
    last_seq: int
    left_at: datetime | None = None


@dataclass(eq=False, slots=True)
class Batch:
    """All that one transaction writes."""

    offsets: list[Offset] = field(default_factory=list)
    hosts: dict[str, Tracked] = field(default_factory=dict)
    beats: dict[str, Heartbeat] = field(default_factory=dict)
    things: dict[Thing, Sight] = field(default_factory=dict)
    documents: dict[bytes, bytes] = field(default_factory=dict)
    versions: list[NewVersion] = field(default_factory=list)
    #: Open versions in SQL that end, by thing.
    closed: dict[Thing, datetime] = field(default_factory=dict)
    #: Things that get another identity, in order.
    moved: list[tuple[Thing, str]] = field(default_factory=list)
    streams: dict[tuple[str, str], StreamRow] = field(default_factory=dict)
    stretches: dict[str, list[Stretch]] = field(default_factory=dict)
    transitions: dict[Thing, list[Transition]] = field(default_factory=dict)
    results: list[tuple[Result, datetime]] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    _last: dict[Thing, NewVersion] = field(default_factory=dict)

    def add(self, tracked: Tracked, record: Record | None, step: Step) -> None:
        """Notes what comes of a record, or of what a person or the loop noticed, and moves the host on."""
        host = tracked.state.id
        self.hosts[host] = tracked
        self._streams(host, step)
        if step.stretches:
            self.stretches.setdefault(host, []).extend(step.stretches)
        if record is not None and step.folded:
            self._add_record(tracked, record, step)
        tracked.state.take(step)

    def _add_record(self, tracked: Tracked, record: Record, step: Step) -> None:
        self._measure(tracked, record)
        if step.results:
            self.results.extend(step.results)
        for was, identity in step.moved:
            self._move(tracked, was, identity)
        for identity in step.devices:
            self._touch(tracked, identity, record)
        for version in step.versions:
            self._version(tracked.things[version.identity], record, version)
        for transition in step.transitions:
            kept = self.transitions.setdefault(tracked.things[transition.identity], [])
            kept.append(transition)
            del kept[:-TRANSITIONS_KEPT]

    def new_things(self) -> Iterator[Thing]:
        """Those that need an id."""
        return (thing for thing in self.things if not thing.id)

    def _touch(self, tracked: Tracked, identity: str, record: Record) -> None:
        thing = tracked.things.get(identity)
        if thing is None:
            thing = tracked.things[identity] = Thing(identity)
        told = self.things.get(thing)
        event, reading = record.event, told.reading if told is not None else None
        if isinstance(event, Told) and event.identity == identity:
            reading = record.reading
            assert reading is not None
            self.documents[reading.digest] = reading.facts
        # A remove or a manifest has no document: what was told before in this batch still has to be written.
        self.things[thing] = Sight(tracked, record, reading)

    def _version(self, thing: Thing, record: Record, version: Version) -> None:
        new = NewVersion(thing, record, version)
        before = self._last.get(thing)
        if before is not None:
            before.valid_to = version.valid_from
        elif thing.version:
            self.closed[thing] = version.valid_from
        self._last[thing] = new
        self.versions.append(new)

    def _move(self, tracked: Tracked, was: str, identity: str) -> None:
        thing = tracked.things.pop(was)
        thing.identity = identity
        tracked.things[identity] = thing
        self.moved.append((thing, identity))

    def _streams(self, host: str, step: Step) -> None:
        (stream, seq, heard_at), before = step.place, step.state.place
        if stream is None or heard_at is None or (stream, seq) == (before.stream, before.seq):
            return
        row = self.streams.setdefault((host, stream), StreamRow(seq, heard_at, seq))
        row.last_seq, row.left_at = seq, None
        if step.left is not None:
            stream, last = step.left
            row = self.streams.setdefault((host, stream), StreamRow(last, heard_at, last))
            row.last_seq, row.left_at = last, heard_at

    def _measure(self, tracked: Tracked, record: Record) -> None:
        event = record.event
        if isinstance(event, Heartbeat | Hello):
            tracked.skew = (event.time - record.at).total_seconds()
        if isinstance(event, Heartbeat):
            self.beats[record.host] = event
