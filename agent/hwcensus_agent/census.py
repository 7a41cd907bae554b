"""The agent's present truth: what every device looked like when it was last seen, and what a new look changes.

Pure apart from its own memory: it is given descriptions and gives news. It does not look, number or send.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hwcensus.document import changed_paths, kind_of_change, known_to_one
from hwcensus.errors import InvalidDocument
from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus_agent.commands.census_port import Effect, Expectation, Target
from hwcensus_agent.news import ADD, CHANGE, REMOVE, News, Sight


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What one look at some devices gave. Children come after their parents."""

    seen: tuple[Sight, ...]
    #: Sysfs paths that were looked at; None for a look at the whole host, which alone may miss devices.
    paths: frozenset[str] | None
    #: Paths of known devices that are there though they were not seen.
    untold: frozenset[str] = frozenset()
    #: Whether what is known was seen in this boot: else its paths say nothing about who is who.
    same_boot: bool = True
    source: str = "udev"
    #: Path → when the first hint came.
    hinted: Mapping[str, datetime]
    #: Path → how often the device went, by the word of the leading source, before this look.
    gone: Mapping[str, int]
    #: New path → old path of what was renamed.
    moved: Mapping[str, str]
    #: Paths of the facts that whoever told the census before did not know.
    unknown: frozenset[str] = frozenset()
    #: Whether another source led the host then: what only one of the two can see is no difference of the hardware.
    other_source: bool = False


