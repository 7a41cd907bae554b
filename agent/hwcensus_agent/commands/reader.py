"""Reads the host's commands partition, as far back as a command can be valid. Its position is nobody's to keep.

What was read before is read again at every start: the inbox knows it. No consumer group, no commits.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, UnsupportedVersionError

from hwcensus.instant import now
from hwcensus.kafka import KafkaSettings, consumer_arguments
from hwcensus.undecodable import Undecodable

logger = logging.getLogger(__name__)

#: The longest deadline a command may have (docs/protocol.md).
LONGEST_DEADLINE = timedelta(days=7)
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30.0
#: Milliseconds the broker holds a question that has no answer yet. Kafka answers as soon as a command is there; the
#: embedded broker answers only after the wait, so that it wants the short one.
FETCH_WAIT_MS, EMBEDDED_FETCH_WAIT_MS = 5000, 100
POLL_MS = 60_000
#: How often aiokafka's fetcher turns for nothing; by default five times a second.
IDLE_TURN_MS = 2000


class Receive(Protocol):
    """Takes the value and the headers of a record. `fresh`: it was written after this agent began to read, and not read
    before; of others it is not known whether a former agent did."""

    def __call__(self, value: bytes, headers: Mapping[str, bytes], *, fresh: bool) -> None: ...


class CommandReader:
    """Gives every record of one partition to `receive`, in order."""

    def __init__(
        self, settings: KafkaSettings, partition: int, receive: Receive, *, fetch_wait_ms: int = FETCH_WAIT_MS
    ) -> None:
        self._settings, self._receive, self._fetch_wait_ms = settings, receive, fetch_wait_ms
        self._place = TopicPartition(settings.commands_topic, partition)
        self._away = False
        self._fresh_from: int | None = None

    async def run(self) -> None:
        """Reads for ever; cancel it to stop. Kafka's absence is waited out."""
        retry = FIRST_RETRY_S
        while True:
            consumer = AIOKafkaConsumer(
                **consumer_arguments(self._settings, "hwcensus-agent-commands", group=None),
                fetch_max_wait_ms=self._fetch_wait_ms,
                consumer_timeout_ms=IDLE_TURN_MS,
            )
            try:
                await consumer.start()
                await self._begin(consumer)
                self._say_back()
                retry = FIRST_RETRY_S
                await self._read(consumer)
            except (KafkaError, OSError) as error:
                self._say_away(error)
            finally:
                await consumer.stop()
            await asyncio.sleep(retry)
            retry = min(retry * 2, LAST_RETRY_S)

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        oldest = int((now() - LONGEST_DEADLINE).timestamp() * 1000)
        try:
            found = (await consumer.offsets_for_times({self._place: oldest}))[self._place]
        except UnsupportedVersionError:
            found = None
        start = found.offset if found is not None else await self._beginning(consumer)
        if self._fresh_from is None:
            self._fresh_from = int((await consumer.end_offsets([self._place]))[self._place])
        consumer.assign([self._place])
        consumer.seek(self._place, start)

    async def _beginning(self, consumer: AIOKafkaConsumer) -> int:
        # Also where no record is young enough: the old ones have expired, and say so themselves.
        return int((await consumer.beginning_offsets([self._place]))[self._place])

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                # One by one: of several aiokafka drops those before one that it cannot decode.
                records = (await consumer.getmany(timeout_ms=POLL_MS, max_records=1)).get(self._place, [])
            except OffsetOutOfRangeError:
                logger.warning("the commands topic was made anew; read from its beginning")
                self._fresh_from = await self._beginning(consumer)
                consumer.seek(self._place, self._fresh_from)
                continue
            # Decoding raises what it likes; whatever is not from there goes on.
            except Exception as error:
                found = Undecodable.of(error)
                if found is None:
                    raise
                self._pass_over(consumer, found)
                continue
            for record in records:
                if record.value is not None:
                    # Kafka's headers may be null: ours never are.
                    headers = {name: value for name, value in record.headers if value is not None}
                    self._receive(record.value, headers, fresh=self._is_fresh(record.offset))

    def _pass_over(self, consumer: AIOKafkaConsumer, found: Undecodable) -> None:
        after = found.after(consumer.highwater(self._place))
        facts = {"partition": found.partition, "from": found.offset, "until": after, "why": found.why}
        logger.warning("refused a command: it cannot be decoded", extra=facts)
        consumer.seek(self._place, after)

    def _is_fresh(self, offset: int) -> bool:
        fresh = self._fresh_from is not None and offset >= self._fresh_from
        if fresh:
            self._fresh_from = offset + 1
        return fresh

    def _say_away(self, error: BaseException) -> None:
        if not self._away:
            self._away = True
            logger.warning("commands cannot be read, Kafka does not answer", extra={"why": str(error) or repr(error)})

    def _say_back(self) -> None:
        if self._away:
            self._away = False
            logger.info("commands can be read again")
