"""`hwcensus-collector` by hand: topics, db, ingest --once, host accept, and how it says no."""

import asyncio
import getpass
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from hwcensus.errors import Refused, Unreachable
from hwcensus.event import Event
from hwcensus.instant import now
from hwcensus.kafka import KafkaSettings
from hwcensus.topics import Topic
from hwcensus_collector import database, tables, topics
from hwcensus_collector.inventory.cursor import Window
from hwcensus_collector.inventory.hosts import list_hosts
from hwcensus_collector.relay.ready import ready_host
from tests.fixtures.kafka import Kafka
from tests.fixtures.process import program_environment
from tests.fixtures.simulated_host import Nic, SimulatedHost


def collector(*words: str | Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = {f"HWCENSUS_{name}": value for name, value in environment.items()}
    command = [sys.executable, "-m", "hwcensus_collector.main", *map(str, words)]
    return subprocess.run(
        command,
        env=program_environment(**variables),
        input=stdin.encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )


def text_of(*events: Event) -> str:
    return "\n".join(event.to_bytes().decode() for event in events)


@pytest.fixture
def upgraded(database_url: str) -> str:
    done = collector("db", "upgrade", DATABASE_URL=database_url)
    assert (done.returncode, done.stdout) == (0, f"empty -> {database.head_revision()}\n".encode())
    return database_url


def test_a_file_of_events_goes_through_the_same_fold(upgraded: str, tmp_path: Path) -> None:
    host = SimulatedHost()
    events = [host.hello(), host.add(Nic(1)), host.change_facts(1, "igb"), host.heartbeat()]
    (tmp_path / "events.xml").write_text(text_of(*events))
    done = collector("ingest", "--once", tmp_path / "events.xml", DATABASE_URL=upgraded)
    assert done.stdout == b"add 1\nchange 1\nheartbeat 1\nhello 1\n"
    again = collector("ingest", "--once", "-", stdin=text_of(*events), DATABASE_URL=upgraded)
    assert again.stdout == b"duplicate 3\nheartbeat 1\n"
    checked = collector("db", "check", DATABASE_URL=upgraded)
    assert (checked.returncode, checked.stdout) == (0, b"")


def test_a_file_with_a_broken_event_is_not_stored_at_all(upgraded: str) -> None:
    host = SimulatedHost()
    text = text_of(host.hello()) + "<event><nothing/></event>"
    done = collector("ingest", "--once", "-", stdin=text, DATABASE_URL=upgraded)
    assert done.returncode == 4
    assert done.stderr.startswith(b"hwcensus-collector: unknown-format: event 2: ")
    engine = database.open_engine(upgraded)
    with engine.connect() as connection:
        assert connection.execute(sql.select(tables.host)).all() == []
    engine.dispose()


@pytest.mark.parametrize(
    "text, what",
    [
        ("", "there is no event in it"),
        ("\n <!-- <event/> --> \n", "there is no event in it"),
        ("{event} and more", "line N: no whole event begins here: 'and more'"),
        ("{event}\n<event format='1' type='add'", "line N: no whole event begins here: \"<event format='1'"),
        ("{event}\n</event>", "line N: no whole event begins here: '</event>'"),
        ("what\n{event}", "line 1: no whole event begins here: 'what"),
        ("<device/>", "line 1: no whole event begins here: '<device/>'"),
    ],
)
def test_what_is_no_event_is_named_and_nothing_is_stored(sqlite_url: str, text: str, what: str) -> None:
    collector("db", "upgrade", DATABASE_URL=sqlite_url)
    text = text.replace("{event}", text_of(SimulatedHost().hello()))
    done = collector("ingest", "--once", "-", stdin=text, DATABASE_URL=sqlite_url)
    assert (done.returncode, done.stdout) == (4, b"")
    what = what.replace("line N", f"line {text.count(chr(10)) + 1}")
    assert f"hwcensus-collector: no-event: {what}" in done.stderr.decode()
    engine = database.open_engine(sqlite_url)
    with engine.connect() as connection:
        assert connection.execute(sql.select(tables.host)).all() == []
    engine.dispose()


def test_declarations_and_comments_may_stand_between_events(sqlite_url: str) -> None:
    collector("db", "upgrade", DATABASE_URL=sqlite_url)
    host = SimulatedHost()
    text = f"<?xml version='1.0'?>\n<!-- <event/> -->{text_of(host.hello(), host.heartbeat())}<?end?>\r\n"
    done = collector("ingest", "--once", "-", stdin=text, DATABASE_URL=sqlite_url)
    assert (done.returncode, done.stdout) == (0, b"heartbeat 1\nhello 1\n")


def test_a_missing_file_is_not_found(upgraded: str) -> None:
    done = collector("ingest", "--once", "/nowhere/at/all", DATABASE_URL=upgraded)
    assert (done.returncode, b"/nowhere/at/all" in done.stderr) == (3, True)


def test_the_check_finds_what_somebody_changed(upgraded: str) -> None:
    host = SimulatedHost()
    collector("ingest", "--once", "-", stdin=text_of(host.hello(), host.add(Nic(1))), DATABASE_URL=upgraded)
    engine = database.open_engine(upgraded)
    with engine.begin() as connection:
        connection.execute(sql.update(tables.host).values(count=7))
        connection.execute(sql.update(tables.document).values(body=b"<device/>"))
    engine.dispose()
    done = collector("db", "check", DATABASE_URL=upgraded)
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        f"{host.host} {Nic(1).identity}: its document has another digest",
        f"{host.host}: count is 7, recomputed 1",
    ]


