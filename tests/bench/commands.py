"""`commands`: 1,000 bridges ordered on 50 simulated hosts over HTTP, until the inventory says that each has succeeded.

Relay, Kafka, ingest and PostgreSQL are the real ones, and so is what obeys: the agent's guard, inbox and runner, fifty
of them in this process, over an executor that counts. Afterwards every record is delivered again, to the same agents
and to agents started anew: nothing may be executed twice. The limit moves as many records of that size through the same
Kafka, and changes as many rows in as many transactions.
"""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sql
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from hwcensus.client import Client, Host
from hwcensus.event import Event
from hwcensus.kafka import KafkaSettings, consumer_arguments, producer_arguments
from hwcensus.signature import read_public_keys
from hwcensus.topics import partition_of
from hwcensus_collector import tables
from tests.bench.figure import Figure
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import Line, wait_until
from tests.fixtures.obeying_host import Bridge, ObeyingHost
from tests.fixtures.sql import PostgreSQL, _binaries, _user

HOSTS, COMMANDS, CALLERS = 50, 1000, 8
#: What a command costs in records: itself; accepted, the bridge's add, succeeded. And in changes of its row.
EVENTS, UPDATES = 3, 4
PARTITIONS = 4
LOST_S = 300.0


def commands_figure() -> Figure:
    """Commands a second, from the first request to the last that has succeeded, and how many were executed twice."""
    with tempfile.TemporaryDirectory() as name, postgresql() as url:
        folder = Path(name)
        kafka = Kafka(folder / "kafka")
        kafka.start()
        try:
            topics = kafka.create_topics(events_partitions=PARTITIONS, commands_partitions=PARTITIONS)
            line = Line(folder / "line", kafka.bootstrap, topics, url)
            with line.start_collector():
                bench = Bench(line, kafka, topics)
                seconds, executed = asyncio.run(bench.measure())
            raw = asyncio.run(limit(kafka, bench.sizes(), url))
        finally:
            kafka.stop()
    assert len(executed) == COMMANDS
    twice = sum(count - 1 for count in executed.values())
    assert twice == 0, f"{twice} were executed twice"
    note = f"{COMMANDS} creates on {HOSTS} hosts; executed twice: 0, also with every record delivered thrice"
    ours, most = COMMANDS / seconds, COMMANDS / raw
    return Figure(name="commands", ours=ours, limit=most, ratio=ours / most, unit="commands/s", note=note)


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database."""
    binaries = _binaries()
    assert binaries is not None, "PostgreSQL is not installed"
    with tempfile.TemporaryDirectory(prefix="hwcensus-pg-", ignore_cleanup_errors=True) as folder:
        cluster = PostgreSQL(binaries, Path(folder), _user())
        cluster.start()
        try:
            yield cluster.url(cluster.create())
        finally:
            cluster.stop()


class Bench:
    """Fifty hosts on one loop, with one connection to Kafka in each direction."""

    def __init__(self, line: Line, kafka: Kafka, topics: Topics) -> None:
        self._line = line
        self._settings = KafkaSettings(
            bootstrap_servers=(kafka.bootstrap,), events_topic=topics.events, commands_topic=topics.commands
        )
        keys = read_public_keys(line.folder / "signing-key.pub")
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._hosts = [ObeyingHost(f"host{n:02}", line.folder, keys, self._events.put_nowait) for n in range(HOSTS)]
        self._by_id = {host.host: host for host in self._hosts}
        self._sizes: Counter[str] = Counter()
        self._records: list[Any] = []

    async def measure(self) -> tuple[float, Counter[str]]:
        """Seconds, and how often each command was executed after all redelivery."""
        async with self._obeying():
            for host in self._hosts:
                self._events.put_nowait(host.hello(commands_partition=partition_of(host.host, PARTITIONS)))
            began = await asyncio.to_thread(self._order)
            await asyncio.to_thread(self._wait)
            seconds = time.monotonic() - began
            await self._deliver_again()
        executed: Counter[str] = Counter()
        for host in self._hosts:
            executed.update(host.executor.executed)
        return seconds, executed

    def sizes(self) -> tuple[int, int]:
        """Mean bytes of a command and of an event."""
        return self._sizes["command"] // COMMANDS, self._sizes["event"] // (COMMANDS * EVENTS)

    def _order(self) -> float:
        """Orders everything; gives when the first request went out."""
        with Client(self._line.url) as client, ThreadPoolExecutor(CALLERS) as callers:
            wait_until(lambda: len(list(client.hosts())) == HOSTS, "all hosts are known")
            hosts = list(client.hosts())
            began = time.monotonic()
            list(callers.map(lambda n: create(hosts[n % HOSTS], n), range(COMMANDS)))
        return began

    def _wait(self) -> None:
        engine = sql.create_engine(self._line.collector["HWCENSUS_DATABASE_URL"])
        table = tables.command
        query = sql.select(table.c.state, sql.func.count()).group_by(table.c.state)

        def succeeded() -> bool:
            with engine.connect() as connection:
                return dict(connection.execute(query).tuples().all()) == {"succeeded": COMMANDS}

        wait_until(succeeded, "all have succeeded", seconds=LOST_S)
        engine.dispose()

    @asynccontextmanager
    async def _obeying(self) -> AsyncIterator[None]:
        places = [TopicPartition(self._settings.commands_topic, number) for number in range(PARTITIONS)]
        async with (
            AIOKafkaConsumer(**consumer_arguments(self._settings, "bench", group=None)) as consumer,
            AIOKafkaProducer(**producer_arguments(self._settings, "bench")) as producer,
        ):
            consumer.assign(places)
            await consumer.seek_to_beginning()
            work = [asyncio.create_task(self._read(consumer)), asyncio.create_task(self._publish(producer))]
            work += [asyncio.create_task(host.agent.run()) for host in self._hosts]
            try:
                yield
            finally:
                await _stopped(work)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    self._sizes["command"] += len(record.value)
                    self._records.append(record)
                    self._deliver(record, fresh=True)

    def _deliver(self, record: Any, *, fresh: bool) -> None:
        self._by_id[record.key.decode()].agent.receive(record.value, dict(record.headers), fresh=fresh)

    async def _publish(self, producer: AIOKafkaProducer) -> None:
        """In the order they were told: a host's events are in one partition."""
        topic = self._settings.events_topic
        while True:
            event = await self._events.get()
            body, place = event.to_bytes(), partition_of(event.host, PARTITIONS)
            self._sizes["event"] += len(body)
            await producer.send(topic, body, key=event.host.encode(), partition=place, headers=[*event.headers()])

    async def _deliver_again(self) -> None:
        """All records, to the agents as they are and to new ones over the same inboxes, until these have all ended."""
        for record in self._records:
            self._deliver(record, fresh=False)
        for host in self._hosts:
            host.agent = host.new_agent()
        anew = [asyncio.create_task(host.agent.run()) for host in self._hosts]
        for record in self._records:
            self._deliver(record, fresh=False)
        while any(host.unfinished() for host in self._hosts):  # noqa: ASYNC110 - it is on disk that they end
            await asyncio.sleep(0.01)
        await _stopped(anew)


