"""`hwcensus-agent run`: puts the parts together, keeps them going, stops them cleanly.

The order is sacred: sources listen before the first look, so that nothing falls between the two.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
from contextlib import ExitStack, suppress
from functools import partial
from urllib.parse import quote

from hwcensus.fact import printable
from hwcensus_agent import hostid, lock
from hwcensus_agent.commands import inbox
from hwcensus_agent.desired import Desired
from hwcensus_agent.greeting import Greeting
from hwcensus_agent.heartbeat import Pulse
from hwcensus_agent.holdback import HoldBack
from hwcensus_agent.live import Live
from hwcensus_agent.look import HostLook
from hwcensus_agent.model import Model
from hwcensus_agent.notify import notify, watchdog_seconds
from hwcensus_agent.orders import Orders
from hwcensus_agent.publisher import Publisher
from hwcensus_agent.settings import AgentSettings
from hwcensus_agent.sources import SOURCES, Hint, Source, Watch
from hwcensus_agent.sources.lead import find_lead
from hwcensus_agent.sources.unannounced import Unannounced
from hwcensus_agent.spool import Spool
from hwcensus_agent.wake import Awake, wake

logger = logging.getLogger(__name__)

#: Seconds a clean stop gives Kafka to take what waits; the rest stays in the spool.
LAST_WORDS_S = 2.0


async def run_agent(settings: AgentSettings, look: HostLook) -> None:
    """Runs until SIGTERM or SIGINT. Raises HwcensusError where it cannot begin."""
    with ExitStack() as held:
        held.enter_context(lock.hold(settings.spool.path.with_suffix(".lock")))
        awake = _wake(settings)
        held.callback(awake.spool.close)
        held.enter_context(lock.hold(settings.runtime / f"agent-{quote(awake.host, safe='')}.lock"))
        await Agent(settings, awake, look).run()


def _wake(settings: AgentSettings) -> Awake:
    sysroot = settings.census.sysroot
    return wake(
        settings.host,
        hostid.evidence(sysroot=sysroot),
        lambda: hostid.host_id(sysroot=sysroot),
        lambda: Spool(settings.spool.path, limit=settings.spool.limit_mib * 1024 * 1024, further_schema=inbox.SCHEMA),
    )


class Agent:
    """One running agent."""

    def __init__(self, settings: AgentSettings, awake: Awake, look: HostLook) -> None:
        self._settings, self._look = settings, look
        self._host, self._evidence, self._spool = awake.host, awake.evidence, awake.spool
        self._stop = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._lead = await find_lead(self._settings.census, self._look.hal)
        sources = self._start_sources()
        try:
            await self._publish(sources, self._spool)
        finally:
            notify("STOPPING=1")
            for source in sources:
                source.close()

    def _start_sources(self) -> tuple[Source, ...]:
        """Subscribes to everything; what comes from here on waits until the first look is done."""
        watch = Watch(
            sysroot=self._settings.census.sysroot,
            recheck_every=self._settings.census.recheck_s,
            known=self._known,
            checks=[self._check],
        )
        sources = (self._lead, *(make(watch) for make in SOURCES.values()))
        # Reads what it compares with before the first look, as the others subscribe before it.
        self._unannounced = Unannounced(self._settings.census.sysroot, self._hint, hal=self._lead.name == "hal")
        for source in sources:
            source.start()
            if not source.works:
                logger.warning("a source does not work", extra={"source": source.name, "why": source.why_not})
        return sources

    def _known(self) -> list[str]:
        return self._live.census.paths()

    def _hint(self, hint: Hint) -> None:
        self._live.hint(hint)

    def _check(self) -> None:
        """Every few seconds, by the clock."""
        self._lead.check()
        self._unannounced.check()
        self._live.look_at_answered()

    async def _publish(self, sources: tuple[Source, ...], spool: Spool) -> None:
        publisher = Publisher(self._settings.kafka, self._host, spool)
        if self._settings.publisher.hold_back_bytes:
            publisher.hold_back = HoldBack(self._settings.kafka, self._settings.publisher.hold_back_bytes)
        self._live = live = Live(self._settings.census, spool, self._look, self._lead.name, publisher.woken.set)
        live.on_dropped = publisher.new_stream
        desired = Desired(self._settings.spool.desired, self._host)
        self._look.shows(desired.of)
        orders = Orders(self._settings, desired, spool=spool, live=live, publisher=publisher)
        boot = hostid.boot_id(sysroot=self._settings.census.sysroot)
        same_boot = boot is not None and spool.remembered("boot") == boot
        orders.expect_begun()
        model = Model.of(self._lead.name)
        former = Model.remembered(spool)
        unknown = model.unknown_to(former, spool.told().values())
        other_source = former is not None and former.source != model.source
        looked = await live.first_look(same_boot=same_boot)
        live.compare(looked, same_boot=same_boot, unknown=unknown, other_source=other_source)
        spool.remember("boot", boot or "")
        model.remember(spool)
        greeting = Greeting(
            host=self._host,
            name=self._settings.name or printable(os.fsencode(socket.gethostname())),
            evidence=self._evidence,
            boot=boot,
            creatable=orders.creatable,
            sources=sources,
            model=model,
        )
        publisher.greet = lambda count, moved: greeting.begin(spool, orders.partition(count), moved)
        await self._until_stopped(sources, live, publisher, orders, Pulse(
            self._host, spool, publisher, self._settings.publisher.heartbeat_s
        ))  # fmt: skip

    async def _until_stopped(
        self, sources: tuple[Source, ...], live: Live, publisher: Publisher, orders: Orders, pulse: Pulse
    ) -> None:
        loop = asyncio.get_running_loop()
        for source in sources:
            source.attach(loop, live.hint, partial(live.gap, source.name))
        work = [publisher.run(), live.run(), pulse.run(), orders.run(), _feed_watchdog()]
        tasks = [loop.create_task(one) for one in work]
        logger.info("the agent runs", extra={"host": self._host, "devices": len(live.census)})
        gc.collect()
        gc.freeze()  # what is left stays: Python need not look for cycles in it again and again
        notify(f"READY=1\nSTATUS={len(live.census)} devices")
        try:
            await self._first_end(tasks)
        finally:
            await self._wind_down(tasks, live, publisher)

    async def _first_end(self, tasks: list[asyncio.Task[None]]) -> None:
        """Waits for the stop, or for a task that ends, which none should: its error is ours then."""
        stop = asyncio.create_task(_is_set(self._stop))
        done, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for task in done - {stop}:
            await task

    async def _wind_down(self, tasks: list[asyncio.Task[None]], live: Live, publisher: Publisher) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await live.finish()
        with suppress(TimeoutError):
            await asyncio.wait_for(publisher.last_words(), LAST_WORDS_S)
        await publisher.close()
        logger.info("the agent stops", extra={"waiting": publisher.waiting()})


async def _is_set(event: asyncio.Event) -> None:
    await event.wait()


async def _feed_watchdog() -> None:
    """Tells systemd that the loop turns."""
    interval = watchdog_seconds()
    while True:
        if interval is not None:
            notify("WATCHDOG=1")
        await asyncio.sleep(interval or 3600.0)
