"""The heartbeat: alive, and agrees. Sent only when nothing waits, so that its digests are those of the last seq."""

import asyncio
import os
import random
import time
from pathlib import Path

from hwcensus.census_digest import write_total
from hwcensus.event import Heartbeat
from hwcensus.instant import now, write_instant
from hwcensus_agent.publisher import Publisher
from hwcensus_agent.spool import Spool

#: Share by which the interval varies, so that ten thousand agents do not speak at once.
JITTER = 0.2


class Pulse:
    """Sends heartbeats for ever."""

    def __init__(self, host: str, spool: Spool, publisher: Publisher, interval: float) -> None:
        self._host, self._spool, self._publisher, self._interval = host, spool, publisher, interval
        self._cpu, self._at = time.process_time(), time.monotonic()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval * random.uniform(1 - JITTER, 1 + JITTER))
            self._publisher.beat(self._beat)
            self._spool.remember("alive", write_instant(now()))  # what `hello` says the agent was down since

    def _beat(self) -> Heartbeat:
        spool = self._spool
        return Heartbeat(
            host=self._host, stream=spool.stream or "", time=now(), at=spool.seq, count=spool.count,
            digest=write_total(spool.digest), state_digest=write_total(spool.state_digest), spool=0,
            rss=resident_bytes(), cpu=self._cpu_share(),
        )  # fmt: skip

    def _cpu_share(self) -> float:
        """Share of one core used since the last beat."""
        cpu, at = time.process_time(), time.monotonic()
        share = (cpu - self._cpu) / max(at - self._at, 1e-6)
        self._cpu, self._at = cpu, at
        return share


def resident_bytes() -> int:
    """Resident set size of this process (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
