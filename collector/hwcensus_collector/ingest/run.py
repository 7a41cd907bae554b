"""The loop from Kafka to SQL: messages are read in one thread and stored in another, batch by batch, in order.

They take turns with Python: while the database works on the long end of a batch, the next one but one is read.

Whatever goes wrong with a batch leads to the same: the generation ends, what was read ahead is dropped, and SQL is
asked anew where to go on. Rules and rows are not here: `fold.py`, `store/`.
"""

import asyncio
import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from hwcensus.event import Hello, Result
from hwcensus.instant import now
from hwcensus_collector.ingest.fold import lose
from hwcensus_collector.ingest.form import Forms
from hwcensus_collector.ingest.intake import Entry, Intake
from hwcensus_collector.ingest.record import Checked, Message, check_all, read
from hwcensus_collector.ingest.source import Source
from hwcensus_collector.settings import CollectorSettings
from hwcensus_collector.store.load import read_offset
from hwcensus_collector.store.write import HostsChanged, OffsetLost

log = logging.getLogger(__name__)

LOG_APPEND_TIME = 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Parcel:
    """A batch on its way from reading to storing."""

    generation: int
    entries: Sequence[Entry]


def calm_collector() -> None:
    """Python's search for cycles, seldom: records and rows make none, and looking through a hundred thousand cached
    devices over and over costs a fifth of the work."""
    gc.freeze()
    gc.set_threshold(500_000, 20, 50)