async def _stopped(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def create(host: Host, number: int) -> None:
    """One order over HTTP."""
    host.create_device(
        f"<device><capability type='net'><interface>{Bridge(number).interface}</interface>"
        "<capability type='bridge'/></capability></device>"
    )


async def limit(kafka: Kafka, sizes: tuple[int, int], url: str) -> float:
    """Seconds for as many records of that size through Kafka and back, and as many changes of a row."""
    topics = kafka.create_topics(events_partitions=PARTITIONS, commands_partitions=PARTITIONS)
    settings = KafkaSettings(bootstrap_servers=(kafka.bootstrap,))
    command, event = sizes
    began = time.perf_counter()
    await asyncio.gather(
        _through(settings, topics.commands, [bytes(command)] * COMMANDS),
        _through(settings, topics.events, [bytes(event)] * (COMMANDS * EVENTS)),
    )
    await asyncio.to_thread(_change_rows, url)
    return time.perf_counter() - began


async def _through(settings: KafkaSettings, topic: str, values: list[bytes]) -> None:
    async with (
        AIOKafkaConsumer(**consumer_arguments(settings, "raw", group=None)) as consumer,
        AIOKafkaProducer(**producer_arguments(settings, "raw")) as producer,
    ):
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        for number, value in enumerate(values):
            await producer.send(topic, value, partition=number % PARTITIONS)
        seen = 0
        while seen < len(values):
            seen += sum(map(len, (await consumer.getmany(timeout_ms=1000)).values()))


def _change_rows(url: str) -> None:
    raw = sql.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(raw, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (id int PRIMARY KEY, state text)")
        connection.execute("INSERT INTO plain SELECT n, 'queued' FROM generate_series(1, %s) n", (COMMANDS,))
        for turn in range(UPDATES):
            for number in range(1, COMMANDS + 1):
                connection.execute("UPDATE plain SET state = %s WHERE id = %s", (str(turn), number))
