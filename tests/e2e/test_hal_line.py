"""The whole line with HAL as the source: a hald's signal, through Kafka and SQL, to the console."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.fixtures.hald import PREFIX, Hald, interface, private_bus, recorded
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import Line, wait_until
from tests.fixtures.process import Process

NET = "/sys/devices/virtual/net"
BR9, KEYBOARD = f"{PREFIX}net_br9", f"{PREFIX}usb_device_624_249_noserial_0"


@pytest.fixture
async def hald(tmp_path: Path) -> AsyncIterator[Hald]:
    async with private_bus(tmp_path) as address, Hald(address, recorded("fcserver")) as daemon:
        yield daemon


@pytest.fixture
def line(tmp_path: Path, hald: Hald, kafka: Kafka, kafka_topics: Callable[..., Topics], sqlite_url: str) -> Line:
    made = Line(tmp_path / "line", kafka.bootstrap, kafka_topics(), sqlite_url)
    made.agent |= {"HWCENSUS_CENSUS_SOURCE": "hal", "HWCENSUS_CENSUS_HAL_ADDRESS": hald.address,
                   "HWCENSUS_CENSUS_SYSROOT": "none"}  # fmt: skip
    return made


async def until(met: Callable[[], bool], what: str, *programs: Process) -> None:
    await asyncio.to_thread(wait_until, met, what, *programs)


async def test_what_a_hald_signals_is_told_on_the_console(line: Line, hald: Hald) -> None:
    collector, agent = await asyncio.to_thread(line.start_collector), await asyncio.to_thread(line.start_agent)
    with collector, agent:
        await until(lambda: "usb_1_5_1_0" in line.devices(), "the census is there", collector, agent)
        await hald.add(BR9, interface("br9", f"{NET}/br9"))
        await until(lambda: "net_br9" in line.devices(), "the interface came", collector, agent)
        await hald.modify(BR9, "net.address", "s", "52:54:00:00:00:99")
        await until(lambda: "52:54:00:00:00:99" in line.hwcensus("xml", line.host, "net_br9").stdout, "it changed")
        await hald.remove(BR9)
        await until(lambda: "net_br9" not in line.devices(), "the interface went", collector, agent)
        told = await asyncio.to_thread(line.hwcensus, "history", line.host, "net_br9", "-o", "json")
        assert sorted(version["kind"] for version in json.loads(told.stdout)) == ["add", "change", "remove"]


async def test_a_hald_that_goes_takes_no_device_along_and_what_it_lacks_when_it_is_back_is_gone(
    line: Line, hald: Hald
) -> None:
    collector, agent = await asyncio.to_thread(line.start_collector), await asyncio.to_thread(line.start_agent)
    with collector, agent:
        await until(lambda: "usb_1_5_1_0" in line.devices(), "the census is there", collector, agent)
        before = line.devices()
        hald.leave()
        await asyncio.to_thread(agent.wait_for, "hald left the bus")
        for udi in (KEYBOARD, f"{KEYBOARD}_if0"):
            hald.devices.pop(udi)
        async with Hald(hald.address, hald.devices) as again:
            await again.ready()
            await until(lambda: "usb_1_5" not in line.devices(), "the disk is gone", collector, agent)
        assert before.keys() - line.devices().keys() == {"usb_1_5", "usb_1_5_1_0"}