def test_a_person_settles_a_conflict(upgraded: str) -> None:
    host = SimulatedHost()
    clone = SimulatedHost(host.host, macs=("52:54:00:ff:00:00",))
    events = text_of(host.hello(), host.add(Nic(1)), clone.hello())
    collector("ingest", "--once", "-", stdin=events, DATABASE_URL=upgraded)
    done = collector("host", "accept", "db7", DATABASE_URL=upgraded)
    assert (done.returncode, done.stdout.decode()) == (0, f"{host.host}: stream {clone.stream}\n")
    engine = database.open_engine(upgraded)
    with engine.connect() as connection:
        (deed,) = connection.execute(sql.select(tables.audit)).all()
    engine.dispose()
    assert (deed.actor, deed.door, deed.action) == (f"local:{getpass.getuser()}", "cli", "host.accept")
    assert (deed.subject, deed.detail) == (host.host, {"stream": clone.stream})
    again = collector("host", "accept", "db7", DATABASE_URL=upgraded)
    assert (again.returncode, b"no-conflict" in again.stderr) == (4, True)
    unknown = collector("host", "accept", "db8", DATABASE_URL=upgraded)
    assert (unknown.returncode, b"db7" in unknown.stderr) == (3, True)


def test_a_person_takes_a_host_out_of_service_and_no_hello_brings_it_back(upgraded: str) -> None:
    host = SimulatedHost()
    host.clock = now()
    collector("ingest", "--once", "-", stdin=text_of(host.hello(), host.add(Nic(1))), DATABASE_URL=upgraded)
    engine = database.open_engine(upgraded)

    def code() -> str:
        with pytest.raises(Refused) as error, engine.connect() as connection:
            ready_host(connection, "db7")
        return error.value.code

    done = collector("host", "retire", "db7", DATABASE_URL=upgraded)
    assert (done.returncode, done.stdout.decode(), code()) == (0, f"{host.host}: retired\n", "host-retired")
    assert b"host-retired" in collector("host", "retire", "db7", DATABASE_URL=upgraded).stderr
    host.clock = now()
    told = text_of(host.add(Nic(2)), host.hello(), host.change_facts(1, "igb"))
    collector("ingest", "--once", "-", stdin=told, DATABASE_URL=upgraded)
    with engine.connect() as connection:
        kept = connection.execute(sql.select(tables.host)).one()
        assert list_hosts(connection, Window()).items == ()
    assert (kept._mapping["count"], kept.retired_at is None, code()) == (2, False, "host-retired")
    done = collector("host", "unretire", host.host, DATABASE_URL=upgraded)
    assert (done.returncode, done.stdout.decode()) == (0, f"{host.host}: unretired\n")
    again = collector("host", "unretire", "db7", DATABASE_URL=upgraded)
    assert (again.returncode, b"not-retired" in again.stderr) == (4, True)
    with engine.connect() as connection:
        assert ready_host(connection, "db7").id == host.host
        audited = connection.execute(sql.select(tables.audit).order_by(tables.audit.c.id)).all()
    assert [(row.action, row.subject, row.door) for row in audited] == [
        ("host.retire", host.host, "cli"),
        ("host.unretire", host.host, "cli"),
    ]
    engine.dispose()


def test_a_retired_host_whose_name_another_bears_since_is_found_by_the_id_that_the_refusal_names(upgraded: str) -> None:
    old, new = SimulatedHost(), SimulatedHost()
    for host in (old, new):
        host.clock = now()
        collector("ingest", "--once", "-", stdin=text_of(host.hello()), DATABASE_URL=upgraded)
        if host is old:
            collector("host", "retire", "db7", DATABASE_URL=upgraded)
    refused = collector("host", "unretire", "db7", DATABASE_URL=upgraded)
    assert refused.returncode == 4
    assert f"db7 is not retired, but its namesake is: give the id {old.host}\n" in refused.stderr.decode()
    done = collector("host", "unretire", old.host, DATABASE_URL=upgraded)
    assert (done.returncode, done.stdout.decode()) == (0, f"{old.host}: unretired\n")


