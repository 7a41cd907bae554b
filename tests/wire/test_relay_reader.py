"""The agent's reader of commands against real Kafka and the embedded broker."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer

from hwcensus.broker import EmbeddedBroker
from hwcensus.kafka import KafkaSettings, producer_arguments
from hwcensus_agent.commands.reader import EMBEDDED_FETCH_WAIT_MS, FETCH_WAIT_MS, CommandReader
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.spoilt import NAME, SPOILT, Spoil, spoiling

LIMIT = 40.0
PARTITION = 1


class Heard:
    """What a reader gave."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.headers: list[Mapping[str, bytes]] = []
        self.fresh: list[bytes] = []

    def receive(self, value: bytes, headers: Mapping[str, bytes], *, fresh: bool) -> None:
        self.values.append(value)
        self.fresh += [value] * fresh
        self.headers.append(headers)

    async def until(self, value: bytes) -> None:
        async with asyncio.timeout(LIMIT):
            while value not in self.values:  # noqa: ASYNC110 - the reader knows no event to set
                await asyncio.sleep(0.01)


@asynccontextmanager
async def reading(settings: KafkaSettings, heard: Heard, wait: int = FETCH_WAIT_MS) -> AsyncIterator[None]:
    task = asyncio.create_task(CommandReader(settings, PARTITION, heard.receive, fetch_wait_ms=wait).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def write(settings: KafkaSettings, *values: bytes, partition: int = PARTITION) -> None:
    async with AIOKafkaProducer(**producer_arguments(settings, "test")) as producer:
        for value in values:
            await producer.send_and_wait(
                settings.commands_topic, value, partition=partition, headers=[("host", b"h"), ("type", b"ping")]
            )


def of(kafka: Kafka, topics: Topics) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=(kafka.bootstrap,), events_topic=topics.events, commands_topic=topics.commands
    )


async def test_what_was_written_before_and_after_the_start_is_read_in_order_from_one_partition(
    kafka: Kafka, kafka_topics: Callable[..., Topics]
) -> None:
    settings, heard = of(kafka, kafka_topics()), Heard()
    await write(settings, b"1", b"2")
    await write(settings, b"not ours", partition=0)
    async with reading(settings, heard):
        await heard.until(b"2")
        await write(settings, b"3")
        await heard.until(b"3")
    assert heard.values == [b"1", b"2", b"3"]
    assert heard.fresh == [b"3"]
    assert heard.headers[0] == {"host": b"h", "type": b"ping"}


async def test_every_start_reads_again_what_can_still_be_valid(
    kafka: Kafka, kafka_topics: Callable[..., Topics]
) -> None:
    settings = of(kafka, kafka_topics())
    await write(settings, b"1")
    for _ in range(2):
        heard = Heard()
        async with reading(settings, heard):
            await heard.until(b"1")


async def test_a_reader_that_starts_before_kafka_waits_for_it(own_kafka: Kafka) -> None:
    settings, heard = of(own_kafka, own_kafka.create_topics()), Heard()
    await write(settings, b"1")
    own_kafka.stop()
    async with reading(settings, heard):
        await asyncio.sleep(0)
        own_kafka.start()
        await heard.until(b"1")


async def test_a_reader_outlives_kafkas_absence(own_kafka: Kafka) -> None:
    settings, heard = of(own_kafka, own_kafka.create_topics()), Heard()
    async with reading(settings, heard):
        await write(settings, b"1")
        await heard.until(b"1")
        own_kafka.kill()
        own_kafka.start()
        await write(settings, b"2")
        await heard.until(b"2")


async def test_a_topic_made_anew_is_read_from_its_beginning(own_kafka: Kafka) -> None:
    topics = own_kafka.create_topics()
    settings, heard = of(own_kafka, topics), Heard()
    async with reading(settings, heard):
        await write(settings, b"1", b"2", b"3")
        await heard.until(b"3")
        own_kafka.delete(topics.commands)
        own_kafka.create(topics.commands, 4)
        await write(settings, b"4")
        await heard.until(b"4")


async def test_the_embedded_broker_knows_no_times_and_is_read_from_the_beginning(embedded: EmbeddedBroker) -> None:
    settings, heard = KafkaSettings(bootstrap_servers=(embedded.address,)), Heard()
    await write(settings, b"1")
    async with reading(settings, heard, EMBEDDED_FETCH_WAIT_MS):
        await heard.until(b"1")
        await write(settings, b"2")
        await heard.until(b"2")
    assert heard.values == [b"1", b"2"]


async def test_a_record_with_a_null_header_is_read_like_one_without_it(
    kafka: Kafka, kafka_topics: Callable[..., Topics]
) -> None:
    settings, heard = of(kafka, kafka_topics()), Heard()
    async with AIOKafkaProducer(**producer_arguments(settings, "test")) as producer:
        null: list[tuple[str, bytes]] = [("key-id", None), ("host", b"h")]  # type: ignore[list-item]  # Kafka's may be
        await producer.send_and_wait(settings.commands_topic, b"1", partition=PARTITION, headers=null)
    async with reading(settings, heard):
        await heard.until(b"1")
    assert heard.headers == [{"host": b"h"}]


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
async def test_what_cannot_be_decoded_is_passed_over_once_and_all_else_is_read(
    embedded: EmbeddedBroker, caplog: pytest.LogCaptureFixture, spoil: Spoil
) -> None:
    settings, heard = KafkaSettings(bootstrap_servers=(embedded.address,), compression="none"), Heard()
    await write(settings, b"1", b"2")
    with spoiling(spoil):
        async with AIOKafkaProducer(**producer_arguments(settings, "test")) as producer:
            await producer.send_and_wait(settings.commands_topic, b"x", partition=PARTITION, headers=[(NAME, b"h")])
    await write(settings, b"3")
    async with reading(settings, heard, EMBEDDED_FETCH_WAIT_MS):
        await heard.until(b"3")
        await write(settings, b"4")
        await heard.until(b"4")
    assert heard.values == [b"1", b"2", b"3", b"4"]
    assert [one.message for one in caplog.records if one.levelno >= logging.WARNING] == [
        "refused a command: it cannot be decoded"
    ]


async def test_a_compression_that_is_not_installed_is_said_and_costs_no_other_command(
    embedded: EmbeddedBroker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, heard = KafkaSettings(bootstrap_servers=(embedded.address,)), Heard()
    await write(replace(settings, compression="zstd"), b"x")
    await write(settings, b"1")
    monkeypatch.setattr("aiokafka.codec.has_zstd", lambda: False)
    async with reading(settings, heard, EMBEDDED_FETCH_WAIT_MS):
        await heard.until(b"1")
    assert heard.values == [b"1"]
    (said,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert "Libraries for zstd compression codec not found" in said.__dict__["why"]


async def test_kafka_takes_a_header_name_that_is_not_utf8_and_the_reader_goes_on(
    kafka: Kafka, kafka_topics: Callable[..., Topics]
) -> None:
    settings, heard = of(kafka, kafka_topics()), Heard()
    async with reading(settings, heard):
        await write(settings, b"1")
        with spoiling(SPOILT["a header name that is not UTF-8"]):
            async with AIOKafkaProducer(**producer_arguments(replace(settings, compression="none"), "test")) as rogue:
                sent = await rogue.send_and_wait(
                    settings.commands_topic, b"x", partition=PARTITION, headers=[(NAME, b"h")]
                )
        await write(settings, b"2")
        await heard.until(b"2")
    assert sent.offset == 1
    assert heard.values == [b"1", b"2"]
