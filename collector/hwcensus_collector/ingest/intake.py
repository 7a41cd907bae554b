"""Batches of records into the inventory: load the hosts, fold, store; and what happens when a transaction fails.

It knows nothing of Kafka's client: `run.py` feeds it from there, `ingest --once` from a file. Hosts stay in memory
between batches, each until it was left out longest or took part in a transaction that failed.
"""

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from hwcensus.errors import Refused
from hwcensus.instant import now
from hwcensus_collector.audit import Action, Deed
from hwcensus_collector.database import is_away, is_beyond, writing
from hwcensus_collector.ingest.fold import accept, fold
from hwcensus_collector.ingest.record import DeadLetter, Message, Record, dead_letter, fingerprint
from hwcensus_collector.ingest.state import HostState
from hwcensus_collector.ingest.step import Step
from hwcensus_collector.store.batch import Batch, Offset
from hwcensus_collector.store.load import hosts_of_partition, load
from hwcensus_collector.store.tracked import Tracked
from hwcensus_collector.store.write import HostsChanged, OffsetLost, write

log = logging.getLogger(__name__)

#: How often a batch is folded anew because somebody else wrote its hosts.
ATTEMPTS = 5
#: So many records in a row that break a rule of the database: then something is wrong with it, not with them.
REFUSALS = 10


class Entry(NamedTuple):
    """One message, read: a record, a dead letter, or both (a broken record that has its place)."""

    #: None for what comes from a file.
    message: Message | None
    at: datetime
    record: Record | None
    letter: DeadLetter | None

    @property
    def partition(self) -> int | None:
        return None if self.message is None else self.message.partition


#: By topic and partition: where SQL says that the fold goes on; None where it has never begun.
Positions = dict[tuple[str, int], int | None]


