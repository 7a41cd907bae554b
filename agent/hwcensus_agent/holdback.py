"""Holds the publisher back where the broker drops what nobody has read: the embedded broker of `hwcensus up`.

Counts the bytes sent beyond the collector's committed offset; not used with Apache Kafka.
"""

import asyncio
from collections import deque

from aiokafka import AIOKafkaConsumer, TopicPartition

from hwcensus.kafka import KafkaSettings, consumer_arguments

POLL_S = 0.1


class HoldBack:
    """Waits until the collector is less than `limit` bytes behind."""

    def __init__(self, settings: KafkaSettings, limit: int) -> None:
        self._settings, self._limit = settings, limit
        self._sent: deque[tuple[int, int]] = deque()
        self._consumer: AIOKafkaConsumer | None = None

    def sent(self, last_offset: int, size: int) -> None:
        """Notes a batch that was acknowledged."""
        if self._sent and last_offset < self._sent[-1][0]:
            self._sent.clear()  # the broker began anew, and has forgotten all
        self._sent.append((last_offset, size))

    async def wait(self, partition: int, size: int) -> None:
        """Returns when `size` more bytes may be sent. Raises KafkaError."""
        while sum(waiting for _, waiting in self._sent) + size > self._limit and self._sent:
            committed = await self._committed(partition)
            while self._sent and self._sent[0][0] < committed:
                self._sent.popleft()
            if sum(waiting for _, waiting in self._sent) + size > self._limit and self._sent:
                await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _committed(self, partition: int) -> int:
        if self._consumer is None:
            arguments = consumer_arguments(self._settings, "hwcensus-agent", group=self._settings.group)
            consumer = AIOKafkaConsumer(**arguments)
            await consumer.start()
            self._consumer = consumer
        place = TopicPartition(self._settings.events_topic, partition)
        self._consumer.assign([place])
        return int(await self._consumer.committed(place) or 0)
