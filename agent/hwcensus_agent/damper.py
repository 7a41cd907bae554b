"""Devices that change without rest: their news goes out at a set rate, and says for how many it stands. Pure.

What goes beyond the rate is held here, not in the spool: an agent that is killed finds the difference at its next
start. A device's removal waits for nothing, unless it is one of too many: then one flapping is told, with its count.
Nobody goes before his children have gone, nor comes before his parents have come, restless or not.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from hwcensus_agent.news import ADD, CHANGE, REMOVE, News, merged_kind

logger = logging.getLogger(__name__)


@dataclass
class _Window:
    """One device's last minute."""

    began: float
    #: CHANGE, REMOVE: what it had too many of in the window before.
    restless: frozenset[str] = frozenset()
    counts: Counter[str] = field(default_factory=Counter)
    held: list[News] = field(default_factory=list)


class Damper:
    """Lets pass what is bearable. Times are those of a monotonic clock, in seconds."""

    def __init__(self, *, burst: int, interval: float) -> None:
        """Of one device, `burst` changes and `burst` removals pass at once within `interval`."""
        self._burst, self._interval = burst, interval
        #: By identity, the one that ends next first.
        self._windows: dict[str, _Window] = {}
        #: Identities of those in `_windows` that hold something.
        self._holding: set[str] = set()

    def put(self, news: Iterable[News], at: float) -> list[News]:
        """What goes out now."""
        return [passed for one in news for passed in self._put(one, at)]

    def next_due(self) -> float | None:
        first = next(iter(self._windows.values()), None)
        return None if first is None else first.began + self._interval

    def due(self, at: float) -> list[News]:
        """What was held for an interval. Who had too many in it goes on being held in the next."""
        began = ((identity, window.began) for identity, window in self._windows.items())
        ended = list(takewhile(lambda one: one[1] + self._interval <= at, began))
        return _in_order([self._end(identity, at) for identity, _ in ended])

    def flush(self) -> list[News]:
        """All that is held."""
        windows, self._windows = self._windows, {}
        self._holding.clear()
        return _in_order([_together(window.held) for window in windows.values() if window.held])

    def _put(self, one: News, at: float) -> list[News]:
        before = [] if one.was is None else self._let_go(one.was)
        sort = CHANGE if one.type == CHANGE else REMOVE
        window = self._windows.get(one.sight.identity)
        if window is None:
            if one.type == ADD:
                return [*before, *self._relatives(one), one]
            window = self._windows[one.sight.identity] = _Window(at)
        if one.type != ADD:
            window.counts[sort] += one.stands_for or 1
        if one.command is None and one.was is None and self._is_held(window, sort):
            if not window.held and not window.restless:
                logger.info("a device is restless and told of less often", extra={"device": one.sight.name})
            window.held.append(one)
            self._holding.add(one.sight.identity)
            return before
        return [*before, *self._let_go(one.sight.identity), *self._relatives(one), one]

    def _relatives(self, one: News) -> list[News]:
        """What is held of those below a device that goes, or above one that comes."""
        if one.type == CHANGE or not self._holding:
            return []
        held = {identity: self._windows[identity].held[-1].sight.path for identity in self._holding}
        if one.type == REMOVE:
            near = [identity for identity, path in held.items() if path.startswith(f"{one.sight.path}/")]
        else:
            near = [identity for identity, path in held.items() if one.sight.path.startswith(f"{path}/")]
        return _in_order([self._let_go(identity) for identity in near])

    def _is_held(self, window: _Window, sort: str) -> bool:
        too_many = sort in window.restless or window.counts[sort] > self._burst
        return too_many or (sort == CHANGE and bool(window.held))

    def _let_go(self, identity: str) -> list[News]:
        window = self._windows.get(identity)
        if window is None or not window.held:
            return []
        held, window.held = window.held, []
        self._holding.discard(identity)
        return _together(held)

    def _end(self, identity: str, at: float) -> list[News]:
        window = self._windows.pop(identity)
        self._holding.discard(identity)
        restless = frozenset(sort for sort, count in window.counts.items() if count > self._burst)
        if restless:
            self._windows[identity] = _Window(at, restless)
        return _together(window.held) if window.held else []


def _together(held: Sequence[News]) -> list[News]:
    """What stands for a run of one device's news: one change; or how often it went, and whether it is there now."""
    turns = [number for number, one in enumerate(held) if one.type != CHANGE]
    if not turns:
        return [_one_change(held)]
    changes, first, last = held[: turns[0]], held[turns[0]], held[-1]
    goings = [one for one in held if one.type == REMOVE]
    comings = [one for one in held if one.type == ADD]
    times = sum(one.stands_for or 1 for one in goings)
    there = last.type != REMOVE
    told = [_one_change(changes)] if changes else []
    if first.type == REMOVE:
        told.append(replace(goings[0], sight=goings[-1].sight, stands_for=_many(times)))
        return [*told, replace(comings[-1], sight=last.sight)] if there else told
    if there:
        return [*told, replace(comings[0], sight=last.sight, stands_for=_many(times + 1))]
    return [*told, comings[0], replace(goings[-1], stands_for=_many(times))]


def _one_change(changes: Sequence[News]) -> News:
    return replace(
        changes[-1],
        kind=merged_kind(one.kind for one in changes),
        changed=tuple(sorted({path for one in changes for path in one.changed})),
        stands_for=_many(sum(one.stands_for or 1 for one in changes)),
    )


def _many(count: int) -> int | None:
    return count if count > 1 else None


def _in_order(bundles: Iterable[Sequence[News]]) -> list[News]:
    """Of several devices: who goes takes its children along before it, who comes brings them after it."""
    ordered: list[tuple[int, int, News]] = []
    for bundle in bundles:
        came = False
        for one in bundle:
            depth = one.sight.path.count("/")
            came |= one.type == ADD
            step = {CHANGE: 0, REMOVE: 3 if came else 1, ADD: 2}[one.type]
            ordered.append((step, -depth if one.type == REMOVE else depth, one))
    return [one for _, _, one in sorted(ordered, key=lambda entry: entry[:2])]
