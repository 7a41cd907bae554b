"""From hint to outbox: waits for quiet, looks, compares, notes what is new. The agent's one working loop."""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import datetime
from math import inf

from hwcensus.errors import HwcensusError
from hwcensus.instant import now
from hwcensus_agent.census import Census, Glance
from hwcensus_agent.damper import Damper
from hwcensus_agent.look import HostLook, Looked
from hwcensus_agent.news import News
from hwcensus_agent.pending import Pending, Ready
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources import Action, Hint
from hwcensus_agent.spool import Spool

logger = logging.getLogger(__name__)

#: Seconds after a failed look until the next one.
RETRY_S = 5.0
#: Seconds of quiet while a command waits for what the kernel has done already: enough for the events of one device.
HURRY_S = 0.02
#: Seconds that the news a command made waits for the command's answer, so that both leave in one batch.
ANSWER_S = 0.03


class Live:
    """Keeps the census true."""

    def __init__(
        self, settings: CensusSettings, spool: Spool, look: HostLook, source: str, wake: Callable[[], None]
    ) -> None:
        """`wake` is called when the outbox has something new; `source` leads this host."""
        self._spool, self._look, self._source, self._wake = spool, look, source, wake
        self.census = Census(spool.told())
        self.census.on_waiting = self._hurry
        self.census.on_done = self.look_at_once
        self._quiet = settings.coalesce_ms / 1000
        self._pending = Pending(
            quiet=self._quiet,
            longest=settings.coalesce_max_ms / 1000,
            is_known=lambda path: path in self.census.identities_by_path,
        )
        self._damper = Damper(burst=settings.damp_changes, interval=settings.damp_s)
        self._hinted = asyncio.Event()
        #: When `run` goes on by itself: a hint that is due later, as most of a storm are, need not wake it.
        self._waits_until = -inf
        self._heard_at = now()
        self._looking: asyncio.Task[None] | None = None
        #: Called when the outbox overflowed and was dropped: a new stream begins.
        self.on_dropped: Callable[[], None] = lambda: None
        #: Told of all that is new, also of what is damped.
        self.on_news: Callable[[list[News]], None] = lambda _: None

    def hint(self, hint: Hint) -> None:
        """For sources: something is worth a look."""
        if not self._look.concerns(hint):
            return
        at = asyncio.get_running_loop().time()
        self._pending.hint(hint, at)
        if at + self._pending.quiet < self._waits_until:
            self._hinted.set()

    def gap(self, source: str, reason: str) -> None:
        """For sources: signals were lost, so everything is looked at; what is found happened not after now."""
        self._note_gap(source, self._heard_at, reason)
        self._pending.look_at_everything()
        self._hinted.set()

    def _hurry(self) -> None:
        self._pending.quiet = min(HURRY_S, self._quiet) if self.census.waiting else self._quiet
        self._hinted.set()

    def look_at_once(self, path: str) -> None:
        """A command did something at this path: nobody need say so first, nor is what else is said looked at too."""
        self._pending.hurry(path, asyncio.get_running_loop().time())
        self._hinted.set()

    def look_again(self) -> None:
        self._pending.look_at_everything()
        self._hinted.set()

    def look_at_answered(self) -> None:
        """Called by the clock: what did not answer in time and does again is looked at."""
        for path in self._look.answered():
            self.hint(Hint(source="clock", action=Action.RECHECK, syspath=path))

    async def first_look(self, *, same_boot: bool) -> Looked:
        """The whole host, before anything is compared: after a reboot paths say nothing about who is who."""
        known = self.census.identities()
        now_there, of_old = (known, None) if same_boot else ({}, known)
        names = self.census.names() if same_boot else {}
        return await asyncio.to_thread(self._look, None, now_there, names, self.census.sight, of_old)

    def compare(
        self, looked: Looked, *, same_boot: bool, unknown: Collection[str] = (), other_source: bool = False
    ) -> None:
        """Notes what the first look found different from what was told before, by a model that did not know some
        facts, or another source."""
        self._note(
            Glance(
                seen=looked.seen, paths=None, untold=looked.untold, same_boot=same_boot, source=self._source,
                hinted={}, gone={}, moved={},
                unknown=frozenset(unknown), other_source=other_source,
            )
        )  # fmt: skip

    async def run(self) -> None:
        """Looks whenever a window closes, for ever; cancel it to stop."""
        loop = asyncio.get_running_loop()
        while True:
            self._tell(self._damper.due(loop.time()))
            due = self._next_due()
            if due is None or due > loop.time():
                await self._hint_or(None if due is None else due - loop.time())
                continue
            ready = self._pending.take(loop.time())
            if ready is not None:
                # Stopping must not stop a look: its thread goes on, and no second look may begin beside it.
                self._looking = loop.create_task(self._look_at(ready))
                await asyncio.shield(self._looking)

    async def finish(self) -> None:
        """Looks at what still waits, without waiting for quiet."""
        if self._looking is not None:
            await asyncio.wait([self._looking])  # if it failed, `run` has said so
        ready = self._pending.take(inf)
        if ready is not None:
            await self._look_at(ready)
        self._tell(self._damper.flush())

    def _next_due(self) -> float | None:
        due = (self._pending.next_due(), self._damper.next_due())
        return min((one for one in due if one is not None), default=None)

    async def _hint_or(self, timeout: float | None) -> None:
        self._hinted.clear()
        self._waits_until = inf if timeout is None else asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout(timeout):  # Python 3.11's wait_for loses a cancel that comes with the hint
                await self._hinted.wait()
        except TimeoutError:
            return
        finally:
            self._waits_until = -inf

    async def _look_at(self, ready: Ready) -> None:
        self._heard_at = now()
        identities, names = ready.who_is_where(self.census.identities_by_path), self.census.names()
        try:
            looked = await asyncio.to_thread(self._look, ready.paths, identities, names, self.census.sight)
        except (OSError, HwcensusError) as error:
            self._look_failed(error, ready)
            return
        self._note(
            Glance(
                seen=looked.seen, paths=looked.paths, untold=looked.untold, source=self._source,
                hinted=ready.hinted, gone=ready.gone, moved=ready.moved,
            )
        )  # fmt: skip
        self._look.remind(self.hint)

    def _look_failed(self, error: Exception, ready: Ready) -> None:
        """The host could not be listed: nothing is concluded from that, and it is tried again."""
        logger.warning("a look failed; what was known stays", extra={"why": str(error)})
        loop = asyncio.get_running_loop()
        self._pending.put_back(ready, loop.time() + RETRY_S)
        if ready.paths is None:
            loop.call_later(RETRY_S, self.look_again)

    def _note(self, glance: Glance) -> None:
        news = self.census.see(glance)
        self.on_news(news)
        self._tell(self._damper.put(news, asyncio.get_running_loop().time()))

    def _tell(self, news: list[News]) -> None:
        if not news:
            return
        self._spool.put(news)
        self.census.in_outbox(news)
        self._log(news)
        if self._spool.is_full:
            self._drop()
        if any(one.command for one in news):
            asyncio.get_running_loop().call_later(ANSWER_S, self._wake)
        else:
            self._wake()

    def _drop(self) -> None:
        """Adds and removes alone exceed the spool: they are dropped, said, and what is there now is told instead."""
        since = self._spool.drop()
        logger.error("the spool is full; unsent events were dropped", extra={"since": since})
        self._damper.flush()  # the next look tells it
        self.census.reset(self._spool.told())
        self.on_dropped()
        self._note_gap("agent", since or now(), "spool-full")
        self.look_again()

    def _note_gap(self, source: str, since: datetime, reason: str) -> None:
        logger.warning("signals were lost; looking at everything", extra={"source": source, "reason": reason})
        self._spool.put_gap(source, reason, since, now())
        self._wake()

    def _log(self, news: list[News]) -> None:
        for one in news if len(news) <= 10 else []:
            logger.debug("%s %s", one.type, one.sight.name, extra={"kind": one.kind, "changed": " ".join(one.changed)})
        if len(news) > 10:
            logger.info("%d devices told", len(news))
