"""Hints that wait for quiet: many for one device within a short window become one look. Pure but for what it holds."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf

from hwcensus.instant import now
from hwcensus_agent.host import above, key_of
from hwcensus_agent.sources import Action, Hint

#: The path of a hint to list all devices anew.
EVERYTHING = "/sys"


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What is to be looked at now; `paths` is None for the whole host."""

    paths: frozenset[str] | None
    hinted: dict[str, datetime]
    gone: dict[str, int]
    moved: dict[str, str]

    def who_is_where(self, identities: Mapping[str, str]) -> dict[str, str]:
        """Path → identity of the devices that stayed: some moved, even into each other's places, and some went."""
        moved = {new: identities[old] for new, old in self.moved.items() if old in identities}
        left = {*self.moved.values(), *self.moved, *self.gone}
        return {path: identity for path, identity in identities.items() if path not in left} | moved


@dataclass
class _Window:
    first: float
    last: float
    at: datetime
    is_urgent: bool = False


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
    #: The same by rtnetlink, which tells every rename once more, or only where it led to: heard where udev is silent.
    _moved_links: dict[str, str] = field(default_factory=dict)
    _everything: bool = False

    def hint(self, hint: Hint, at: float) -> None:
        """Notes one hint."""
        hint = _by_keys(hint)
        leads = hint.source != "rtnetlink"
        if hint.action is Action.MOVE and hint.old_syspath is not None:
            self._note_move(hint.old_syspath, hint.syspath, leads=leads)
        if hint.action is Action.REMOVE and leads:
            self._note_gone(hint.syspath, at)
        if hint.beside in self._windows:
            self._windows[hint.syspath] = self._windows[hint.beside]
        self._open(hint.syspath, at)

    def hurry(self, path: str, at: float) -> None:
        """Has this path looked at now, and nothing that can wait with it."""
        self._open(path, at)
        self._windows[path].is_urgent = True

    def look_at_everything(self) -> None:
        self._everything = True

    def next_due(self) -> float | None:
        """When the first window closes; None where nothing waits, 0 where everything is to be looked at."""
        if self._everything:
            return 0.0
        return min((self._closes(window) for window in self._windows.values()), default=None)

    def take(self, at: float) -> Ready | None:
        """What is due, which is forgotten by it: what is urgent alone, and at `inf` all that waits."""
        if self._everything:
            due = list(self._windows)
        else:
            due = self._with_moves(self._with_parents(self._due(at)))
            if not due:
                return None
            if EVERYTHING in due:
                self._everything, due = True, list(self._windows)
        ready = Ready(
            paths=None if self._everything else frozenset(due),
            hinted={path: self._windows.pop(path).at for path in due},
            gone={path: self._gone.pop(path) for path in due if path in self._gone},
            moved=self._take_moves(due),
        )
        self._everything = False
        return ready

    def put_back(self, ready: Ready, at: float) -> None:
        """What was taken and could not be looked at waits again, from `at` on; what was hinted since comes after it."""
        for path in ready.paths or ready.hinted:
            self._open(path, at)
            self._windows[path].at = ready.hinted.get(path, self._windows[path].at)
        self._gone.update(ready.gone)
        later = {old: new for new, old in self._moved.items()}
        for new, old in ready.moved.items():
            self._moved[later.get(new, new)] = old

    def _closes(self, window: _Window) -> float:
        return 0.0 if window.is_urgent else min(window.last + self.quiet, window.first + self.longest)

    def _open(self, path: str, at: float) -> None:
        self._windows.setdefault(path, _Window(at, at, now())).last = at

    def _due(self, at: float) -> set[str]:
        due = {path for path, window in self._windows.items() if self._closes(window) <= at}
        urgent = {path for path in due if self._windows[path].is_urgent}
        return due if at == inf else urgent or due

    def _with_parents(self, due: set[str]) -> set[str]:
        """What is due, and what waits above it: a device is told after its parent, and known by what that is."""
        return due | {one for path in due for one in above(path) if one in self._windows}

    def _with_moves(self, due: set[str]) -> list[str]:
        """With what moves link with them: two that changed places are looked at together, or one would seem gone."""
        links = [*self._moved.items(), *self._moved_links.items()]
        while more := {path for link in links if due & set(link) for path in link} & self._windows.keys() - due:
            due |= more
        return list(due)

    def _take_moves(self, due: Iterable[str]) -> dict[str, str]:
        found = {path: (self._moved.pop(path, None), self._moved_links.pop(path, None)) for path in due}
        moved = {path: told or heard for path, (told, heard) in found.items()}
        return {new: old for new, old in moved.items() if old is not None and old != new}

    def _note_move(self, old: str, new: str, *, leads: bool) -> None:
        moved = self._moved if leads else self._moved_links
        if old not in moved and (old in moved.values() or (leads and self._gone.get(old))):
            return  # the known device of that path went before: what moved is another one
        moved[new] = moved.pop(old, old)
        if leads:
            self._windows.pop(old, None)
            self._gone.pop(new, None)  # which made room

    def _note_gone(self, path: str, at: float) -> None:
        """A device goes once per appearance: it is in the census, or its coming is among what waits."""
        if not self.is_known(path) and path not in self._windows:
            return
        self._gone[path] += 1
        self._moved_links.pop(path, None)
        old = self._moved.pop(path, None)
        if old is not None:
            self._open(old, at)


def _by_keys(hint: Hint) -> Hint:
    """With keys for sysfs paths, as the census has them; those of the clock are its own keys."""
    if hint.action is Action.RECHECK:
        return hint
    old = None if hint.old_syspath is None else key_of(hint.old_syspath)
    beside = None if hint.beside is None else key_of(hint.beside)
    key = key_of(hint.syspath)
    if key == hint.syspath and old is None and beside is None:
        return hint  # as nearly always
    return replace(hint, syspath=key, old_syspath=old, beside=beside)
