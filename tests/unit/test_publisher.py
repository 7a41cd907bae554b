"""The publisher apart from Kafka: a stop that Kafka's client would hold up, and the commands partition."""

import asyncio
from pathlib import Path

import pytest

from hwcensus.kafka import KafkaSettings
from hwcensus_agent import orders as orders_module
from hwcensus_agent import publisher as module
from hwcensus_agent.commands.answer import ACCEPTED, SUCCEEDED, Answer
from hwcensus_agent.desired import Desired
from hwcensus_agent.live import Live
from hwcensus_agent.look import HostLook
from hwcensus_agent.orders import Orders
from hwcensus_agent.publisher import Publisher
from hwcensus_agent.settings import AgentSettings, CommandSettings
from hwcensus_agent.spool import Spool


class Deaf:
    """A producer whose broker is there and does not answer."""

    async def stop(self) -> None:
        await asyncio.Event().wait()


async def test_a_broker_that_does_not_answer_does_not_hold_up_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.01)
    publisher = Publisher(KafkaSettings(), "host-1", Spool(tmp_path / "spool.db", limit=1))
    publisher._producer = Deaf()
    async with asyncio.timeout(10):
        await publisher.close()


def orders_of(folder: Path, publisher: Publisher, spool: Spool) -> Orders:
    settings = AgentSettings(commands=CommandSettings(policy=folder / "none", keys=folder / "none"))
    live = Live(settings.census, spool, HostLook(settings.census), "udev", lambda: None)
    return Orders(settings, Desired(folder / "desired.json", "host-1"), spool=spool, live=live, publisher=publisher)


async def test_that_a_command_was_accepted_leaves_with_its_end_or_soon_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders_module, "ACCEPTED_S", 0.01)
    spool = Spool(tmp_path / "spool.db", limit=1)
    publisher = Publisher(KafkaSettings(), "host-1", spool)
    orders = orders_of(tmp_path, publisher, spool)
    orders._report(Answer(command="c1", state=ACCEPTED))
    assert [row.type for row in spool.next_rows(2)] == ["result"]  # noted, so that nothing is lost
    assert not publisher.woken.is_set()
    async with asyncio.timeout(10):
        await publisher.woken.wait()
    publisher.woken.clear()
    orders._report(Answer(command="c1", state=SUCCEEDED))
    assert publisher.woken.is_set()


async def test_hello_names_the_commands_partition_that_is_read_even_when_the_topic_has_grown(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", limit=1)
    orders = orders_of(tmp_path, Publisher(KafkaSettings(), "host-1", spool), spool)
    assert {orders.partition(count) for count in (4, 64, 1000)} == {orders.partition(4)}
