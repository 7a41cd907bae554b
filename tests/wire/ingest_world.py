"""The events topic as agents write to it, the ingest at work on it, and what SQL has then."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sql
from confluent_kafka import Consumer, Producer, TopicPartition

from hwcensus.event import Event
from hwcensus.kafka import KafkaSettings
from hwcensus_collector import tables
from hwcensus_collector.ingest.run import Ingest
from hwcensus_collector.settings import CollectorSettings, DatabaseSettings, IngestSettings
from tests.fixtures.line import wait_until
from tests.fixtures.simulated_host import SimulatedHost

Headers = list[tuple[str, bytes]]
#: Kafka's client says what it cannot reach to this one, not to stderr.
QUIET = logging.getLogger("librdkafka")


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
