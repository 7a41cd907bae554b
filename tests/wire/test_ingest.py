"""The loop from Kafka to SQL, on real Kafka, the embedded broker, and both databases."""

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sql
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from hwcensus.broker import EmbeddedBroker
from hwcensus.event import Event, Result
from hwcensus_collector import database, tables
from hwcensus_collector.settings import CollectorSettings
from hwcensus_collector.store.check import check
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import wait_until
from tests.fixtures.process import Process, program_environment
from tests.fixtures.simulated_host import Nic, SimulatedHost
from tests.wire.ingest_world import Headers, Wire, letters, rows, running, seq_of, settings_for, told_versions, wait_for


@pytest.fixture
def topics(kafka_topics: Callable[..., Topics]) -> Topics:
    return kafka_topics(events_partitions=2, commands_partitions=1)


@pytest.fixture
def wire(kafka: Kafka, topics: Topics) -> Wire:
    return Wire(kafka.bootstrap, topics.events)


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
