"""The loop from Kafka to SQL, on real Kafka, the embedded broker, and both databases."""

import asyncio
import logging
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiokafka
import pytest
import sqlalchemy as sql
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from hwcensus.broker import EmbeddedBroker
from hwcensus.event import Event, Result
from hwcensus.kafka import KafkaSettings
from hwcensus_collector import database, tables
from hwcensus_collector.ingest.intake import Entry, Intake, Positions
from hwcensus_collector.ingest.run import Ingest
from hwcensus_collector.ingest.source import Source
from hwcensus_collector.ingest.spoiled import salvage
from hwcensus_collector.settings import CollectorSettings, DatabaseSettings, IngestSettings
from hwcensus_collector.store.check import check
from tests.fixtures import raw_batch
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import wait_until
from tests.fixtures.process import Process, program_environment
from tests.fixtures.simulated_host import Nic, SimulatedHost

Headers = list[tuple[str, bytes]]
#: Kafka's client says what it cannot reach to this one, not to stderr.
QUIET = logging.getLogger("librdkafka")


@pytest.fixture
def engine(database_url: str) -> Iterator[sql.Engine]:
    engine = database.open_engine(database_url)
    database.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def topics(kafka_topics: Callable[..., Topics]) -> Topics:
    return kafka_topics(events_partitions=2, commands_partitions=1)


class Wire:
    """The events topic as agents write to it."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.topic = topic
        self.bootstrap = bootstrap
        options = {"message.max.bytes": 32 * 1024 * 1024, "compression.type": "gzip", "enable.idempotence": True}
        self._producer = Producer({"bootstrap.servers": bootstrap} | options, logger=QUIET)

    def tell(self, *events: Event, partition: int = 0) -> None:
        """All of them acknowledged when this returns."""
        for event in events:
            self._producer.produce(
                self.topic, event.to_bytes(), key=event.host, partition=partition, headers=[*event.headers()]
            )
        self._flush()

    def write(self, value: bytes | None, headers: Headers, partition: int = 0) -> None:
        self._producer.produce(self.topic, value, partition=partition, headers=[*headers])
        self._flush()

    def _flush(self) -> None:
        assert self._producer.flush(30) == 0

    def committed(self, partition: int, group: str) -> int:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group}, logger=QUIET)
        try:
            (found,) = consumer.committed([TopicPartition(self.topic, partition)], timeout=10)
        finally:
            consumer.close()
        offset: int = found.offset
        return offset


@pytest.fixture
def wire(kafka: Kafka, topics: Topics) -> Wire:
    return Wire(kafka.bootstrap, topics.events)


def settings_for(wire: Wire, engine: sql.Engine, **ingest: Any) -> CollectorSettings:
    return CollectorSettings(
        kafka=KafkaSettings(
            bootstrap_servers=(wire.bootstrap,), events_topic=wire.topic, group=f"group-of-{wire.topic}"
        ),
        database=DatabaseSettings(url=engine.url.render_as_string(hide_password=False)),
        ingest=IngestSettings(retry_seconds=0.2, **ingest),
    )


@contextmanager
def running(
    settings: CollectorSettings, engine: sql.Engine, on_results: Callable[[Iterable[str]], object] = lambda _: None
) -> Iterator[Ingest]:
    """Ingest at work in a thread with a loop of its own; stopped in order at the end."""
    ingest = Ingest(settings, engine, on_results)
    stop = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    failed: list[BaseException] = []

    async def work() -> None:
        loops.append(asyncio.get_running_loop())
        await ingest.run(stop)

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001 (handed to the test)
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ingest
    finally:
        wait_until(lambda: loops or failed, "ingest began")
        if not failed:
            loops[0].call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive()
        if failed:
            raise failed[0]


def rows(engine: sql.Engine, query: sql.Select[Any]) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(query))


def seq_of(engine: sql.Engine, host: SimulatedHost) -> int | None:
    """The last seq folded of the host's present stream."""
    table = tables.host
    found = rows(engine, sql.select(table.c.seq).where(table.c.id == host.host, table.c.stream == host.stream))
    return found[0].seq if found else None


