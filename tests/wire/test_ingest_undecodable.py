"""Records that Kafka's own client cannot decode, or believes wrongly: none costs another its place."""

import asyncio
import uuid
from collections.abc import Callable, Sequence

import aiokafka
import pytest
import sqlalchemy as sql

from hwcensus.broker import EmbeddedBroker
from hwcensus.kafka import KafkaSettings
from hwcensus_collector import tables
from hwcensus_collector.ingest.intake import Entry, Intake, Positions
from hwcensus_collector.ingest.source import Source
from hwcensus_collector.ingest.spoiled import salvage
from tests.fixtures import raw_batch
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import wait_until
from tests.fixtures.simulated_host import Nic, SimulatedHost
from tests.wire.ingest_world import Wire, letters, rows, running, settings_for, wait_for


@pytest.fixture
def wire(kafka: Kafka, kafka_topics: Callable[..., Topics]) -> Wire:
    return Wire(kafka.bootstrap, kafka_topics(events_partitions=2, commands_partitions=1).events)


def test_records_that_kafkas_client_cannot_decode_are_dead_letters_and_nothing_beside_them_is_lost(
    embedded: EmbeddedBroker, engine: sql.Engine
) -> None:
    topic = f"events-{uuid.uuid4().hex[:12]}"
    wire, host, other = Wire(embedded.address, topic), SimulatedHost(), SimulatedHost()
    settings = settings_for(wire, engine, static=True)

    def write(data: bytes) -> None:
        asyncio.run(raw_batch.produce(embedded.address, topic, data))

    with running(settings, engine) as ingest:
        wire.tell(host.hello())
        wait_for(engine, host)
        before, named, after = host.add(Nic(0)), host.add(Nic(1)), host.add(Nic(2))
        bad = [*named.headers(), (raw_batch.BAD_NAME, b"x")]
        write(raw_batch.batch((before.to_bytes(), before.headers()), (named.to_bytes(), bad),
                              (after.to_bytes(), after.headers())))  # fmt: skip
        wire.tell(other.hello(), other.add(Nic(0)), partition=1)
        wait_for(engine, host)
        wait_for(engine, other)
        assert "seq-gap" not in ingest.intake.counts, "its other headers keep its place"
        (letter,) = letters(engine)
        assert (letter.code, letter.host, letter.offset) == ("undecodable", host.host, 2)
        assert (letter.value, "not-utf-\\xff" in letter.headers) == (named.to_bytes(), True)
        unknown = raw_batch.with_codec(raw_batch.batch((b"a", []), (b"b", [])), 7)
        write(unknown)
        wait_until(lambda: len(letters(engine)) == 2, "a batch that cannot be read is a dead letter")
        assert letters(engine)[1].offset == 5
    # The last record that is folded is looked at again, to see whether it is still the same topic.
    with running(settings, engine) as again:
        wire.tell(host.change_facts(0, "igb"))
        wait_for(engine, host)
        assert not again.intake.counts["another-topic"]
        assert not again.intake.counts["dead-letter:undecodable"]
    assert len(letters(engine)) == 2


def test_a_record_that_only_kafkas_client_refuses_is_folded(embedded: EmbeddedBroker, engine: sql.Engine) -> None:
    wire, host = Wire(embedded.address, f"events-{uuid.uuid4().hex[:12]}"), SimulatedHost()
    hello = host.hello()
    data = raw_batch.changed(raw_batch.batch((hello.to_bytes(), hello.headers())), raw_batch.RECORDS + 2, 0x80)
    asyncio.run(raw_batch.produce(embedded.address, wire.topic, data))
    with running(settings_for(wire, engine, static=True), engine):
        wait_for(engine, host)
        wire.tell(host.add(Nic(0)))
        wait_for(engine, host)
    assert letters(engine) == []


def test_a_batch_that_says_to_end_far_off_is_one_dead_letter(embedded: EmbeddedBroker, engine: sql.Engine) -> None:
    wire, host = Wire(embedded.address, f"events-{uuid.uuid4().hex[:12]}"), SimulatedHost()
    data = bytearray(raw_batch.with_codec(raw_batch.batch((b"a", []), (b"b", [])), 7))
    data[raw_batch.LAST_DELTA : raw_batch.LAST_DELTA + 4] = b"\x7f\xff\xff\xff"
    asyncio.run(raw_batch.produce(embedded.address, wire.topic, raw_batch.resealed(bytes(data))))
    with running(settings_for(wire, engine, static=True), engine):
        wait_until(lambda: bool(letters(engine)), "it is a dead letter")
        wire.tell(host.hello())
        wait_for(engine, host)
    assert [letter.offset for letter in letters(engine)] == [1]


