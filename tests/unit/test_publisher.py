"""The publisher apart from Kafka: a stop that Kafka's client would hold up, and the commands partition."""

import asyncio
from pathlib import Path

import pytest

from hwcensus.kafka import KafkaSettings
from hwcensus_agent import publisher as module
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


async def test_hello_names_the_commands_partition_that_is_read_even_when_the_topic_has_grown(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", limit=1)
    settings = AgentSettings(commands=CommandSettings(policy=tmp_path / "none", keys=tmp_path / "none"))
    publisher = Publisher(settings.kafka, "host-1", spool)
    live = Live(settings.census, spool, HostLook(settings.census), "udev", lambda: None)
    desired = Desired(tmp_path / "desired.json", "host-1")
    orders = Orders(settings, desired, spool=spool, live=live, publisher=publisher)
    assert {orders.partition(count) for count in (4, 64, 1000)} == {orders.partition(4)}
