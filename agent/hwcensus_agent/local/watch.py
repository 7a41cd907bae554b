"""`watch`: devices as they come, change and go, by the same sources, looks and comparison as the agent's own.

It keeps nothing and tells nobody else. What it prints first is what happens after it began.
"""

import argparse
import asyncio
import json
import signal
import sys

from hwcensus.errors import UsageError
from hwcensus.instant import write_instant
from hwcensus_agent.census import Census, Glance
from hwcensus_agent.host import SYS, HostView
from hwcensus_agent.local.seen import require_lead
from hwcensus_agent.look import HostLook
from hwcensus_agent.news import CHANGE, News
from hwcensus_agent.pending import Pending, Ready
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources import SOURCES, Hint, Source, Watch
from hwcensus_agent.sources.lead import find_lead
from hwcensus_agent.sources.unannounced import Unannounced


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("text", "ndjson"), default="text", help="default: text")


def run(census: CensusSettings, output: str) -> int:
    """Watches until SIGINT or SIGTERM. Raises UsageError for a recorded host, in which nothing happens."""
    if not census.hal_address and not HostView(census.sysroot).live:
        raise UsageError(f"{census.sysroot} is not the running kernel's sysfs: there only {SYS} can be watched")
    asyncio.run(Watcher(census, output).run())
    return 0


class Watcher:
    """Sources → looks → lines."""

    def __init__(self, census: CensusSettings, output: str) -> None:
        self._settings, self._output = census, output
        self._look = HostLook(census)
        self._census = Census({})
        self._hinted, self._stop = asyncio.Event(), asyncio.Event()
        self._pending = Pending(
            quiet=census.coalesce_ms / 1000,
            longest=census.coalesce_max_ms / 1000,
            is_known=lambda path: path in self._census.identities_by_path,
        )

    async def run(self) -> None:
        """The order is sacred: sources listen before the first look."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        settings = self._settings
        lead = await find_lead(settings, self._look.hal)
        require_lead(settings, lead)
        unannounced = Unannounced(settings.sysroot, self._hint, hal=lead.name == "hal")
        watch = Watch(
            sysroot=settings.sysroot, recheck_every=settings.recheck_s, known=self._census.paths,
            checks=[lead.check, unannounced.check],
        )  # fmt: skip
        sources: list[Source] = [lead, *(make(watch) for make in SOURCES.values())]
        try:
            for source in sources:
                source.start()
            await self._look_at(Ready(paths=None, hinted={}, gone={}, moved={}), quietly=True)
            self._attach(sources, loop)
            await self._follow(loop)
        finally:
            for source in sources:
                source.close()

    def _attach(self, sources: list[Source], loop: asyncio.AbstractEventLoop) -> None:
        for source in sources:
            source.attach(loop, self._hint, lambda _: self._look_at_everything())
        working = ", ".join(source.name for source in sources if source.works)
        print(f"watching {len(self._census)} devices by {working}", file=sys.stderr, flush=True)

    def _hint(self, hint: Hint) -> None:
        self._pending.hint(hint, asyncio.get_running_loop().time())
        self._hinted.set()

    def _look_at_everything(self) -> None:
        self._pending.look_at_everything()
        self._hinted.set()

    async def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        stopped = loop.create_task(self._stop.wait())
        while not self._stop.is_set():
            ready = self._pending.take(loop.time())
            if ready is not None:
                await self._look_at(ready)
                continue
            due = self._pending.next_due()
            hinted = loop.create_task(self._hinted.wait())
            timeout = None if due is None else max(0.0, due - loop.time())
            await asyncio.wait([stopped, hinted], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            hinted.cancel()
            self._hinted.clear()
        stopped.cancel()

    async def _look_at(self, ready: Ready, *, quietly: bool = False) -> None:
        identities, names = ready.who_is_where(self._census.identities_by_path), self._census.names()
        looked = await asyncio.to_thread(self._look, ready.paths, identities, names, self._census.sight)
        glance = Glance(
            seen=looked.seen, paths=looked.paths, untold=looked.untold,
            hinted=ready.hinted, gone=ready.gone, moved=ready.moved,
        )  # fmt: skip
        for news in self._census.see(glance):
            if not quietly:
                print(line(news, self._output), flush=True)
        self._look.remind(self._hint)


def line(news: News, output: str) -> str:
    """One event as a line of `text` or `ndjson`."""
    sight = news.sight
    if output == "text":
        more = f" {news.kind}: {' '.join(news.changed)}" if news.type == CHANGE else ""
        return f"{write_instant(news.time)} {news.type} {sight.name}{more}"
    event = {
        "time": write_instant(news.time),
        "type": news.type,
        "name": sight.name,
        "key": sight.key,
        "identity": sight.identity,
        "kind": news.kind,
        "changed": list(news.changed),
    }
    return json.dumps({key: value for key, value in event.items() if value})