class Intake:
    """Folds batches into one database. Not for several threads at once."""

    def __init__(self, engine: Engine, *, offline_after: float, cached_hosts: int) -> None:
        self._engine = engine
        self._offline_after = timedelta(seconds=offline_after)
        self._cached_hosts = cached_hosts
        self._hosts: OrderedDict[str, Tracked] = OrderedDict()
        #: Held until a batch waits for nothing but the database: whoever keeps Python busy beside takes it, too. (Two
        #: threads that both want Python do little else than pass it on, and the database waits meanwhile. Measured.)
        self.turn = Lock()
        #: Records that the database has refused since it last took one.
        self._refusals = 0
        #: What was folded and what was remarkable, since the start: record types, notes, codes of dead letters.
        self.counts: Counter[str] = Counter()

    def take(self, entries: Sequence[Entry], positions: Positions) -> None:
        """Stores a batch, each entry exactly once, and moves the positions on.

        Raises OffsetLost where another process has a partition, SQLAlchemy's DBAPIError where the database is away or
        refuses everything; then part of the batch may be stored, and the positions say how much.
        """
        try:
            self._store(entries, positions)
            self._refusals = 0
        except (OffsetLost, HostsChanged):
            raise
        # The boundary at which no record may stop its partition: the one that cannot be stored is found by halves.
        except Exception as error:
            if is_away(error) or not entries:
                raise
            if len(entries) > 1:
                half = len(entries) // 2
                self.take(entries[:half], positions)
                self.take(entries[half:], positions)
            else:
                self._bury(entries[0], error, positions)

    def _bury(self, entry: Entry, error: Exception, positions: Positions) -> None:
        """Keeps the record as a dead letter, unless it is one of too many in a row: those wait and come again."""
        if isinstance(error, DBAPIError) and not is_beyond(error):
            self._refusals += 1
            if self._refusals >= REFUSALS:
                raise error
        log.error("a record cannot be stored", extra={"partition": entry.partition}, exc_info=error)
        self._store([_buried(entry, error)], positions)

    def accept(self, host: str, *, at: datetime, actor: str, door: str) -> Step:
        """A person's word that whoever claims to be this host is it. Raises Refused (`no-conflict`)."""

        def accepted(state: HostState) -> Step:
            if state.conflict is None:
                raise Refused(f"nobody else claims to be {state.about.name or host}", code="no-conflict")
            return accept(state, at)

        def deed(step: Step) -> Deed:
            detail = {"stream": step.place.stream}
            return Deed(at=at, actor=actor, door=door, action=Action.HOST_ACCEPT, subject=host, detail=detail)

        return self._change([host], accepted, deed)[0]

    def note_loss(self, partition: int, make: Callable[[HostState], Step]) -> None:
        """The same for every host whose records come through a partition."""
        with self._engine.connect() as connection:
            hosts = hosts_of_partition(connection, partition)
        self._change(hosts, make)

    def forget(self, partition: int | None = None) -> None:
        """Loads the hosts of a partition, or all, anew before they are used again."""
        for host in [h for h, tracked in self._hosts.items() if partition in (None, tracked.partition)]:
            del self._hosts[host]

    def _store(self, entries: Sequence[Entry], positions: Positions) -> None:
        offsets = _offsets(entries, positions)

        def fill(batch: Batch, counts: Counter[str]) -> None:
            batch.offsets.extend(offsets)
            self._load({entry.record.host for entry in entries if entry.record is not None})
            for entry in entries:
                self._fold(entry, batch, counts)

        self._transaction(fill)
        positions.update({(offset.topic, offset.partition): offset.next for offset in offsets})

    def _change(
        self, hosts: Collection[str], make: Callable[[HostState], Step], deed: Callable[[Step], Deed] | None = None
    ) -> list[Step]:
        steps: list[Step] = []

        def fill(batch: Batch, counts: Counter[str]) -> None:
            self._load(hosts)
            steps[:] = [make(self._hosts[host].state) for host in hosts]
            for host, step in zip(hosts, steps, strict=True):
                batch.add(self._hosts[host], None, step)
                counts.update(step.notes)
            if deed is not None:
                batch.deeds.extend(map(deed, steps))

        self._transaction(fill)
        return steps

    def _transaction(self, fill: Callable[[Batch, Counter[str]], None]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            batch, counts = Batch(), Counter[str]()
            try:
                with ExitStack() as turn:
                    turn.enter_context(self.turn)
                    fill(batch, counts)
                    with writing(self._engine) as connection:
                        writer = write(connection, batch)
                        turn.close()
                        writer.finish(connection)
            except BaseException as error:
                for host in batch.hosts:
                    self._hosts.pop(host, None)
                # Somebody accepted a claimant, or a host moved between partitions: look again.
                if isinstance(error, HostsChanged) and attempt < ATTEMPTS:
                    continue
                raise
            self.counts.update(counts)
            break
        while len(self._hosts) > self._cached_hosts:
            self._hosts.popitem(last=False)

    def _fold(self, entry: Entry, batch: Batch, counts: Counter[str]) -> None:
        if entry.letter is not None:
            batch.letters.append(entry.letter)
            counts["dead-letter:" + entry.letter.code] += 1
        record = entry.record
        if record is None:
            return
        tracked = self._hosts[record.host]
        step = fold(tracked.state, record, self._offline_after)
        if step.place.stream is None:
            return  # nothing but headers of a host never heard of: no row comes of it
        if step.folded:
            tracked.partition = entry.partition
            counts[record.type] += record.event is not None
        batch.add(tracked, record, step)
        counts.update(step.notes)

    def _load(self, hosts: Collection[str]) -> None:
        missing: list[str] = []
        for host in hosts:
            if host in self._hosts:
                self._hosts.move_to_end(host)
            else:
                missing.append(host)
        if missing:
            with self._engine.connect() as connection:
                self._hosts.update(load(connection, missing, now()))


def _offsets(entries: Sequence[Entry], positions: Positions) -> list[Offset]:
    """Where each partition stands after its last entry."""
    last = {(m.topic, m.partition): m for m in (entry.message for entry in entries) if m is not None}
    return [
        Offset(
            topic=topic,
            partition=partition,
            expected=positions[topic, partition],
            next=message.offset + 1,
            fingerprint=fingerprint(message),
        )
        for (topic, partition), message in last.items()
    ]


def _buried(entry: Entry, error: Exception) -> Entry:
    """The entry as a dead letter; its record stands in its place without its text."""
    record = None if entry.record is None else entry.record._replace(event=None, reading=None)
    if record is not None and record.seq is None:
        record = None
    letter = entry.letter
    if letter is None and entry.message is not None:
        letter = dead_letter(entry.message, entry.at, "unstorable", f"{type(error).__name__}: {error}"[:2000])
    return entry._replace(record=record, letter=letter)
