"""Messages of the events topic in their order, each partition from where SQL says, whatever Kafka's client believes.

A *generation* lasts until the assignment or anything else about our positions changes; then all of them are looked up
in SQL anew, and what was handed out before and not stored is worth nothing. Nothing is parsed or stored here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from hwcensus.kafka import consumer_arguments
from hwcensus.undecodable import Undecodable
from hwcensus_collector.ingest.intake import Positions
from hwcensus_collector.ingest.reading import Course, PartitionReading
from hwcensus_collector.ingest.spoiled import Found, salvage
from hwcensus_collector.settings import CollectorSettings

log = logging.getLogger(__name__)

#: Milliseconds that one look at Kafka lasts where nothing comes.
LOOK_MS = 500
#: Milliseconds after which Kafka is asked for its topics again: how soon a topic made anew is noticed.
METADATA_MS = 5000
#: Seconds after which the last record of quiet partitions is compared again: the topic may have been made anew.
VERIFY_SECONDS = 60.0
#: Seconds that a partition waits whose next record cannot be folded yet.
PAUSE_SECONDS = 0.5

#: Partition → next offset and fingerprint of the record before, as SQL has them.
LookUp = Callable[[int], Awaitable[tuple[int | None, bytes | None]]]
#: Told of a partition whose records are lost, and why.
Loss = Callable[[int, str], Awaitable[None]]


class Source:
    """One consumer's share of the topic. `positions` is for the storing side: SQL's word on each partition."""

    def __init__(self, settings: CollectorSettings, look_up: LookUp, lost: Loss) -> None:
        self._static = settings.ingest.static
        self._most = settings.ingest.batch_records
        self._kafka, self._topic = settings.kafka, settings.kafka.events_topic
        self._look_up, self._lost = look_up, lost
        self._consumer = AIOKafkaConsumer(
            **consumer_arguments(settings.kafka, "hwcensus-ingest", group=settings.kafka.group),
            metadata_max_age_ms=METADATA_MS,
        )
        self.generation = 0
        self.positions: Positions = {}
        self._readings: dict[TopicPartition, PartitionReading] = {}
        self._looked_at = 0.0
        self._paused: dict[TopicPartition, float] = {}
        #: Partitions whose last record is not the one we folded.
        self._other: set[TopicPartition] = set()

    async def start(self) -> None:
        """Raises KafkaError."""
        if not self._static:
            self._consumer.subscribe([self._topic])
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()

    def begin_anew(self) -> None:
        """Ends the generation: what was handed out and is not stored yet will come again."""
        self.generation += 1
        self._readings.clear()

    def ready(self) -> bool:
        """Whether the generation still holds; if not, `look_up` it is."""
        if self._static:
            self._assign_all()
        return bool(self._readings) and self._readings.keys() == self._consumer.assignment()

    async def look_up(self) -> None:
        """Asks SQL where to read each partition of ours. Nothing may be stored meanwhile. Raises KafkaError."""
        self.begin_anew()
        self.positions.clear()
        self._paused.clear()
        self._looked_at = _time()
        for tp in sorted(self._consumer.assignment()):
            self._readings[tp] = await self._begin(tp)
            self._seek(tp, self._readings[tp])
        self._other.clear()

    @property
    def quiet(self) -> bool:
        """Whether nothing has come for so long that the last records are worth another look."""
        return _time() - self._looked_at > VERIFY_SECONDS

    async def messages(self) -> list[ConsumerRecord]:
        """What is due of all partitions, in order of each; after half a second nothing. Raises KafkaError."""
        self._resume()
        try:
            found = await self._consumer.getmany(timeout_ms=LOOK_MS, max_records=self._most)
        except NoOffsetForPartitionError:
            self.begin_anew()  # a new assignment has forgotten where we were
            return []
        except OffsetOutOfRangeError:
            self.begin_anew()  # looking up finds what is there
            return []
        # The client decodes in there, and gives up with whatever it meets.
        except Exception as error:
            if Undecodable.of(error) and (read := await self._salvage()):
                return self._due_instead(read)
            if isinstance(error, KafkaError):
                raise
            raise CorruptRecordException(f"{type(error).__name__}: {error}") from error
        # A record says itself where in its batch it is. The client believes it, and so would we skip what is there.
        if not all(self._is_in_turn(*one) for one in found.items()) and (read := await self._salvage()):
            return self._due_instead(read)
        return self._due(found)

    def _is_in_turn(self, tp: TopicPartition, messages: Sequence[ConsumerRecord]) -> bool:
        reading = self._readings.get(tp)
        first = messages[0].offset
        return reading is None or (
            first <= reading.wanted and all(message.offset == first + n for n, message in enumerate(messages))
        )

    def _due(self, found: Mapping[TopicPartition, list[ConsumerRecord]]) -> list[ConsumerRecord]:
        due: list[ConsumerRecord] = []
        generation = self.generation
        for tp, messages in found.items():
            self._looked_at = _time()
            reading = self._readings.get(tp)
            if reading is not None:
                due.extend(self._select(tp, reading, messages))
        return due if self.generation == generation else []

    async def _salvage(self) -> Found:
        """What there is in all partitions, read without the client. Raises KafkaError."""
        places = {tp: reading.wanted for tp, reading in self._readings.items() if tp not in self._paused}
        return await salvage(self._kafka, places)

    def _due_instead(self, read: Found) -> list[ConsumerRecord]:
        due = self._due(read)
        # Also of those of which nothing came: what the client had taken of them is not used.
        for tp, reading in list(self._readings.items()):
            self._seek(tp, reading)
        return due

    def put_back(self, message: ConsumerRecord) -> None:
        """The message comes again, a little later, with all that follows it in its partition."""
        tp = TopicPartition(message.topic, message.partition)
        if tp not in self._readings:
            return
        self._readings[tp] = PartitionReading(next=message.offset)
        self._consumer.seek(tp, message.offset)
        self._consumer.pause(tp)
        self._paused[tp] = _time() + PAUSE_SECONDS

    async def end_of(self, partition: int) -> int | None:
        """Offset of the next record that a partition of the topic will get; None where there is no such partition."""
        if partition not in (self._consumer.partitions_for_topic(self._topic) or ()):
            return None
        tp = TopicPartition(self._topic, partition)
        end: int = (await self._consumer.end_offsets([tp]))[tp]
        return end

    async def commit(self) -> None:
        """Tells Kafka what is stored: for displays of lag, and for whoever holds back while we lag."""
        assigned = self._consumer.assignment()
        offsets = {
            tp: position
            for (topic, partition), position in self.positions.items()
            if position is not None and (tp := TopicPartition(topic, partition)) in assigned
        }
        try:
            if offsets:
                await self._consumer.commit(offsets)
        except KafkaError as error:
            # Nothing hangs on it, and a rebalance under way refuses it.
            log.debug("Kafka does not take our offsets: %s", type(error).__name__)

    def lag(self) -> Mapping[int, int]:
        """Records of each partition of ours that are not handed out yet, as far as Kafka has told."""
        ends = {tp: self._consumer.highwater(tp) for tp in self._readings if tp in self._consumer.assignment()}
        return {tp.partition: max(0, end - self._readings[tp].next) for tp, end in ends.items() if end is not None}

    def _assign_all(self) -> None:
        # Asking for one partition makes the embedded broker make all of them.
        known = self._consumer.partitions_for_topic(self._topic) or {0}
        wanted = {TopicPartition(self._topic, partition) for partition in known}
        if wanted != self._consumer.assignment():
            self._consumer.assign(sorted(wanted))

    async def _begin(self, tp: TopicPartition) -> PartitionReading:
        position, fingerprint = await self._look_up(tp.partition)
        self.positions[tp.topic, tp.partition] = position
        begin = (await self._consumer.beginning_offsets([tp]))[tp]
        end = (await self._consumer.end_offsets([tp]))[tp]
        if position is None:
            return PartitionReading(next=begin)
        if tp not in self._other and begin <= position <= end:
            return PartitionReading(next=position, verify=fingerprint if position > begin else None)
        # From the beginning of what is there. What was between is lost, and its hosts will be asked.
        why = "records-lost" if position < begin else "another-topic"
        log.warning("a partition is read from its beginning", extra={"partition": tp.partition, "why": why})
        await self._lost(tp.partition, why)
        return PartitionReading(next=begin)

    def _select(
        self, tp: TopicPartition, reading: PartitionReading, messages: list[ConsumerRecord]
    ) -> Sequence[ConsumerRecord]:
        due, course = reading.select(messages)
        if course is Course.SEEK:
            self._seek(tp, reading)
        elif course is Course.ANOTHER_TOPIC:
            self._other.add(tp)
            self.begin_anew()
        return due

    def _seek(self, tp: TopicPartition, reading: PartitionReading) -> None:
        try:
            self._consumer.seek(tp, reading.wanted)
        except IllegalStateError:
            self.begin_anew()  # it was taken from us while we asked

    def _resume(self) -> None:
        for tp in [tp for tp, until in self._paused.items() if until <= _time()]:
            del self._paused[tp]
            if tp in self._consumer.assignment():
                self._consumer.resume(tp)


def _time() -> float:
    return asyncio.get_running_loop().time()
