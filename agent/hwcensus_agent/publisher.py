"""The spool's outbox to Kafka: one batch at a time, in order, deleted when acknowledged.

A failure of any kind sends the same bytes again under the same numbers; the collector drops what it has. The partition
is the spool's, picked once. Heartbeats, which have no number, go through `beat`.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError, UnknownTopicOrPartitionError

from hwcensus.event import Event
from hwcensus.kafka import KafkaSettings, producer_arguments
from hwcensus.topics import partition_of
from hwcensus_agent.holdback import HoldBack
from hwcensus_agent.render import Renderer
from hwcensus_agent.spool import Numbered, Spool

logger = logging.getLogger(__name__)

#: Rows of the outbox that are numbered at once.
RUN = 500
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
#: Seconds that Kafka's client has to close; what is in flight then is sent again at the next start.
CLOSE_S = 2.0
_TOO_LARGE = (MessageSizeTooLargeError, RecordTooLargeError)


class Publisher:
    """Sends what waits. `woken` is set by whoever puts something into the outbox."""

    def __init__(self, settings: KafkaSettings, host: str, spool: Spool) -> None:
        self._settings, self._host, self._spool = settings, host, spool
        self._render = Renderer(host, spool)
        self._producer: AIOKafkaProducer | None = None
        self.woken = asyncio.Event()
        #: Records set aside because the broker takes none of their size.
        self.too_large = 0
        #: Holds the publisher back where the broker forgets what nobody has read.
        self.hold_back: HoldBack | None = None
        #: Begins a stream, given the number of partitions of the commands topic (None: there is no such topic) and the
        #: events partition that is no more, if the host had to move.
        self.greet: Callable[[int | None, int | None], None] | None = None
        self._greeted = False
        self._moved_from: int | None = None
        self._beat: Callable[[], Event] | None = None
        self._away_since: float | None = None

    @property
    def partition(self) -> int | None:
        remembered = self._spool.remembered("events-partition")
        return None if remembered is None else int(remembered)

    async def run(self) -> None:
        """Publishes for ever; cancel it to stop."""
        retry = FIRST_RETRY_S
        while True:
            try:
                await self._connect()
                retry = FIRST_RETRY_S
                await self.drain()
                await self._tell_beat()
                if self._greeted or self.greet is None:
                    await self.woken.wait()
            except (KafkaError, OSError) as error:
                self._say_away(error)
                await self._disconnect()
                await asyncio.sleep(retry)
                retry = min(retry * 2, LAST_RETRY_S)

    async def drain(self) -> None:
        """Sends all that waits, numbered records first. Raises KafkaError."""
        while True:
            self.woken.clear()
            sending = self._spool.sending()
            if not sending and not self._greeted and self.greet is not None:
                return
            if not sending:
                rows = self._spool.next_rows(RUN)
                if not rows:
                    return
                self._spool.take(rows, self._render)
                continue
            await self._send(sending)
            self._say_back()

    def beat(self, build: Callable[[], Event]) -> None:
        """Sends a heartbeat as soon as nothing waits; it goes the events' way, so that none can overtake it."""
        self._beat = build
        self.woken.set()

    async def _tell_beat(self) -> None:
        build, self._beat = self._beat, None
        if build is None or self._producer is None or self._spool.waiting():
            return
        event = build()
        await self._producer.send_and_wait(
            self._settings.events_topic, event.to_bytes(), key=self._host.encode(), partition=self.partition,
            headers=event.headers(),
        )  # fmt: skip

    async def last_words(self) -> None:
        """Sends what waits, where Kafka is there; what cannot be sent stays in the spool."""
        if self._producer is not None and self._greeted:
            try:
                await self.drain()
            except (KafkaError, OSError) as error:
                self._say_away(error)

    def waiting(self) -> int:
        """Events that Kafka has not acknowledged."""
        return self._spool.waiting()

    async def close(self) -> None:
        """Lets go of Kafka, which may not answer: its client would wait for a batch in flight as long as that lives."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._disconnect(), CLOSE_S)
        if self.hold_back is not None:
            await self.hold_back.close()

    async def _connect(self) -> None:
        if self._producer is not None:
            await self._greet(self._producer)
            return
        producer = AIOKafkaProducer(**producer_arguments(self._settings, "hwcensus-agent"))
        try:
            await producer.start()
            await self._pick_partition(producer)
            await self._greet(producer)
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer
        self._say_back()

    async def _pick_partition(self, producer: AIOKafkaProducer) -> None:
        """The partition is picked once, and again only when it no longer exists."""
        there = await producer.partitions_for(self._settings.events_topic)
        if self.partition is None or self.partition not in there:
            self._moved_from, self._greeted = self.partition, False
            self._spool.remember("events-partition", str(partition_of(self._host, len(there))))

    async def _greet(self, producer: AIOKafkaProducer) -> None:
        if self._greeted or self.greet is None:
            return
        try:
            commands = len(await producer.partitions_for(self._settings.commands_topic))
        except UnknownTopicOrPartitionError:
            commands = 0
        self.greet(commands or None, self._moved_from)
        self._greeted, self._moved_from = True, None

    def new_stream(self) -> None:
        """Begins a new stream before anything further is numbered."""
        self._greeted = False
        self.woken.set()

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _send(self, records: list[Numbered]) -> None:
        """Sends as many as one batch takes and waits for the acknowledgement."""
        producer, partition = self._producer, self.partition
        assert producer is not None
        assert partition is not None
        batch = producer.create_batch()
        taken = []
        for record in records:
            if batch.append(
                key=self._host.encode(), value=record.value, timestamp=int(time.time() * 1000), headers=record.headers
            ) is None:  # fmt: skip
                break
            taken.append(record)
        if not taken:
            await self._send_alone(producer, partition, records[0])
            return
        size = sum(len(record.value) for record in taken)
        if self.hold_back is not None:
            await self.hold_back.wait(partition, size)
        batch.close()
        try:
            told = await (await producer.send_batch(batch, self._settings.events_topic, partition=partition))
        except _TOO_LARGE:
            await self._send_alone(producer, partition, taken[0])
            return
        self._spool.acknowledged(taken)
        if self.hold_back is not None:
            self.hold_back.sent(told.offset + len(taken) - 1, size)

    async def _send_alone(self, producer: AIOKafkaProducer, partition: int, record: Numbered) -> None:
        """One record that fills a batch of its own; what the broker refuses for its size is set aside."""
        try:
            await producer.send_and_wait(
                self._settings.events_topic, record.value, key=self._host.encode(), partition=partition,
                headers=record.headers,
            )  # fmt: skip
        except _TOO_LARGE as error:
            self.too_large += 1
            self._spool.set_aside(record)
            logger.error("an event is too large for Kafka and was set aside", extra={"why": str(error)})
            return
        self._spool.acknowledged([record])

    def _say_away(self, error: BaseException) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.warning(
                "Kafka does not answer; events wait in the spool",
                extra={"servers": ",".join(self._settings.bootstrap_servers), "why": str(error) or repr(error)},
            )

    def _say_back(self) -> None:
        if self._away_since is not None:
            away = round(time.monotonic() - self._away_since, 1)
            logger.info("Kafka answers again", extra={"seconds": away, "waiting": self._spool.waiting()})
            self._away_since = None
