"""aiokafka with our arguments against real Apache Kafka 4: the writer, the reader, the admin client."""

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoOffsetForPartitionError

from hwcensus.kafka import (
    MAX_BATCH_BYTES,
    KafkaSettings,
    client_arguments,
    consumer_arguments,
    producer_arguments,
)
from hwcensus.topics import required
from tests.fixtures.kafka import Kafka, Topics

T = TypeVar("T")

LOG_APPEND_TIME = 1


async def written(producer: AIOKafkaProducer, topic: str, partition: int, *values: bytes) -> int:
    """One batch to one partition, as the publisher writes it; the offset of its first record."""
    batch = producer.create_batch()
    for value in values:
        assert batch.append(key=b"host", value=value, timestamp=None, headers=[("seq", b"1")]) is not None
    batch.close()
    acknowledgement = await producer.send_batch(batch, topic, partition=partition)
    offset: int = (await acknowledgement).offset
    return offset


async def read(settings: KafkaSettings, topic: str, partition: int, count: int) -> list[bytes]:
    where = TopicPartition(topic, partition)
    values: list[bytes] = []
    async with AIOKafkaConsumer(**consumer_arguments(settings, "ingest", group=None)) as consumer:
        consumer.assign([where])
        consumer.seek(where, 0)
        while len(values) < count:
            record = await consumer.getone()
            assert record.timestamp_type == LOG_APPEND_TIME
            values.append(record.value)
    return values


@pytest.mark.parametrize("compression", ["none", "gzip", "lz4", "zstd", "snappy"])
async def test_an_idempotent_batch_to_one_partition_comes_out_whole_and_in_order(
    kafka: Kafka, kafka_topics: Callable[..., Topics], compression: str
) -> None:
    settings = KafkaSettings(bootstrap_servers=(kafka.bootstrap,), compression=compression)
    topic = kafka_topics(events_partitions=4).events
    values = [b"<event seq='%d'/>" % number for number in range(500)]
    async with AIOKafkaProducer(**producer_arguments(settings, "agent")) as producer:
        assert await written(producer, topic, 3, *values[:250]) == 0
        assert await written(producer, topic, 3, *values[250:]) == 250

    assert await read(settings, topic, 3, 500) == values


async def test_a_record_larger_than_a_batch_goes_alone(kafka: Kafka, kafka_topics: Callable[..., Topics]) -> None:
    settings = KafkaSettings(bootstrap_servers=(kafka.bootstrap,), compression="none")
    topic = kafka_topics().events
    large = b"x" * (7 * MAX_BATCH_BYTES)
    async with AIOKafkaProducer(**producer_arguments(settings, "agent")) as producer:
        assert await written(producer, topic, 0, large) == 0

    assert await read(settings, topic, 0, 1) == [large]


async def test_a_reader_without_a_position_is_told_so_instead_of_guessing(
    kafka: Kafka, kafka_topics: Callable[..., Topics]
) -> None:
    settings = KafkaSettings(bootstrap_servers=(kafka.bootstrap,))
    where = TopicPartition(kafka_topics().events, 0)
    async with AIOKafkaConsumer(**consumer_arguments(settings, "ingest", group=None)) as consumer:
        consumer.assign([where])
        with pytest.raises(NoOffsetForPartitionError):
            await consumer.getone()


async def test_a_group_shares_partitions_and_hands_them_over(kafka: Kafka, kafka_topics: Callable[..., Topics]) -> None:
    settings = KafkaSettings(bootstrap_servers=(kafka.bootstrap,))
    topic = kafka_topics(events_partitions=2).events
    arguments = consumer_arguments(settings, "ingest", group=topic)
    first = AIOKafkaConsumer(topic, **arguments)
    async with first:
        assert len(first.assignment()) == 2
        async with AIOKafkaConsumer(topic, **arguments) as second:
            assert len(second.assignment()) == 1


@pytest.fixture
async def admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**client_arguments(KafkaSettings(bootstrap_servers=(kafka.bootstrap,)), "collector"))
    await client.start()
    yield client
    await client.close()


async def once(ask: Callable[[], Awaitable[T]], enough: Callable[[T], bool]) -> T:
    """The first answer that is enough: what the controller has decided, the broker knows a moment later."""
    limit = time.monotonic() + 20
    while not enough(answer := await ask()):
        assert time.monotonic() < limit, answer
    return answer


async def test_topics_are_made_described_and_grown(kafka: Kafka, admin: AIOKafkaAdminClient) -> None:
    events, _ = required(f"events-{uuid.uuid4().hex}", "commands", events_partitions=2)
    # The broker's own replication factor (-1) is taken by aiokafka only beside an empty, not a missing, assignment.
    topic = NewTopic(events.name, events.partitions, -1, replica_assignments={}, topic_configs=dict(events.config))
    made = await admin.create_topics([topic])
    assert [error for _, error, *_ in made.topic_errors] == [0]

    async def settings() -> dict[str, str]:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, events.name)])
        return {name: value for name, value, *_ in answer.resources[0][4]}

    assert (await once(settings, bool)).items() >= events.config.items()

    async def partitions() -> int:
        (topic,) = await admin.describe_topics([events.name])
        return len(topic["partitions"])

    await admin.create_partitions({events.name: NewPartitions(total_count=3)})
    assert await once(partitions, lambda count: count > 2) == 3


async def test_a_writer_goes_on_after_kafka_was_killed(own_kafka: Kafka) -> None:
    settings = KafkaSettings(bootstrap_servers=(own_kafka.bootstrap,))
    topic = own_kafka.create_topics().events
    async with AIOKafkaProducer(**producer_arguments(settings, "agent")) as producer:
        await written(producer, topic, 1, b"before")
        own_kafka.kill()
        own_kafka.start()
        await written(producer, topic, 1, b"after")

    assert await read(settings, topic, 1, 2) == [b"before", b"after"]
