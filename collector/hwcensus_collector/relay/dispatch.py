"""Sending commands to Kafka: signed, to the exact partition, in order; one batch a partition, acknowledged as a whole.

What is sent and what became of it is in SQL: `outbox.py`.
"""

import asyncio
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from hwcensus.envelope import FORMAT
from hwcensus.signature import Signer
from hwcensus_collector.relay.outbox import Outgoing

log = logging.getLogger(__name__)


async def send(
    producer: AIOKafkaProducer, topic: str, signer: Signer, outgoing: Sequence[Outgoing]
) -> tuple[list[Outgoing], KafkaError | None]:
    """Sends what one batch a partition takes; gives what Kafka acknowledged, and the first error of the others.

    Within a partition all before an acknowledged one are acknowledged too, so what is left is in order.
    """
    by_partition: dict[int, list[Outgoing]] = {}
    for one in outgoing:
        by_partition.setdefault(one.partition, []).append(one)
    ends = await asyncio.gather(
        *(_send_batch(producer, topic, signer, partition, ones) for partition, ones in by_partition.items()),
        return_exceptions=True,
    )
    sent: list[Outgoing] = []
    failed: KafkaError | None = None
    for end in ends:
        if isinstance(end, KafkaError):
            failed = failed or end
        elif isinstance(end, BaseException):
            raise end
        else:
            sent += end
    return sent, failed


def headers(signer: Signer, one: Outgoing) -> list[tuple[str, bytes]]:
    """What stands beside the value: so that a reader can route without parsing, and trust before it does."""
    plain = {"type": one.type, "format": FORMAT, "host": one.host}
    return [*((name, value.encode()) for name, value in plain.items()), *signer.headers(one.body)]


async def _send_batch(
    producer: AIOKafkaProducer, topic: str, signer: Signer, partition: int, ones: Sequence[Outgoing]
) -> list[Outgoing]:
    batch = producer.create_batch()
    taken: list[Outgoing] = []
    for one in ones:
        if batch.append(key=one.host.encode(), value=one.body, timestamp=None, headers=headers(signer, one)) is None:
            break
        taken.append(one)
    batch.close()
    acknowledged = await producer.send_batch(batch, topic, partition=partition)
    await acknowledged
    return taken
