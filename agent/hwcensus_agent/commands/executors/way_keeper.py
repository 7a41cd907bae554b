"""The way to Kafka over devices that are moved between drivers: asked for before, looked for after, and what their
interfaces had comes back with them."""

import json

from hwcensus.command import Command
from hwcensus_agent.commands.census_port import Expectation, Target
from hwcensus_agent.commands.executors.binder import Binder, Moved
from hwcensus_agent.commands.executors.kept import Before
from hwcensus_agent.way import Way


class WayKeeper:
    """A binder whose work another does."""

    def __init__(self, binder: Binder, way: Way) -> None:
        self.binds = binder.binds
        self._binder, self._way = binder, way

    def check(self, command: Command, target: Target) -> str:
        mark = self._binder.check(command, target)
        return json.dumps([mark, Before.of(self._way, self._way.below(target.syspath)).write()])

    def in_use(self, command: Command, target: Target) -> tuple[str, ...]:
        held = self._binder.in_use(command, target)
        if not held:
            self._way.require_free(self._way.interfaces(target.syspath), force=False)
        return held

    def expected(self, command: Command, target: Target, mark: str) -> tuple[Expectation, ...]:
        return self._binder.expected(command, target, _read(mark)[0])

    def bind(self, command: Command, target: Target) -> Moved:
        brokers = self._way.at_stake(self._way.below(target.syspath))
        moved = self._binder.bind(command, target)
        self._way.require_still(brokers)
        return moved

    def was_bound(self, command: Command, target: Target, mark: str) -> Moved | None:
        inner, before = _read(mark)
        moved = self._binder.was_bound(command, target, inner)
        return None if moved is None or self._way.lost(before.brokers) else moved

    def undo(self, command: Command, target: Target, mark: str) -> None:
        inner, before = _read(mark)
        self._binder.undo(command, target, inner)
        before.give_back()


def _read(mark: str) -> tuple[str, Before]:
    inner, before = json.loads(mark)
    return inner, Before.read(before)
