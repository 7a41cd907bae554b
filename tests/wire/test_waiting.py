"""Who waits for a command is woken by whichever part of the collector stores its next step, and need not look again:
all parts as the program puts them together, on real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import Engine, insert, update

from hwcensus.event import Result
from hwcensus.instant import now
from hwcensus.kafka import KafkaSettings
from hwcensus_collector import main, tables
from hwcensus_collector.api import commands
from hwcensus_collector.api.context import ApiContext
from hwcensus_collector.database import writing
from hwcensus_collector.ingest import run
from hwcensus_collector.inventory.commands import Command
from hwcensus_collector.settings import ApiSettings, CollectorSettings, CommandSettings, RelaySettings
from tests.fixtures.kafka import Kafka, Topics, free_port
from tests.fixtures.simulated_host import SimulatedHost
from tests.wire.relay_world import HOST, STREAM, add_host, database, queue

#: Seconds: less than the longest wait, which ends with a look, and than the time between two.
LIMIT = 20.0
PAST = now() - timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class World:
    """A running collector, and a command whose host is not known to be reachable yet."""

    engine: Engine
    settings: CollectorSettings
    command: str
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://{self.settings.api.listen}/v1/commands", timeout=LIMIT)

    async def post(self, verb: str) -> None:
        async with self.client() as client:
            (await client.post(f"/{self.command}/{verb}")).raise_for_status()

    def set(self, table: str, values: Mapping[str, object]) -> None:
        with writing(self.engine) as connection:
            connection.execute(update(tables.metadata.tables[table]).values(values))


@pytest.fixture
async def world(
    sqlite_url: str, tmp_path: Path, kafka: Kafka, kafka_topics: Callable[..., Topics], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    topics = kafka_topics(events_partitions=1, commands_partitions=2)
    engine = database(sqlite_url)
    with writing(engine) as connection:
        add_host(connection, commands_partition=None, revision=1)
    settings = CollectorSettings(
        kafka=KafkaSettings(
            bootstrap_servers=(kafka.bootstrap,), events_topic=topics.events, commands_topic=topics.commands
        ),
        commands=CommandSettings(key_file=tmp_path / "command-key"),
        relay=RelaySettings(poll_seconds=0.05),
        api=ApiSettings(listen=f"127.0.0.1:{free_port()}"),
    )
    made = World(engine=engine, settings=settings, command=queue(engine).id)
    find, loop, stop = commands._find, asyncio.get_running_loop(), asyncio.Event()

    def look(context: ApiContext, command: str) -> Command:
        found = find(context, command)
        loop.call_soon_threadsafe(made.looked.set)
        return found

    monkeypatch.setattr(commands, "_find", look)
    monkeypatch.setattr(commands, "LOOK_EVERY", 60.0)
    monkeypatch.setattr(run, "calm_collector", lambda: None)  # it is for a process of its own
    parts = [asyncio.create_task(part) for part in main._parts(main.PARTS, settings, engine, stop)]
    yield made
    stop.set()
    await asyncio.wait_for(asyncio.gather(*parts), LIMIT)
    engine.dispose()


async def accepted(world: World) -> None:
    host = SimulatedHost(HOST)
    host.stream, host.seq, host.clock = STREAM, 1, now()
    result = Result(**host.stamp(), command=world.command, state="accepted")
    kafka = world.settings.kafka
    async with AIOKafkaProducer(bootstrap_servers=list(kafka.bootstrap_servers)) as producer:
        await producer.send_and_wait(
            kafka.events_topic, result.to_bytes(), key=HOST.encode(), headers=[*result.headers()]
        )


async def dispatched(world: World) -> None:
    world.set("host", {"commands_partition": 1})


async def expired(world: World) -> None:
    world.set("command", {"expires": PAST})


async def cancelled(world: World) -> None:
    await world.post("cancel")


async def abandoned(world: World) -> None:
    world.set("command", {"state": "dispatched", "partition": 1, "expires": PAST})
    await world.post("abandon")


async def cancelled_with_its_batch(world: World) -> None:
    batch = {
        "id": "b1", "by": "alice", "issued": now(), "subject": "bridge", "at_once": 1, "stop_after": 0, "refused": [],
        "request_digest": b"",
    }  # fmt: skip
    with writing(world.engine) as connection:
        connection.execute(insert(tables.batch).values(batch))
        connection.execute(update(tables.command).values(batch="b1"))


@pytest.mark.parametrize("happens", [accepted, dispatched, expired, cancelled, abandoned, cancelled_with_its_batch])
async def test_who_waits_is_woken_by_the_next_step_whichever_part_stores_it(
    world: World, happens: Callable[[World], Awaitable[None]]
) -> None:
    async with world.client() as client:
        waiting = asyncio.create_task(client.get(f"/{world.command}", params={"after": 1, "wait": 30}))
        await asyncio.wait_for(world.looked.wait(), LIMIT)
        await happens(world)
        steps = (await waiting).json()["steps"]
    assert steps[-1]["state"] == happens.__name__.split("_")[0]
