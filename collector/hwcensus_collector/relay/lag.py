"""Which partitions of the events topic ingest has caught up with: what they held a moment ago is folded.

It compares SQL's positions with Kafka's ends; it reads no record.
"""

from collections.abc import Mapping
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from hwcensus.kafka import KafkaSettings, consumer_arguments


class Ends(Protocol):
    """Where the partitions of the events topic end."""

    async def ends(self, partitions: int) -> Mapping[int, int]:
        """Offset of the next record, by partition, of which there are so many. Raises KafkaError."""

    async def close(self) -> None:
        """Ends the connection."""


class KafkaEnds:
    """Asked over a connection of its own, opened when it is first needed."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None

    async def ends(self, partitions: int) -> Mapping[int, int]:
        consumer = await self._open()
        places = [TopicPartition(self._settings.events_topic, partition) for partition in range(partitions)]
        return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _open(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(**consumer_arguments(self._settings, "hwcensus-relay", group=None))
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer


class Lag:
    """Remembers an end until ingest has passed it, for a busy partition's own end is never reached."""

    def __init__(self) -> None:
        self._marks: dict[int, int] = {}

    def caught_up(self, positions: Mapping[int, int], ends: Mapping[int, int]) -> frozenset[int]:
        """The partitions whose marked end ingest has passed; a topic made anew ends before its old mark."""
        marks = {partition: min(self._marks.get(partition, end), end) for partition, end in ends.items()}
        passed = frozenset(partition for partition, mark in marks.items() if positions.get(partition, 0) >= mark)
        self._marks = {partition: ends[partition] if partition in passed else mark for partition, mark in marks.items()}
        return passed