class Census:
    """Identity → sight, and the way from a glance to news."""

    def __init__(self, told: Mapping[str, Sight]) -> None:
        """`told` is the census as the collector will know it once the outbox is empty."""
        self.reset(told)
        self._expected: dict[Expectation, str] = {}
        #: Paths of devices that a command takes away or moves: what is below goes with them.
        self._going: dict[str, str] = {}
        self._awaited: dict[str, _Awaited] = {}
        #: Commands that wait to be seen now, for what the kernel has done; and who is told when their number changes.
        self.waiting = 0
        self.on_waiting: Callable[[], None] = lambda: None
        #: Told of the sysfs path at which a command has done what it waits for.
        self.on_done: Callable[[str], None] = lambda _: None

    def reset(self, told: Mapping[str, Sight]) -> None:
        """Forgets what was seen since, so that the next look tells it again."""
        self._sights = dict(told)
        self._by_path = {sight.path: identity for identity, sight in self._sights.items()}

    def __len__(self) -> int:
        return len(self._sights)

    def paths(self) -> list[str]:
        """Sysfs paths of all devices."""
        return list(self._by_path)

    @property
    def identities_by_path(self) -> Mapping[str, str]:
        """The same as `identities`, not copied."""
        return self._by_path

    def identities(self) -> dict[str, str]:
        """Sysfs path → identity, for the look that comes next."""
        return dict(self._by_path)

    def names(self) -> dict[str, str]:
        """Sysfs path → name, likewise."""
        return {sight.path: sight.name for sight in self._sights.values()}

    def sight(self, identity: str) -> Sight | None:
        """The device as it was last seen."""
        return self._sights.get(identity)

    def see(self, glance: Glance) -> list[News]:
        """What a look changes, removes first (children before parents), then adds and changes (parents first)."""
        present = {sight.identity: sight for sight in glance.seen}
        before = self._before(glance, present)
        leaving = [*self._missing(glance, present, before), *self._flapped(glance)]
        leaving += self._gone_with(self._made_anew(glance), {*present, *(sight.identity for sight in leaving)})
        leaving.sort(key=lambda sight: sight.path.count("/"), reverse=True)
        there = {sight.path: sight.identity for sight in glance.seen}
        news = [self._went(sight, glance, there.get(sight.path)) for sight in leaving]
        for sight in glance.seen:
            news += self._came_or_stayed(sight, glance, before)
        return [self._caused(one) for one in news]

    def _before(self, glance: Glance, present: Mapping[str, Sight]) -> Mapping[str, str]:
        """Path → identity of what may still be the device that is there, since it is seen nowhere else: within a boot
        whatever was there, after one nothing; but for another source the path and the facts that both know tell."""
        if not (glance.same_boot or glance.other_source):
            return {}
        known = {path: identity for path, identity in self._by_path.items() if identity not in present}
        if glance.same_boot:
            return known
        there = ((sight, known[sight.path]) for sight in glance.seen if sight.path in known)
        return {sight.path: identity for sight, identity in there if _agree(self._sights[identity], sight)}

    def _missing(self, glance: Glance, present: Mapping[str, Sight], before: Mapping[str, str]) -> list[Sight]:
        looked: Collection[str] = self._by_path if glance.paths is None else glance.paths | set(glance.moved.values())
        renamed = {self._by_path.get(glance.moved.get(sight.path, "")) for sight in present.values()}
        taken_over = {before.get(sight.path) for sight in present.values() if self._may_have_been(sight, glance)}
        missing = []
        for identity, sight in self._sights.items():
            if sight.path not in looked or sight.path in glance.untold or identity in present:
                continue
            if identity in taken_over and _is_same_hardware(sight, present):
                continue  # the same device under another identity: one change with `was`
            if identity not in renamed:
                missing.append(sight)
        return missing

    def _flapped(self, glance: Glance) -> list[Sight]:
        """Devices that are there, but went and came again since the last look."""
        back = [sight.identity for sight in glance.seen if glance.gone.get(sight.path)]
        return [self._sights[identity] for identity in back if identity in self._sights]

    def _made_anew(self, glance: Glance) -> list[Sight]:
        """Devices that a command has just made, as they were known before at another path, from where they went."""
        expected = {one.identity for one in self._expected if one.effect is Effect.ADD}
        formers = ((self._sights.get(sight.identity), sight) for sight in glance.seen if sight.identity in expected)
        return [former for former, sight in formers if former is not None and former.path != sight.path]

    def _gone_with(self, formers: Sequence[Sight], accounted: Collection[str]) -> list[Sight]:
        """These, and what was below them and is not accounted for (identities)."""
        if not formers:
            return []
        folders = tuple(f"{sight.path}/" for sight in formers)
        below = (sight for sight in self._sights.values() if sight.path.startswith(folders))
        return [*formers, *(sight for sight in below if sight.identity not in accounted)]

    def _may_have_been(self, sight: Sight, glance: Glance) -> bool:
        """Whether a sight can be what was known at its path: it is new to us, and nobody went from there or came."""
        stayed = sight.path not in glance.moved and not glance.gone.get(sight.path)
        return stayed and sight.identity not in self._sights

    def _went(self, sight: Sight, glance: Glance, there_now: str | None) -> News:
        self._forget(sight)
        flaps = glance.gone.get(sight.path, 0) if there_now in (None, sight.identity) else 0
        stands = flaps if flaps > 1 else None
        return News(type=REMOVE, sight=sight, time=_when(sight, glance), source=glance.source, stands_for=stands)

    def _came_or_stayed(self, sight: Sight, glance: Glance, before: Mapping[str, str]) -> list[News]:
        former = self._sights.get(sight.identity)
        was = None if glance.gone.get(sight.path) else before.get(glance.moved.get(sight.path, sight.path))
        if former is None and was is not None and was in self._sights:
            return self._became(self._sights[was], sight, glance)
        time = _when(sight, glance)
        if former is None:
            self._remember(sight)
            return [News(type=ADD, sight=sight, time=time, source=glance.source)]
        if (former.digest, former.state_hash) != (sight.digest, sight.state_hash):
            return [self._differs(former, sight, time, glance)]
        return []

    def _became(self, former: Sight, sight: Sight, glance: Glance) -> list[News]:
        change = self._differs(former, sight, _when(sight, glance), glance)
        return [replace(change, was=former.identity)]

    def _differs(self, former: Sight, sight: Sight, time: datetime, glance: Glance) -> News:
        self._forget(former)
        self._remember(sight)
        kind, changed = _difference(former, sight, glance)
        return News(type=CHANGE, sight=sight, time=time, source=glance.source, kind=kind, changed=changed)

    def _remember(self, sight: Sight) -> None:
        self._sights[sight.identity] = sight
        self._by_path[sight.path] = sight.identity

    def _forget(self, sight: Sight) -> None:
        self._sights.pop(sight.identity, None)
        if self._by_path.get(sight.path) == sight.identity:
            del self._by_path[sight.path]

    # --- what commands need of the census (commands/census_port.py)

    def expect(self, command_id: str, expectations: Collection[Expectation]) -> None:
        """The next event that meets each is this command's doing, and says so."""
        self.forget(command_id)
        self._expected.update(dict.fromkeys(expectations, command_id))
        self._going.update(dict.fromkeys(self._paths_of(expectations), command_id))
        self._awaited[command_id] = _Awaited(left=len(expectations))

    async def wait_seen(self, command_id: str, timeout: float, at: str | None = None) -> tuple[Produced, ...] | None:
        """What was added, once all expected events are in the outbox; None where one does not come in time."""
        awaited = self._awaited[command_id]
        self._wait(+1)
        if at is not None:
            self.on_done(at)
        try:
            async with asyncio.timeout(timeout):
                await awaited.all_seen.wait()
        except TimeoutError:
            return None
        finally:
            self._wait(-1)
        return tuple(awaited.produced)

    def _wait(self, more: int) -> None:
        self.waiting += more
        self.on_waiting()

    def forget(self, command_id: str) -> None:
        """Expects nothing more for this command."""
        self._awaited.pop(command_id, None)
        self._expected = {key: value for key, value in self._expected.items() if value != command_id}
        self._going = {path: value for path, value in self._going.items() if value != command_id}

    def find(self, name_or_identity: str) -> Target | None:
        """The present device of this name or identity."""
        by_name = (sight for sight in self._sights.values() if sight.name == name_or_identity)
        sight = self._sights.get(name_or_identity) or next(by_name, None)
        if sight is None:
            return None
        return _target(sight)

    def in_outbox(self, news: Iterable[News]) -> None:
        """Called when news is on disk: wakes the commands that wait for it."""
        for one in news:
            awaited = self._awaited.get(one.command or "")
            if awaited is not None:
                awaited.saw(one)

    def _caused(self, news: News) -> News:
        if not self._awaited:
            return news
        device = _target(news.sight)
        met = (one for one in self._expected if one.effect.value == news.type and one.fits(device))
        expectation = next(met, None)
        if expectation is not None:
            command = self._expected.pop(expectation)
            self._awaited[command].comes(news)
            return replace(news, command=command)
        above = (path for path in self._going if news.type == REMOVE and device.syspath.startswith(f"{path}/"))
        return replace(news, command=self._going.get(next(above, "")))

    def _paths_of(self, expectations: Collection[Expectation]) -> list[str]:
        """Where the devices are now that are to go or to change."""
        expected = {(one.subsystem, one.kernel_name) for one in expectations if one.effect is not Effect.ADD}
        named = ((sight.subsystem, sight.path.rpartition("/")[2], sight.path) for sight in self._sights.values())
        return [path for subsystem, name, path in named if (subsystem, name) in expected] if expected else []