def test_nothing_works_on_a_database_without_schema(sqlite_url: str) -> None:
    done = collector("run", DATABASE_URL=sqlite_url)
    assert (done.returncode, b"hwcensus-collector db upgrade" in done.stderr) == (1, True)


def test_settings_are_shown_with_their_origin() -> None:
    done = collector("run", "--show-config", INGEST_STATIC="yes")
    assert done.returncode == 0
    assert "static = true  # HWCENSUS_INGEST_STATIC" in done.stdout.decode().splitlines()
    wrong = collector("run", INGEST_STATICS="yes")
    assert (wrong.returncode, b"HWCENSUS_INGEST_STATIC?" in wrong.stderr) == (2, True)


def test_topics_are_made_once_and_checked(kafka: Kafka) -> None:
    unique = uuid.uuid4().hex
    names = {"KAFKA_EVENTS_TOPIC": f"events-{unique}", "KAFKA_COMMANDS_TOPIC": f"commands-{unique}"}
    environment = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap, **names}
    made = collector("topics", "apply", **environment)
    assert made.stdout.decode() == f"made: {', '.join(names.values())}\n", made.stderr
    again = collector("topics", "apply", **environment)
    assert (again.returncode, again.stdout) == (0, b"nothing to do\n")


def test_topics_that_a_broker_does_not_know_at_once_are_made_all_the_same(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    unique = uuid.uuid4().hex
    names = (f"events-{unique}", f"commands-{unique}")
    knows, late = topics._differences, iter([True, False, False])

    async def knows_late(admin: AIOKafkaAdminClient, topic: Topic) -> Iterator[str]:
        if next(late):
            raise KafkaConnectionError("as a broker says of a topic that another one has just made")
        return await knows(admin, topic)

    monkeypatch.setattr(topics, "_differences", knows_late)
    settings = KafkaSettings(bootstrap_servers=(kafka.bootstrap,), events_topic=names[0], commands_topic=names[1])
    assert asyncio.run(topics.apply_topics(settings)) == list(names)


def test_a_kafka_that_stays_away_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(topics, "PATIENCE_SECONDS", 1.5)
    with pytest.raises(Unreachable, match="bootstrap_servers") as refused:
        asyncio.run(topics.apply_topics(KafkaSettings(bootstrap_servers=("127.0.0.1:1",))))
    assert refused.value.exit_code == 5
    ours = [record.getMessage() for record in caplog.records if record.name == topics.__name__]
    assert ours == ["Kafka does not answer yet"]


def test_a_topic_that_is_not_as_it_must_be_is_said(kafka: Kafka) -> None:
    made = kafka.create_topics(events_partitions=2, commands_partitions=64)
    done = collector(
        "topics",
        "apply",
        KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap,
        KAFKA_EVENTS_TOPIC=made.events,
        KAFKA_COMMANDS_TOPIC=made.commands,
    )
    assert done.returncode == 1
    assert f"{made.events}: 2 partitions, must be 12 at least" in done.stderr.decode()


VERBS = (
    ("db", "upgrade"),
    ("db", "check"),
    ("run",),
    ("run", "--only", "api"),
    ("ingest", "--once", "-"),
    ("host", "accept", "db7"),
)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_database_that_does_not_answer_is_said_in_one_line(verb: tuple[str, ...]) -> None:
    done = collector(*verb, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (5, b"")
    assert line.startswith("hwcensus-collector: unreachable: ")
    assert "database.url" in line


def test_a_database_that_takes_the_call_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = collector("db", "check", DATABASE_URL=f"postgresql://nobody@127.0.0.1:{port}/none?connect_timeout=2")
    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1)


def test_a_file_that_is_no_database_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text("It was a dark and stormy night. " * 100)
    done = collector("db", "upgrade", DATABASE_URL=f"sqlite:///{tmp_path}/novel.txt")
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, line.startswith("hwcensus-collector: database: ")) == (1, True)
    nowhere = collector("db", "upgrade", DATABASE_URL="sqlite:////proc/nowhere/inventory.sqlite")
    (line,) = nowhere.stderr.decode().splitlines()
    assert (nowhere.returncode, line.startswith("hwcensus-collector: config: database.url: ")) == (2, True)