def test_a_record_that_says_to_be_far_off_hides_none_before_it(wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    data = raw_batch.changed(raw_batch.batch((b"a", [])), raw_batch.RECORDS + 3, 2 * 63)
    asyncio.run(raw_batch.produce(wire.bootstrap, wire.topic, data))
    with running(settings_for(wire, engine), engine):
        wait_until(lambda: bool(letters(engine)), "it is a dead letter")
        wire.tell(host.hello(), host.add(Nic(0)))
        wait_for(engine, host)
    assert [(letter.code, letter.offset) for letter in letters(engine)] == [("undecodable", 0)]
    assert rows(engine, sql.select(tables.kafka_offset.c.next)) == [(3,)]


async def test_a_record_that_the_client_cannot_decode_holds_up_no_other_partition(embedded: EmbeddedBroker) -> None:
    wire, host = Wire(embedded.address, f"events-{uuid.uuid4().hex[:12]}"), SimulatedHost()
    hello = host.hello()
    bad = raw_batch.batch((hello.to_bytes(), [(raw_batch.BAD_NAME, b"x")]))
    for partition in (0, 2):
        await raw_batch.produce(embedded.address, wire.topic, bad, partition)
    for partition in (1, 3):
        wire.tell(hello, partition=partition)

    async def look_up(partition: int) -> tuple[None, None]:
        return None, None

    async def lost(partition: int, why: str) -> None:
        raise AssertionError(why)

    source = Source(settings_for(wire, sql.create_engine("sqlite://"), static=True), look_up, lost)
    await source.start()
    try:
        while not source.ready():
            await source.look_up()
        while not (found := await source.messages()):
            pass
    finally:
        await source.stop()
    assert {message.partition for message in found} == {0, 1, 2, 3}


def test_no_transaction_holds_more_records_for_one_that_the_client_cannot_decode(
    embedded: EmbeddedBroker, engine: sql.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, host = Wire(embedded.address, f"events-{uuid.uuid4().hex[:12]}"), SimulatedHost()
    told = [host.hello(), *(host.add(Nic(n)) for n in range(4))]
    records = [(one.to_bytes(), one.headers()) for one in told]
    records[-1][1].append((raw_batch.BAD_NAME, b"x"))
    asyncio.run(raw_batch.produce(embedded.address, wire.topic, raw_batch.batch(*records)))
    sizes, take = list[int](), Intake.take

    def counted(self: Intake, entries: Sequence[Entry], positions: Positions) -> None:
        sizes.append(len(entries))
        take(self, entries, positions)

    monkeypatch.setattr(Intake, "take", counted)
    with running(settings_for(wire, engine, static=True, batch_records=2), engine):
        wait_for(engine, host)
    assert sizes
    assert max(sizes) == 2


async def test_a_partition_that_cannot_be_had_takes_no_other_with_it(embedded: EmbeddedBroker) -> None:
    wire = Wire(embedded.address, f"events-{uuid.uuid4().hex[:12]}")
    bad = raw_batch.batch((b"", [(raw_batch.BAD_NAME, b"x")]))
    await raw_batch.produce(embedded.address, wire.topic, bad, 1)
    there, away, behind = (aiokafka.TopicPartition(wire.topic, partition) for partition in (1, 99, 0))
    settings = KafkaSettings(bootstrap_servers=(embedded.address,))
    assert list(await salvage(settings, {away: 0, behind: 7, there: 0})) == [there]


def test_a_name_that_is_not_utf8_costs_one_record_of_real_kafka_too(wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    hello, named, after = host.hello(), host.add(Nic(1)), host.add(Nic(2))
    records = [(one.to_bytes(), one.headers()) for one in (hello, named, after)]
    records[1][1].append((raw_batch.BAD_NAME, b"x"))
    asyncio.run(raw_batch.produce(wire.bootstrap, wire.topic, raw_batch.batch(*records)))
    with running(settings_for(wire, engine), engine):
        wait_for(engine, host)
    assert [(letter.code, letter.offset) for letter in letters(engine)] == [("undecodable", 1)]