class _Awaited:
    """The events that one command still waits for."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._coming: set[tuple[str, str]] = set()
        self.produced: list[Produced] = []
        self.all_seen = asyncio.Event()
        self._look()

    def comes(self, news: News) -> None:
        """One of the expected, which is on its way to the outbox."""
        self._coming.add((news.type, news.sight.identity))

    def saw(self, news: News) -> None:
        if (news.type, news.sight.identity) not in self._coming:
            return  # another device's, that went with it
        self._coming.remove((news.type, news.sight.identity))
        self._left -= 1
        if news.type == ADD:
            self.produced.append(Produced(identity=news.sight.identity, name=news.sight.name))
        self._look()

    def _look(self) -> None:
        if self._left <= 0:
            self.all_seen.set()


def _target(sight: Sight) -> Target:
    return Target(
        identity=sight.identity, name=sight.name, syspath=sight.path, subsystem=sight.subsystem, driver=sight.driver()
    )


def _difference(former: Sight, sight: Sight, glance: Glance) -> tuple[str, tuple[str, ...]]:
    """The kind of the change, and the paths that differ: none where another version of this agent told the former one,
    with facts that we do not know."""
    new = sight.survey()
    try:
        old = former.survey()
    except InvalidDocument:
        return "facts", ()
    unknown = glance.unknown | (known_to_one(old, new) if glance.other_source else frozenset())
    return kind_of_change(old, new, unknown), changed_paths(old, new)


def _agree(former: Sight, sight: Sight) -> bool:
    """Whether every fact that both tell is the same, handles apart."""
    try:
        old, new = former.survey(), sight.survey()
    except InvalidDocument:
        return False
    return kind_of_change(old, new, known_to_one(old, new)) != "facts"


def _is_same_hardware(former: Sight, present: Mapping[str, Sight]) -> bool:
    """Whether the device at this path is the one that was there: true unless both were read with own identifiers."""
    now_there = next((sight for sight in present.values() if sight.path == former.path), None)
    if now_there is None:
        return False
    kind = former.identity.split("/")[1] if "/" in former.identity else ""
    kind_now = now_there.identity.split("/")[1] if "/" in now_there.identity else ""
    return kind == "place" or kind_now == "place" or kind != kind_now


def _when(sight: Sight, glance: Glance) -> datetime:
    return glance.hinted.get(sight.path) or now()