class Ingest:
    """One ingest process's work on the events topic."""

    def __init__(
        self,
        settings: CollectorSettings,
        engine: Engine,
        on_results: Callable[[Iterable[str]], object] = lambda _: None,
    ) -> None:
        """`on_results` is told, in the loop's thread, of which commands results were stored."""
        self._settings, self._engine, self._on_results = settings, engine, on_results
        self.intake = Intake(
            engine,
            offline_after=settings.liveness.offline_after,
            cached_hosts=settings.ingest.cached_hosts,
        )
        self._forms = Forms()
        self._source: Source | None = None
        #: Held by whoever uses the intake or relies on SQL's positions to stay as they are.
        self._lock = asyncio.Lock()
        #: Streams of hosts that moved → the end of the partition they left, as first seen.
        self._tails: dict[str, int] = {}
        self._trouble = False

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`; Kafka and the database may be away meanwhile."""
        while not stop.is_set():
            source = Source(self._settings, self._look_up, self._note_loss)
            try:
                await source.start()
                self._source = source
                await self.work(source, stop)
            # The loop's boundary: whatever Kafka's client or the database raise, we begin anew from what SQL says.
            except (KafkaError, SQLAlchemyError, OSError, HostsChanged) as error:
                self._say(error)
                self.intake.forget()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._settings.ingest.retry_seconds)
            finally:
                self._source = None
                await source.stop()

    def lag(self) -> Mapping[int, int] | None:
        """Records by partition of ours that are still to be read; None without Kafka."""
        return None if self._source is None else self._source.lag()

    async def work(self, source: Source, stop: asyncio.Event) -> None:
        """Reads ahead by one parcel while another is stored."""
        parcels: asyncio.Queue[Parcel | None] = asyncio.Queue(maxsize=1)
        reading = asyncio.create_task(self._read(source, parcels, stop))
        storing = asyncio.create_task(self._store(source, parcels))
        try:
            await asyncio.wait({reading, storing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # A transaction that runs in its thread cannot be called back: it comes to its end, and nothing after it.
            source.begin_anew()
            reading.cancel()
            ending = asyncio.create_task(parcels.put(None))
            await asyncio.wait({reading, storing})
            ending.cancel()
        storing.result()
        if not reading.cancelled():
            reading.result()

    async def _read(self, source: Source, parcels: asyncio.Queue[Parcel | None], stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not source.ready() or (source.quiet and parcels.empty()):
                async with self._lock:
                    await source.look_up()
            generation = source.generation
            early: dict[int, int] = {}
            most = self._settings.ingest
            for run in _runs(await source.messages(), most.batch_records, most.batch_bytes):
                entries = await asyncio.to_thread(self._read_run, run)
                await self._find_early(source, entries, early)
                entries = [entry for entry in entries if not _is_early(entry, early)]
                if entries:
                    await parcels.put(Parcel(generation, entries))

    def _read_run(self, run: Sequence[ConsumerRecord]) -> list[Entry]:
        ats = [recorded_at(message) for message in run]
        with self.intake.turn:
            known = self._forms.read_all(run)
        checked = check_all(run, known)
        with self.intake.turn:
            return read_entries(run, checked, ats)

    async def _store(self, source: Source, parcels: asyncio.Queue[Parcel | None]) -> None:
        while (parcel := await parcels.get()) is not None:
            async with self._lock:
                if parcel.generation == source.generation:
                    await self._take(source, parcel)

    async def _take(self, source: Source, parcel: Parcel) -> None:
        try:
            await asyncio.to_thread(self.intake.take, parcel.entries, source.positions)
        except OffsetLost as error:
            log.info("another process has a partition now", extra={"partition": error.partition})
            self.intake.forget(error.partition)
            source.begin_anew()
            return
        self._say_back()
        self._on_results(_answered(parcel.entries))
        await source.commit()

    async def _find_early(self, source: Source, entries: Sequence[Entry], early: dict[int, int]) -> None:
        """Partitions with a hello whose host left records in another that are not folded yet, and where it is."""
        for entry in entries:
            event, message = entry.record and entry.record.event, entry.message
            if not isinstance(event, Hello) or event.moved_from is None or not isinstance(message, ConsumerRecord):
                continue
            if message.partition not in early and not await self._has_arrived(source, event, message.partition):
                early[message.partition] = message.offset
                source.put_back(message)

    async def _has_arrived(self, source: Source, hello: Hello, partition: int) -> bool:
        """Whether all that the host had written to its former partition is folded."""
        old = hello.moved_from
        if old is None or old == partition:
            return True
        tail = self._tails.get(hello.stream)
        if tail is None:
            tail = await source.end_of(old) or 0
            self._tails[hello.stream] = tail
        position, _ = await self._look_up(old)
        if (position or 0) < tail:
            return False
        del self._tails[hello.stream]
        return True

    async def _look_up(self, partition: int) -> tuple[int | None, bytes | None]:
        def asked() -> tuple[int | None, bytes | None]:
            with self._engine.connect() as connection:
                return read_offset(connection, self._settings.kafka.events_topic, partition)

        return await asyncio.to_thread(asked)

    async def _note_loss(self, partition: int, why: str) -> None:
        at = now()
        self.intake.counts[why] += 1
        await asyncio.to_thread(self.intake.note_loss, partition, lambda state: lose(state, at))

    def _say(self, error: Exception) -> None:
        if not self._trouble:
            self._trouble = True
            why = str(error).split("\n")[0]
            log.warning("events wait in Kafka: %s", type(error).__name__, extra={"why": why})

    def _say_back(self) -> None:
        if self._trouble:
            self._trouble = False
            log.info("events are folded again")


def _answered(entries: Sequence[Entry]) -> Iterator[str]:
    """The commands that these tell of."""
    events = (entry.record.event for entry in entries if entry.record is not None)
    return (event.command for event in events if isinstance(event, Result))


def recorded_at(message: ConsumerRecord) -> datetime:
    """When the broker got a message; the embedded one does not say, then it is now."""
    if message.timestamp_type == LOG_APPEND_TIME:
        return EPOCH + timedelta(milliseconds=message.timestamp)
    return now()


def read_entries(messages: Sequence[Message], checked: Sequence[Checked], ats: Sequence[datetime]) -> list[Entry]:
    """The messages, read; never raises for what is in them."""
    return [Entry(m, at, *read(m, one, at)) for m, one, at in zip(messages, checked, ats, strict=True)]


def _is_early(entry: Entry, early: Mapping[int, int]) -> bool:
    message = entry.message
    return message is not None and message.offset >= early.get(message.partition, message.offset + 1)


def _runs(messages: Sequence[ConsumerRecord], most: int, most_bytes: int) -> Iterator[list[ConsumerRecord]]:
    """Parts of at most so many messages, and so many bytes, one message at least."""
    run: list[ConsumerRecord] = []
    size = 0
    for message in messages:
        length = len(message.value or b"")
        if len(run) == most or (run and size + length > most_bytes):
            yield run
            run, size = [], 0
        run.append(message)
        size += length
    if run:
        yield run
