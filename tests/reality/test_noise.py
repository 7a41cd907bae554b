"""Restless devices of the real kernel, each test in a network namespace of its own: few events, whose counts add up."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

from hwcensus import document
from hwcensus_agent.census import Glance
from hwcensus_agent.live import Live
from hwcensus_agent.look import HostLook
from hwcensus_agent.news import News
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources import RtnetlinkSource, UdevSource
from hwcensus_agent.spool import Spool
from tests.reality.test_sources_namespace import in_namespace

LIMIT = 40.0
BURST = 10
SETTINGS = CensusSettings(coalesce_ms=1, coalesce_max_ms=1, damp_changes=BURST, damp_s=3600.0)
BRIDGE = "net/place/virtual%2Fnet%2Fhwc0"


class Agent:
    """Sources, census and spool, without a network."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._seen = asyncio.Event()
        self.spool = Spool(Path("/run/spool.db"), limit=1 << 24)
        self.live = Live(SETTINGS, self.spool, HostLook(SETTINGS), "udev", lambda: None)
        self._see = self.live.census.see
        patch.object(self.live.census, "see", self._seeing).start()  # the process ends with the test
        for source in (UdevSource(), RtnetlinkSource()):
            source.start()
            source.attach(loop, self.live.hint, partial(self.live.gap, source.name))

    def _seeing(self, glance: Glance) -> list[News]:
        self._seen.set()
        return self._see(glance)

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT):
            while not seen():
                self._seen.clear()
                await self._seen.wait()

    def mtu(self) -> object:
        sight = self.live.census.sight(BRIDGE)
        return None if sight is None else sight.survey().state["net.mtu"]

    def told(self, type_: str) -> list[int]:
        """For how many each event in the outbox stands."""
        rows = (row for row in self.spool.next_rows(10_000) if row.sight is not None and row.sight.identity == BRIDGE)
        return [int(str(row.detail.get("stands_for", 1))) for row in rows if row.type == type_]


def ip(arguments: str) -> None:
    subprocess.run(["ip", "link", *arguments.split()], check=True)


def watched(body: Callable[[Agent], Awaitable[None]]) -> Agent:
    async def run() -> Agent:
        agent = Agent()
        running = asyncio.create_task(agent.live.run())
        await body(agent)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return agent

    return asyncio.run(run())


@in_namespace
def test_a_bridge_whose_mtu_changes_200_times_is_few_events_and_its_last_state() -> None:
    async def flaps(agent: Agent) -> None:
        ip("add hwc0 type bridge")
        await agent.until(lambda: agent.mtu() == 1500)
        for number in range(200):
            mtu = 1400 - number
            ip(f"set hwc0 mtu {mtu}")
            await agent.until(lambda mtu=mtu: agent.mtu() == mtu)  # type: ignore[misc]  # bound to this round
        assert agent.told("change") == [1] * BURST
        await agent.live.finish()
        assert agent.told("change") == [1] * BURST + [200 - BURST]
        (last,) = [row.sight for row in agent.spool.next_rows(1000) if row.type == "change"][-1:]
        assert last is not None
        assert document.survey(document.parse(last.xml)).state["net.mtu"] == 1201

    watched(flaps)


@in_namespace
def test_a_bridge_that_comes_and_goes_40_times_is_one_flapping_and_there_is_what_is_there() -> None:
    async def flaps(agent: Agent) -> None:
        for _ in range(40):
            ip("add hwc0 type bridge")
            await agent.until(lambda: agent.mtu() is not None)
            ip("del hwc0")
            await agent.until(lambda: agent.mtu() is None)
        assert agent.told("remove") == [1] * BURST
        ip("add hwc0 type bridge")
        await agent.until(lambda: agent.mtu() is not None)
        await agent.live.finish()
        assert sum(agent.told("remove")) + sum(agent.told("add")) == 40 + len(agent.told("add"))
        assert agent.spool.told().keys() >= {BRIDGE}

    watched(flaps)
