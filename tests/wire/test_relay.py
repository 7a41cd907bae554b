"""The relay against real Kafka: commands leave signed, in order, to the host's partition; and the brake of resyncs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import Engine, insert, select, update

from hwcensus.broker import EmbeddedBroker
from hwcensus.command import IssuedCommand, read_command
from hwcensus.instant import now
from hwcensus.kafka import COMPRESSIONS, KafkaSettings, consumer_arguments
from hwcensus.signature import read_public_keys, verify
from hwcensus.topics import partition_of
from hwcensus_collector import tables
from hwcensus_collector.api.app import create_app
from hwcensus_collector.database import writing
from hwcensus_collector.relay import outbox
from hwcensus_collector.relay.batch import Order, queue_batch
from hwcensus_collector.relay.queue import Request
from hwcensus_collector.relay.results import ResultStep, record_results
from hwcensus_collector.relay.run import run_relay
from hwcensus_collector.settings import CollectorSettings, CommandSettings, RelaySettings
from tests.fixtures.kafka import Kafka, Topics, free_port
from tests.wire.relay_world import HOST, add_host, audited, bridge, command, database, queue, set_host, states

LIMIT = 40.0


@dataclass(frozen=True, kw_only=True)
class World:
    """A database with one host, Kafka, and the settings of a relay between the two."""

    engine: Engine
    settings: CollectorSettings

    @property
    def commands_topic(self) -> str:
        return self.settings.kafka.commands_topic


@pytest.fixture
def world(database_url: str, tmp_path: Path, kafka: Kafka, kafka_topics: Callable[..., Topics]) -> Iterator[World]:
    topics = kafka_topics(events_partitions=2, commands_partitions=4)
    engine = database(database_url)
    with writing(engine) as connection:
        add_host(connection)
    settings = CollectorSettings(
        kafka=KafkaSettings(
            bootstrap_servers=(kafka.bootstrap,), events_topic=topics.events, commands_topic=topics.commands
        ),
        commands=CommandSettings(key_file=tmp_path / "command-key"),
        relay=RelaySettings(poll_seconds=0.05),
    )
    yield World(engine=engine, settings=settings)
    engine.dispose()


@asynccontextmanager
async def relaying(world: World, woken: asyncio.Event | None = None) -> AsyncIterator[None]:
    """A running relay, stopped in order at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_relay(world.settings, world.engine, stop, woken))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, LIMIT)


async def until(condition: Callable[[], Any]) -> None:
    """Waits until SQL says so."""

    async def look() -> None:
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - what is waited for happens in SQL
            await asyncio.sleep(0.02)

    await asyncio.wait_for(look(), LIMIT)


async def records(world: World, partition: int, count: int) -> list[Any]:
    """The first `count` records of a partition of the commands topic."""
    place = TopicPartition(world.commands_topic, partition)
    async with AIOKafkaConsumer(**consumer_arguments(world.settings.kafka, "test", group=None)) as consumer:
        consumer.assign([place])
        consumer.seek(place, 0)
        found: list[Any] = []
        async with asyncio.timeout(LIMIT):
            while len(found) < count:
                found += (await consumer.getmany(timeout_ms=1000)).get(place, [])
        return found[:count]


async def first_orders(world: World, partition: int, count: int) -> list[IssuedCommand]:
    return [read_command(record.value) for record in await records(world, partition, count)]


async def end_of(world: World, partition: int) -> int:
    async with AIOKafkaConsumer(**consumer_arguments(world.settings.kafka, "test", group=None)) as consumer:
        place = TopicPartition(world.commands_topic, partition)
        return int((await consumer.end_offsets([place]))[place])


async def test_a_queued_command_leaves_signed_to_the_hosts_partition(world: World) -> None:
    queued = await asyncio.to_thread(queue, world.engine)
    async with relaying(world):
        await until(lambda: command(world.engine, queued.id).state == "dispatched")
        (record,) = await records(world, 1, 1)
    headers = dict(record.headers)
    assert record.key == HOST.encode()
    assert headers.keys() == {"type", "format", "host", "signature", "key-id"}
    assert (headers["type"], headers["host"]) == (b"create", HOST.encode())
    verify(record.value, headers, read_public_keys(world.settings.commands.key_file.with_name("command-key.pub")))
    assert read_command(record.value).id == queued.id
    assert states(world.engine, queued.id) == ["queued", "dispatched"]
    assert audited(world.engine, queued.id)[-1] == ("relay", "relay", "command.dispatched")


