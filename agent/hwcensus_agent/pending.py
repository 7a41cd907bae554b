"""Hints that wait for quiet: many for one device within a short window become one look. Pure but for what it holds."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from hwcensus.instant import now
from hwcensus_agent.sources import Action, Hint


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What is to be looked at now; `paths` is None for the whole host."""

    paths: frozenset[str] | None
    hinted: dict[str, datetime]
    gone: dict[str, int]
    moved: dict[str, str]


@dataclass
class _Window:
    first: float
    last: float
    at: datetime


@dataclass
class Pending:
    """Windows by sysfs path. Times are those of a monotonic clock, in seconds."""

    quiet: float
    longest: float
    #: Whether a device at this path is in the census: only such a one can go.
    is_known: Callable[[str], bool]
    _windows: dict[str, _Window] = field(default_factory=dict)
    _gone: Counter[str] = field(default_factory=Counter)
    _moved: dict[str, str] = field(default_factory=dict)
    _everything: bool = False

    def hint(self, hint: Hint, at: float) -> None:
        """Notes one hint."""
        if hint.action is Action.ENUMERATE:
            self.look_at_everything()
            return
        if hint.action is Action.MOVE and hint.old_syspath is not None:
            self._note_move(hint.old_syspath, hint.syspath)
        if hint.action is Action.REMOVE and hint.source != "rtnetlink" and self._was_there(hint.syspath):
            self._gone[hint.syspath] += 1
        window = self._windows.setdefault(hint.syspath, _Window(at, at, now()))
        window.last = at

    def look_at_everything(self) -> None:
        self._everything = True

    def next_due(self) -> float | None:
        """When the first window closes; None where nothing waits, 0 where everything is to be looked at."""
        if self._everything:
            return 0.0
        return min((self._closes(window) for window in self._windows.values()), default=None)

    def take(self, at: float) -> Ready | None:
        """What is due, which is forgotten by it."""
        if self._everything:
            due = list(self._windows)
        else:
            due = [path for path, window in self._windows.items() if self._closes(window) <= at]
            if not due:
                return None
        ready = Ready(
            paths=None if self._everything else frozenset(due),
            hinted={path: self._windows.pop(path).at for path in due},
            gone={path: self._gone.pop(path) for path in due if path in self._gone},
            moved={path: self._moved.pop(path) for path in due if path in self._moved},
        )
        self._everything = False
        return ready

    def _closes(self, window: _Window) -> float:
        return min(window.last + self.quiet, window.first + self.longest)

    def _note_move(self, old: str, new: str) -> None:
        self._moved[new] = self._moved.pop(old, old)
        self._windows.pop(old, None)
        self._gone.pop(old, None)

    def _was_there(self, path: str) -> bool:
        """A device goes once per appearance: it is in the census, or its coming is among what waits."""
        return self.is_known(path) or path in self._windows
