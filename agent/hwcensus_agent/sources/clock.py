"""Hints that nothing else gives: each known device and one enumeration once an hour, so nothing stays wrong longer.

It also notices a suspended machine, and every few seconds calls the checks it was given (whether udevd came or went).
It looks at nothing itself.
"""

import logging
import random
import time
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Iterable, Sequence

from hwcensus_agent.sources.hint import Action, Hint
from hwcensus_agent.sources.source import HOUR, OnGap, OnHint

logger = logging.getLogger(__name__)

TICK = 5.0  # seconds: the only wakeups of an idle agent that are ours, one in five seconds
JITTER = 0.2  # of a tick, so that a thousand guests of one machine do not look in step
SUSPENDED = 2.0  # seconds that the boot clock must gain on the running clock


def slices(paths: Iterable[str], n: int) -> list[list[str]]:
    """The paths, sorted, dealt into `n` slices that differ by one at most; few paths come spread over all slices."""
    ordered = sorted(paths)
    return [ordered[len(ordered) * i // n : len(ordered) * (i + 1) // n] for i in range(n)]


class ClockSource:
    """Its time has always come."""

    name = "clock"

    def __init__(
        self,
        *,
        interval: float = HOUR,
        known: Callable[[], Iterable[str]],
        checks: Sequence[Callable[[], None]] = (),
        tick: float = TICK,
    ) -> None:
        """`interval` and `tick` in seconds; `known` gives the syspaths of all devices known now."""
        self.works = False
        self.why_not: str | None = "not started"
        self._ticks = max(1, round(interval / tick))  # in one round over all devices
        self._tick_seconds = tick
        self._known = known
        self._checks = checks
        self._round: list[list[str]] = []  # the slices still to come, the next one last
        self._enumerate_at = 0
        self._loop: AbstractEventLoop | None = None
        self._timer: TimerHandle | None = None
        self._slept = 0.0

    def start(self) -> None:
        self._slept = _seconds_suspended()
        self.works, self.why_not = True, None

    def attach(self, loop: AbstractEventLoop, on_hint: OnHint, on_gap: OnGap) -> None:
        self._loop, self._on_hint, self._on_gap = loop, on_hint, on_gap
        self._new_round()
        self._schedule(loop)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None
        self.works, self.why_not = False, "closed"

    def _schedule(self, loop: AbstractEventLoop) -> None:
        delay = self._tick_seconds * random.uniform(1 - JITTER, 1 + JITTER)
        self._timer = loop.call_later(delay, self._tick)

    def _tick(self) -> None:
        if self._loop is None:
            return
        self._schedule(self._loop)  # first, so that no error below stops the clock
        self._notice_suspend()
        for path in self._round.pop():
            self._on_hint(Hint(source=self.name, action=Action.RECHECK, syspath=path))
        if len(self._round) == self._enumerate_at:
            self._on_hint(Hint(source=self.name, action=Action.ENUMERATE, syspath="/sys"))
        if not self._round:
            self._new_round()
        for check in self._checks:
            check()

    def _new_round(self) -> None:
        self._round = slices(self._known(), self._ticks)[::-1]
        self._enumerate_at = random.randrange(self._ticks)

    def _notice_suspend(self) -> None:
        slept = _seconds_suspended()
        if slept - self._slept > SUSPENDED:
            logger.info("the machine was suspended", extra={"seconds": round(slept - self._slept)})
            self._on_gap("suspend")
        self._slept = slept


def _seconds_suspended() -> float:
    """Since boot: CLOCK_BOOTTIME goes on in a suspended machine, CLOCK_MONOTONIC does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