@pytest.mark.parametrize("compression", COMPRESSIONS)
async def test_an_agent_without_cramjam_can_read_commands_whatever_compression_the_collector_prefers(
    embedded: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    engine = database(f"sqlite:///{tmp_path}/census.db")
    with writing(engine) as connection:
        add_host(connection)
    settings = CollectorSettings(
        kafka=KafkaSettings(bootstrap_servers=(embedded.address,), compression=compression),
        commands=CommandSettings(key_file=tmp_path / "command-key"),
        relay=RelaySettings(poll_seconds=0.05),
    )
    world = World(engine=engine, settings=settings)
    queued = await asyncio.to_thread(queue, engine)
    async with relaying(world):
        await until(lambda: command(engine, queued.id).state == "dispatched")
    engine.dispose()
    for codec in ("snappy", "lz4", "zstd"):
        monkeypatch.setattr(f"aiokafka.codec.has_{codec}", lambda: False)
    (record,) = await records(world, 1, 1)
    assert read_command(record.value).id == queued.id


async def test_the_commands_of_a_host_leave_in_the_order_they_were_queued(world: World) -> None:
    def many() -> list[str]:
        return [queue(world.engine, f"hwc{n}").id for n in range(60)]

    async with relaying(world):
        ids = await asyncio.to_thread(many)
        assert [order.id for order in await first_orders(world, 1, 60)] == ids


class Woken(asyncio.Event):
    """Tells when the relay waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = asyncio.Event()

    async def wait(self) -> Literal[True]:
        self.awaited.set()
        return await super().wait()


async def test_an_order_over_http_wakes_an_idle_relay(world: World) -> None:
    seldom = replace(world, settings=replace(world.settings, relay=RelaySettings(poll_seconds=2 * LIMIT)))
    woken = Woken()
    wrote = partial(asyncio.get_running_loop().call_soon_threadsafe, woken.set)
    transport = httpx.ASGITransport(create_app(world.engine, world.settings, wrote=wrote))
    async with relaying(seldom, woken), httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        await asyncio.wait_for(woken.awaited.wait(), LIMIT)
        ordered = await http.post(f"/v1/hosts/{HOST}/devices", content=bridge())
        await until(lambda: command(world.engine, ordered.json()["id"]).state == "dispatched")


class Pressing(asyncio.Event):
    """There is always another order; counts the rounds."""

    rounds = 0

    def clear(self) -> None:
        self.rounds += 1
        super().clear()
        asyncio.get_running_loop().call_soon(self.set)


async def test_however_many_orders_come_one_that_is_too_late_expires(world: World) -> None:
    queued = await asyncio.to_thread(queue, world.engine)
    with writing(world.engine) as connection:
        connection.execute(update(tables.host).values(conflict={}))  # so that it waits for nothing but its deadline
    orders = Pressing()
    async with relaying(world, orders):
        await until(lambda: orders.rounds > 2)
        with writing(world.engine) as connection:
            connection.execute(update(tables.command).values(expires=now() - timedelta(seconds=1)))
        await until(lambda: command(world.engine, queued.id).state == "expired")


async def test_a_crash_between_sending_and_noting_sends_the_same_bytes_again_before_what_is_newer(world: World) -> None:
    first = await asyncio.to_thread(queue, world.engine)
    with writing(world.engine) as connection:
        (claimed,) = outbox.claim(connection, 4)
    second = await asyncio.to_thread(queue, world.engine, "hwc1")
    async with relaying(world):
        await until(lambda: command(world.engine, second.id).state == "dispatched")
        found = await records(world, 1, 2)
    assert [read_command(record.value).id for record in found] == [first.id, second.id]
    assert found[0].value == claimed.body


async def test_what_is_past_its_deadline_before_it_was_sent_expires(world: World) -> None:
    queued = await asyncio.to_thread(queue, world.engine)
    with writing(world.engine) as connection:
        connection.execute(update(tables.command).values(expires=now() - timedelta(seconds=1)))
    async with relaying(world):
        await until(lambda: command(world.engine, queued.id).state == "expired")
    assert await end_of(world, 1) == 0
    assert command(world.engine, queued.id).code == "expired"


@pytest.mark.parametrize(
    "values", [{"conflict": {"stream": "x"}}, {"commands_partition": None}, {"commands_partition": 9}]
)
async def test_a_host_that_cannot_be_commanded_now_holds_up_nobody_else(world: World, values: dict[str, Any]) -> None:
    with writing(world.engine) as connection:
        add_host(connection, "other", name="other", commands_partition=2)
    held = await asyncio.to_thread(queue, world.engine)
    free = await asyncio.to_thread(queue, world.engine, "hwc1", "other")
    set_host(world.engine, **values)
    async with relaying(world):
        await until(lambda: command(world.engine, free.id).state == "dispatched")
        assert command(world.engine, held.id).state == "queued"
        set_host(world.engine, conflict=None, commands_partition=1)
        await until(lambda: command(world.engine, held.id).state == "dispatched")


async def test_a_batch_leaves_bit_by_bit_and_stops_at_its_failures(world: World) -> None:
    hosts = ("h1", "h2", "h3")

    def ordered() -> list[str]:
        with writing(world.engine) as connection:
            for host in hosts:
                add_host(connection, host, name=host, commands_partition=2)
            order = Order(hosts=hosts, wanted="", document=bridge(), at_once=1, stop_after=1)
            asked = Request(actor="alice", door="api", idempotency_key=None, expires_in=None)
            queue_batch(connection, world.settings.commands, order, asked)
            return list(connection.execute(select(tables.command.c.id).order_by(tables.command.c.number)).scalars())

    def tell(number: int, state: str) -> None:
        with writing(world.engine) as connection:
            step = ResultStep(command=ids[number], host=hosts[number], state=state, at=now())
            record_results(connection, [step])

    ids = await asyncio.to_thread(ordered)
    async with relaying(world):
        await until(lambda: command(world.engine, ids[0]).state == "dispatched")
        assert command(world.engine, ids[1]).state == "queued"
        await asyncio.to_thread(tell, 0, "succeeded")
        await until(lambda: command(world.engine, ids[1]).state == "dispatched")
        await asyncio.to_thread(tell, 1, "failed")
        await until(lambda: command(world.engine, ids[2]).state == "cancelled")
    assert await end_of(world, 2) == 2
    assert command(world.engine, ids[2]).code == "batch-stopped"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_of_two_relays_one_sends_and_the_other_takes_over(world: World) -> None:
    async with relaying(world):
        first = await asyncio.to_thread(queue, world.engine)
        await until(lambda: command(world.engine, first.id).state == "dispatched")
        async with relaying(world):
            second = await asyncio.to_thread(queue, world.engine)
            await until(lambda: command(world.engine, second.id).state == "dispatched")
    async with relaying(world):
        third = await asyncio.to_thread(queue, world.engine)
        await until(lambda: command(world.engine, third.id).state == "dispatched")
    assert await end_of(world, 1) == 3


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_relay_whose_session_is_killed_goes_on(world: World) -> None:
    async with relaying(world):
        first = await asyncio.to_thread(queue, world.engine)
        await until(lambda: command(world.engine, first.id).state == "dispatched")
        with world.engine.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        second = await asyncio.to_thread(queue, world.engine)
        await until(lambda: command(world.engine, second.id).state == "dispatched")


async def test_commands_wait_while_kafka_is_away_and_leave_when_it_is_back(
    sqlite_url: str, tmp_path: Path, own_kafka: Kafka
) -> None:
    topics = own_kafka.create_topics()
    engine = database(sqlite_url)
    with writing(engine) as connection:
        add_host(connection)
    kafka = KafkaSettings(
        bootstrap_servers=(own_kafka.bootstrap,), events_topic=topics.events, commands_topic=topics.commands
    )
    settings = CollectorSettings(kafka=kafka, commands=CommandSettings(key_file=tmp_path / "command-key"))
    world = World(engine=engine, settings=settings)
    own_kafka.stop()
    queued = await asyncio.to_thread(queue, engine)
    async with relaying(world):
        late = await asyncio.to_thread(queue, engine, "hwc1")
        with writing(engine) as connection:
            past = {"expires": now() - timedelta(seconds=1)}
            connection.execute(update(tables.command).where(tables.command.c.id == late.id).values(past))
        await until(lambda: command(engine, late.id).state == "expired")
        own_kafka.start()  # in this thread: a process dies with the thread that started it
        await until(lambda: command(engine, queued.id).state == "dispatched")
    assert [order.id for order in await first_orders(world, 1, 1)] == [queued.id]
    engine.dispose()


def wish(world: World, want: str = "manifest", host: str = HOST, **more: Any) -> None:
    set_host(world.engine, host, resync_wanted=want, **more)


def asked(world: World, host: str = HOST) -> Any:
    with world.engine.begin() as connection:
        return connection.execute(select(tables.host).where(tables.host.c.id == host)).one()


async def test_a_host_whose_record_is_to_heal_is_asked_once(world: World) -> None:
    wish(world)
    async with relaying(world):
        (order,) = await first_orders(world, 1, 1)
        await until(lambda: asked(world).resync_attempts == 1)
    assert (order.type, order.want, order.host, order.by) == ("resync", "manifest", HOST, "relay")
    assert asked(world).resync_command == order.id
    assert await end_of(world, 1) == 1


async def test_few_devices_are_asked_for_by_identity_and_many_as_the_whole(world: World) -> None:
    with writing(world.engine) as connection:
        add_host(connection, "many", name="many", commands_partition=2)
        add_host(connection, "none", name="none", commands_partition=3)
    wish(world, "devices", resync_identities=["a", "b"])
    wish(world, "devices", "many", resync_identities=[f"d{n}" for n in range(51)])
    wish(world, "devices", "none", resync_identities=[])
    async with relaying(world):
        orders = [(await first_orders(world, partition, 1))[0] for partition in (1, 2, 3)]
    assert [(order.want, order.identities) for order in orders] == [
        ("devices", ("a", "b")),
        ("all", ()),
        ("manifest", ()),
    ]


async def test_a_host_whose_partition_is_not_known_is_asked_for_a_new_stream_where_agents_pick_it(world: World) -> None:
    wish(world, commands_partition=None, stream=None)
    async with relaying(world):
        (order,) = await first_orders(world, partition_of(HOST, 4), 1)
    assert order.want == "stream"


async def test_nobody_is_asked_before_his_partition_has_been_read(world: World) -> None:
    from aiokafka import AIOKafkaProducer

    from hwcensus.kafka import producer_arguments

    with writing(world.engine) as connection:
        add_host(connection, "other", name="other", commands_partition=2, events_partition=1)
    async with AIOKafkaProducer(**producer_arguments(world.settings.kafka, "test")) as producer:
        await producer.send_and_wait(world.settings.kafka.events_topic, b"x", partition=0)
    wish(world)
    wish(world, host="other")
    async with relaying(world):
        await first_orders(world, 2, 1)
        assert await end_of(world, 1) == 0
        with writing(world.engine) as connection:
            connection.execute(
                insert(tables.kafka_offset).values(topic=world.settings.kafka.events_topic, partition=0, next=1)
            )
        await first_orders(world, 1, 1)


async def test_a_host_that_does_not_answer_is_asked_again_after_a_while(world: World) -> None:
    patient = replace(world.settings.relay, resync_backoff=0.1)
    wish(world)
    async with relaying(replace(world, settings=replace(world.settings, relay=patient))):
        first, second = await first_orders(world, 1, 2)
    assert first.id != second.id


async def test_the_fleet_is_asked_no_faster_than_the_rate(world: World) -> None:
    with writing(world.engine) as connection:
        for n in range(30):
            add_host(connection, f"h{n}", name=f"h{n}", commands_partition=3, resync_wanted="manifest")
    slow = replace(world.settings, relay=replace(world.settings.relay, resync_rate=5.0))

    def asked_at() -> list[datetime]:
        at = tables.host.c.resync_sent_at
        with world.engine.begin() as connection:
            return sorted(connection.execute(select(at).where(at.is_not(None))).scalars())

    async with relaying(replace(world, settings=slow)):
        await until(lambda: len(asked_at()) > 10)
    at = asked_at()
    assert min(later - earlier for earlier, later in zip(at, at[5:], strict=False)) > timedelta(seconds=0.9)


async def test_hosts_in_conflict_are_not_asked(world: World) -> None:
    with writing(world.engine) as connection:
        add_host(connection, "other", name="other", commands_partition=2)
    wish(world, conflict={"stream": "x"})
    wish(world, host="other")
    async with relaying(world):
        await first_orders(world, 2, 1)
    assert asked(world).resync_attempts == 0


def test_an_unreachable_kafka_does_not_keep_the_relay_from_stopping(sqlite_url: str, tmp_path: Path) -> None:
    engine = database(sqlite_url)
    with writing(engine) as connection:
        add_host(connection)
    queue(engine)
    settings = CollectorSettings(
        kafka=KafkaSettings(bootstrap_servers=(f"127.0.0.1:{free_port()}",)),
        commands=CommandSettings(key_file=tmp_path / "command-key"),
    )

    async def start_and_stop() -> None:
        async with relaying(World(engine=engine, settings=settings)):
            await until((tmp_path / "command-key.pub").exists)

    asyncio.run(start_and_stop())
    engine.dispose()