def wait_for(engine: sql.Engine, host: SimulatedHost) -> None:
    wait_until(lambda: seq_of(engine, host) == host.seq, f"seq {host.seq} of {host.name} is folded")


def letters(engine: sql.Engine) -> list[Any]:
    return rows(engine, sql.select(tables.dead_letter).order_by(tables.dead_letter.c.id))


def told_versions(engine: sql.Engine, host: SimulatedHost) -> list[int]:
    version = tables.device_version
    query = sql.select(version.c.seq).where(version.c.host == host.host).order_by(version.c.feed)
    return [row.seq for row in rows(engine, query)]


def test_what_agents_write_is_in_sql(wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    before = datetime.now(UTC)
    settings = settings_for(wire, engine)
    with running(settings, engine) as ingest:
        wire.tell(host.hello(), host.add(Nic(0)), host.add(Nic(1)), partition=1)
        wait_for(engine, host)
        wire.tell(host.change_facts(0, "igb"), host.heartbeat(), partition=1)
        wait_until(lambda: ingest.intake.counts["heartbeat"] == 1, "the heartbeat is folded")
        assert ingest.lag() == {0: 0, 1: 0}
    (found,) = rows(engine, sql.select(tables.host))
    assert (found.name, found.count, found.events_partition, found.resync_wanted) == ("db7", 2, 1, None)
    recorded = [row.recorded_at for row in rows(engine, sql.select(tables.device_version))]
    assert all(abs(at - before) < timedelta(minutes=5) for at in recorded), "by the broker's clock, not the agent's"
    assert wire.committed(1, settings.kafka.group) == 5
    assert list(check(engine)) == []


def test_who_follows_a_command_is_told_when_its_result_is_stored(wire: Wire, engine: sql.Engine) -> None:
    host, told = SimulatedHost(), list[tuple[str, int | None]]()

    def tell(commands: Iterable[str]) -> None:
        told.extend((command, seq_of(engine, host)) for command in commands)

    with running(settings_for(wire, engine), engine, tell):
        wire.tell(host.hello(), host.add(Nic(0)), Result(**host.stamp(), command="c1", state="accepted"))
        wait_until(lambda: bool(told), "the follower is told")
    assert told == [("c1", 3)]


def test_it_goes_on_where_it_stopped(wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    for part in range(3):
        with running(settings_for(wire, engine), engine) as ingest:
            wire.tell(*([host.hello()] if part == 0 else []), *(host.add(Nic(part * 10 + n)) for n in range(10)))
            wait_for(engine, host)
            assert ingest.intake.counts["duplicate"] == 0
    assert told_versions(engine, host) == list(range(2, 32))
    assert rows(engine, sql.select(tables.kafka_offset.c.next)) == [(31,)]


def test_the_embedded_broker_is_read_without_a_group(embedded: EmbeddedBroker, sqlite_url: str) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    wire, host = Wire(embedded.address, "hwcensus.events"), SimulatedHost()
    settings = settings_for(wire, engine, static=True)
    with running(settings, engine):
        wire.tell(host.hello(), host.add(Nic(0)), partition=2)
        wait_for(engine, host)
        wait_until(lambda: wire.committed(2, settings.kafka.group) == 2, "the group's offset is told to Kafka")
    with running(settings, engine) as again:
        wire.tell(host.change_facts(0, "igb"), partition=2)
        wait_for(engine, host)
        assert again.intake.counts["duplicate"] == 0
    engine.dispose()


def test_an_embedded_broker_that_starts_anew_is_noticed(sqlite_url: str) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    host = SimulatedHost()
    with EmbeddedBroker() as broker:
        wire = Wire(broker.address, "hwcensus.events")
        with running(settings_for(wire, engine, static=True), engine):
            wire.tell(host.hello(), *(host.add(Nic(n)) for n in range(5)))
            wait_for(engine, host)
    with EmbeddedBroker() as broker:
        wire = Wire(broker.address, "hwcensus.events")
        wire.tell(host.change_facts(0, "igb"), host.heartbeat())
        with running(settings_for(wire, engine, static=True), engine) as ingest:
            wait_for(engine, host)
            assert ingest.intake.counts["another-topic"] >= 1
    assert list(check(engine)) == []
    engine.dispose()


# Bad input


def plain(host: SimulatedHost, **headers: str) -> Headers:
    values = {"type": "add", "format": "1", "host": host.host, "stream": host.stream} | headers
    return [(name, value.encode()) for name, value in values.items()]


def bad_records(host: SimulatedHost) -> Iterator[tuple[str, bytes | None, Headers]]:
    """(code, value, headers) of all that cannot be processed; seqs are taken from the host's stream."""

    def event() -> tuple[bytes, Headers]:
        told = host.add(Nic(50 + host.seq))
        del host.devices[told.identity]
        return told.to_bytes(), told.headers()

    def broken(value: bytes) -> tuple[bytes, Headers]:
        return value, event()[1]

    def altered(change: Callable[[bytes], bytes]) -> tuple[bytes, Headers]:
        value, headers = event()
        return change(value), headers

    text = b"x" * (10 * 1024 * 1024)
    laughs = b"<!DOCTYPE event [" + b'<!ENTITY a "ha">' + b"]>"
    yield "not-xml", *broken(b"\x00\xff nothing of ours")
    yield "not-xml", *broken(b"")
    yield "not-xml", None, event()[1]
    yield "not-xml", *altered(lambda value: value[:-20])
    yield "not-xml", *broken(b"<event>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</event>")
    yield "doctype", *altered(lambda value: laughs + value)
    yield "doctype", *altered(lambda value: b'<!DOCTYPE event SYSTEM "file:///etc/passwd">' + value)
    yield "not-xml", *altered(lambda value: value.replace(b"net_eth", b"&a;"))
    yield "document-too-large", *altered(lambda value: value.replace(b"e1000e", text))
    yield "unknown-format", *altered(lambda value: value.replace(b'format="1"', b'format="2"'))
    yield "schema", *altered(lambda value: value.replace(b"driver>", b"conductor>"))
    yield "schema", *altered(lambda value: value.replace(b'type="add"', b'type="subtract"'))
    yield "schema", *broken(b"<device/>")
    yield "bad-time", *altered(lambda value: value.replace(b'time="2026-11', b'time="2026-13'))
    value, headers = altered(lambda value: value.replace(b'identity="', b'identity="' + b"i" * 1001))
    yield "schema", value, [(name, said) for name, said in headers if name != "identity"]
    value, headers = event()
    yield "too-many-headers", value, [*headers, *((f"more{n}", b"x") for n in range(20))]


def contradictions(host: SimulatedHost) -> Iterator[tuple[bytes, Headers]]:
    """Records whose headers say something else than their text; they have no place."""
    nic = Nic(99)
    for name, other in {
        "host": "0" * 36, "stream": "s", "type": "remove", "format": "7", "seq": "77", "identity": "net/place/x",
    }.items():  # fmt: skip
        told = host.add(nic)
        del host.devices[nic.identity]
        yield told.to_bytes(), [(key, other.encode() if key == name else value) for key, value in told.headers()]


def test_bad_input_becomes_dead_letters_and_the_partition_goes_on(wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    with running(settings_for(wire, engine), engine) as ingest:
        wire.tell(host.hello())
        expected: list[str] = []
        for code, value, headers in bad_records(host):
            wire.write(value, headers)
            expected.append(code)
        wire.tell(host.add(Nic(0)))
        wait_for(engine, host)
        assert [letter.code for letter in letters(engine)] == expected
        assert "seq-gap" not in ingest.intake.counts, "a broken record keeps its place"
        assert ingest.intake.counts["dead-letter:schema"] == 4
    (found,) = rows(engine, sql.select(tables.host))
    assert (found.count, found.resync_wanted, found.resync_reason) == (1, "manifest", "dead-letter")
    letter = letters(engine)[0]
    assert (letter.value, letter.host, letter.partition, letter.offset) == (
        b"\x00\xff nothing of ours", host.host, 0, 1,
    )  # fmt: skip
    assert letter.headers["seq"] == "2"
    assert list(check(engine)) == []


def test_records_that_kafkas_client_cannot_decode_are_dead_letters_and_nothing_beside_them_is_lost(
    embedded: EmbeddedBroker, database_url: str
) -> None:
    engine = database.open_engine(database_url)
    database.upgrade(engine)
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
    engine.dispose()


def test_a_record_that_only_kafkas_client_refuses_is_folded(embedded: EmbeddedBroker, sqlite_url: str) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    wire, host = Wire(embedded.address, f"events-{uuid.uuid4().hex[:12]}"), SimulatedHost()
    hello = host.hello()
    data = raw_batch.changed(raw_batch.batch((hello.to_bytes(), hello.headers())), raw_batch.RECORDS + 2, 0x80)
    asyncio.run(raw_batch.produce(embedded.address, wire.topic, data))
    with running(settings_for(wire, engine, static=True), engine):
        wait_for(engine, host)
        wire.tell(host.add(Nic(0)))
        wait_for(engine, host)
    assert letters(engine) == []
    engine.dispose()


def test_a_batch_that_says_to_end_far_off_is_one_dead_letter(embedded: EmbeddedBroker, sqlite_url: str) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    wire, host = Wire(embedded.address, f"events-{uuid.uuid4().hex[:12]}"), SimulatedHost()
    data = bytearray(raw_batch.with_codec(raw_batch.batch((b"a", []), (b"b", [])), 7))
    data[raw_batch.LAST_DELTA : raw_batch.LAST_DELTA + 4] = b"\x7f\xff\xff\xff"
    asyncio.run(raw_batch.produce(embedded.address, wire.topic, raw_batch.resealed(bytes(data))))
    with running(settings_for(wire, engine, static=True), engine):
        wait_until(lambda: bool(letters(engine)), "it is a dead letter")
        wire.tell(host.hello())
        wait_for(engine, host)
    assert [letter.offset for letter in letters(engine)] == [1]
    engine.dispose()


def test_a_record_that_says_to_be_far_off_hides_none_before_it(wire: Wire, sqlite_url: str) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    host = SimulatedHost()
    data = raw_batch.changed(raw_batch.batch((b"a", [])), raw_batch.RECORDS + 3, 2 * 63)
    asyncio.run(raw_batch.produce(wire.bootstrap, wire.topic, data))
    with running(settings_for(wire, engine), engine):
        wait_until(lambda: bool(letters(engine)), "it is a dead letter")
        wire.tell(host.hello(), host.add(Nic(0)))
        wait_for(engine, host)
    assert [(letter.code, letter.offset) for letter in letters(engine)] == [("undecodable", 0)]
    assert rows(engine, sql.select(tables.kafka_offset.c.next)) == [(3,)]
    engine.dispose()


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
    embedded: EmbeddedBroker, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
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
    engine.dispose()


async def test_a_partition_that_cannot_be_had_takes_no_other_with_it(embedded: EmbeddedBroker) -> None:
    wire = Wire(embedded.address, f"events-{uuid.uuid4().hex[:12]}")
    bad = raw_batch.batch((b"", [(raw_batch.BAD_NAME, b"x")]))
    await raw_batch.produce(embedded.address, wire.topic, bad, 1)
    there, away, behind = (aiokafka.TopicPartition(wire.topic, partition) for partition in (1, 99, 0))
    settings = KafkaSettings(bootstrap_servers=(embedded.address,))
    assert list(await salvage(settings, {away: 0, behind: 7, there: 0})) == [there]


def test_a_name_that_is_not_utf8_costs_one_record_of_real_kafka_too(wire: Wire, sqlite_url: str) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    host = SimulatedHost()
    hello, named, after = host.hello(), host.add(Nic(1)), host.add(Nic(2))
    records = [(one.to_bytes(), one.headers()) for one in (hello, named, after)]
    records[1][1].append((raw_batch.BAD_NAME, b"x"))
    asyncio.run(raw_batch.produce(wire.bootstrap, wire.topic, raw_batch.batch(*records)))
    with running(settings_for(wire, engine), engine):
        wait_for(engine, host)
    assert [(letter.code, letter.offset) for letter in letters(engine)] == [("undecodable", 1)]
    engine.dispose()


def test_records_that_contradict_their_headers_have_no_place(wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    with running(settings_for(wire, engine), engine) as ingest:
        wire.tell(host.hello())
        for value, headers in contradictions(host):
            wire.write(value, headers)
        wire.tell(host.add(Nic(0)))
        wait_for(engine, host)
        assert {letter.code for letter in letters(engine)} == {"header-mismatch"}
        assert len(letters(engine)) == 6
        assert ingest.intake.counts["seq-gap"] == 1
    assert len(rows(engine, sql.select(tables.host))) == 1


def test_records_without_headers_are_read(wire: Wire, engine: sql.Engine) -> None:
    """A person with a tool may write them."""
    host = SimulatedHost()
    with running(settings_for(wire, engine), engine):
        wire.write(host.hello().to_bytes(), [])
        wait_for(engine, host)
        wire.write(b"garbage", plain(host))
        wire.write(b"garbage", [])
        wire.tell(host.add(Nic(0)))
        wait_for(engine, host)
    assert len(letters(engine)) == 2


# Positions


def test_a_topic_made_anew_is_read_from_its_beginning(kafka: Kafka, wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    with running(settings_for(wire, engine), engine):
        wire.tell(host.hello(), *(host.add(Nic(n)) for n in range(5)))
        wait_for(engine, host)
    kafka.delete(wire.topic)
    kafka.create(wire.topic, 2)
    # More records than before: the position alone would not tell.
    wire = Wire(kafka.bootstrap, wire.topic)
    wire.tell(*(host.change_facts(n % 5, f"driver{n}") for n in range(20)), host.heartbeat())
    with running(settings_for(wire, engine), engine) as ingest:
        wait_for(engine, host)
        assert ingest.intake.counts["another-topic"] == 1
    assert told_versions(engine, host) == list(range(2, 27))
    assert list(check(engine)) == []


def test_a_topic_made_anew_under_way_is_noticed(kafka: Kafka, wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    with running(settings_for(wire, engine), engine) as ingest:
        wire.tell(host.hello(), *(host.add(Nic(n)) for n in range(9)))
        wait_for(engine, host)
        kafka.delete(wire.topic)
        kafka.create(wire.topic, 2)
        wire = Wire(kafka.bootstrap, wire.topic)
        wire.tell(host.change_facts(0, "igb"), host.heartbeat())
        wait_for(engine, host)
        assert ingest.intake.counts["another-topic"] >= 1
    assert told_versions(engine, host) == list(range(2, 12))


def test_records_that_retention_took_are_a_gap_of_their_hosts(kafka: Kafka, wire: Wire, engine: sql.Engine) -> None:
    silent, host = SimulatedHost(name="silent"), SimulatedHost()
    with running(settings_for(wire, engine), engine):
        wire.tell(silent.hello(), host.hello(), host.add(Nic(0)))
        wait_for(engine, host)
    wire.tell(*(host.add(Nic(n)) for n in range(1, 6)))
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.delete_records([TopicPartition(wire.topic, 0, 7)]).values():
        future.result(20)
    with running(settings_for(wire, engine), engine) as ingest:
        wait_for(engine, host)
        assert ingest.intake.counts["records-lost"] >= 1
    wanted = rows(engine, sql.select(tables.host.c.name, tables.host.c.resync_wanted).order_by(tables.host.c.name))
    assert wanted == [("db7", "manifest"), ("silent", "manifest")]
    ended = rows(engine, sql.select(tables.coverage.c.ended).distinct())
    assert ended == [("records-lost",)]


def test_a_host_that_moves_is_folded_after_what_it_left_behind(wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    settings = settings_for(wire, engine)
    wire.tell(host.hello(), *(host.add(Nic(n)) for n in range(50)), partition=0)
    wire.tell(host.hello(moved_from=0), host.remove(0), partition=1)
    with running(settings, engine) as ingest:
        wait_for(engine, host)
        assert "held" not in ingest.intake.counts
        assert "hello-gap" not in ingest.intake.counts
    (found,) = rows(engine, sql.select(tables.host))
    assert (found.events_partition, found.count, found.resync_wanted) == (1, 49, None)
    assert told_versions(engine, host) == [*range(2, 52), 2]


# Processes


def process(settings: CollectorSettings, **more: str) -> Process:
    environment = program_environment(
        HWCENSUS_DATABASE_URL=settings.database.url,
        HWCENSUS_KAFKA_BOOTSTRAP_SERVERS=settings.kafka.bootstrap_servers[0],
        HWCENSUS_KAFKA_EVENTS_TOPIC=settings.kafka.events_topic,
        HWCENSUS_KAFKA_GROUP=settings.kafka.group,
        HWCENSUS_INGEST_BATCH_RECORDS="50",
        HWCENSUS_INGEST_RETRY_SECONDS="0.2",
        **more,
    )
    return Process([sys.executable, "-m", "hwcensus_collector.main", "run", "--only", "ingest"], env=environment)


def test_killed_at_any_time_each_event_is_stored_once(wire: Wire, engine: sql.Engine) -> None:
    host = SimulatedHost()
    host_events: list[Event] = [host.hello(), *(host.add(Nic(n)) for n in range(20))]
    host_events += [host.change_facts(n % 20, f"driver{n}") for n in range(3000)]
    wire.tell(*host_events)
    settings = settings_for(wire, engine)
    # A group would give the partition of the killed one away only after ten seconds.
    alone = {"HWCENSUS_INGEST_STATIC": "yes"}
    for least in (1, 500, 1200, 2000):
        with process(settings, **alone) as ingest:
            wait_until(lambda least=least: (seq_of(engine, host) or 0) >= least, f"seq {least}", ingest)  # type: ignore[misc]
            ingest.kill()
    with process(settings, **alone) as ingest:
        wait_until(lambda: seq_of(engine, host) == host.seq, "all is folded", ingest)
        assert ingest.stop() == 0
    assert told_versions(engine, host) == list(range(2, host.seq + 1))
    (found,) = rows(engine, sql.select(tables.host))
    assert (found.count, found.resync_wanted) == (20, None)
    assert list(check(engine)) == []


def test_two_processes_share_the_partitions(wire: Wire, postgresql_url: str) -> None:
    engine = database.open_engine(postgresql_url)
    database.upgrade(engine)
    hosts = [SimulatedHost(name=f"host{n}") for n in range(2)]
    settings = settings_for(wire, engine)
    with process(settings) as first, process(settings) as second:
        for partition, host in enumerate(hosts):
            wire.tell(host.hello(), *(host.add(Nic(n)) for n in range(20)), partition=partition)
        for turn in range(5):
            for partition, host in enumerate(hosts):
                wire.tell(*(host.change_facts(n, f"driver{turn}") for n in range(20)), partition=partition)
            for host in hosts:
                wait_until(lambda host=host: seq_of(engine, host) == host.seq, "folded", second)  # type: ignore[misc]
            if turn == 2:
                first.kill()
    for host in hosts:
        assert told_versions(engine, host) == list(range(2, host.seq + 1))
    assert list(check(engine)) == []
    engine.dispose()


def test_kafka_and_the_database_may_be_away(own_kafka: Kafka, sqlite_url: str) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    topics = own_kafka.create_topics(events_partitions=1, commands_partitions=1)
    wire, host = Wire(own_kafka.bootstrap, topics.events), SimulatedHost()
    with running(settings_for(wire, engine), engine):
        wire.tell(host.hello(), host.add(Nic(0)))
        wait_for(engine, host)
        own_kafka.kill()
        own_kafka.start()
        with sql.create_engine(sqlite_url).connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            wire.tell(host.add(Nic(1)))
            other.rollback()
        wait_for(engine, host)
    assert told_versions(engine, host) == [2, 3]
    engine.dispose()


def test_there_is_one_ingest_on_sqlite(wire: Wire, sqlite_url: str, tmp_path: Path) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    host = SimulatedHost()
    settings = settings_for(wire, engine)
    with process(settings) as first:
        wire.tell(host.hello())
        wait_until(lambda: seq_of(engine, host) == 1, "the first works", first)
        second = process(settings)
        assert second.wait() == 4
        assert "another ingest works on" in second.output
    engine.dispose()
