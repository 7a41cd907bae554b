"""How many virtual functions a PCI function has (SR-IOV), by `sriov_numvfs`: none, or so many as are ordered.

The kernel knows only these two ways, none to some and some to none. A driver may reset its card for either.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from hwcensus.command import Command
from hwcensus.creatable.virt_functions import wanted
from hwcensus.errors import Refused
from hwcensus_agent.commands.census_port import Effect, Expectation, Target
from hwcensus_agent.commands.executors.executor import DeviceChanged, Health, InUse, KernelRefused
from hwcensus_agent.commands.executors.kept import Before
from hwcensus_agent.commands.executors.pci_holders import function_holders
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.sriov import PciFunction
from hwcensus_agent.way import Way

_PCI = "pci"


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """How many there were, which functions come or go, and what those have that carry the way to Kafka."""

    number: int
    functions: tuple[str, ...]
    before: Before = Before()

    @classmethod
    def read(cls, mark: str) -> Self:
        noted = json.loads(mark)
        return cls(number=noted["number"], functions=tuple(noted["functions"]), before=Before.read(noted["before"]))

    def write(self) -> str:
        noted = {"number": self.number, "functions": self.functions, "before": self.before.write()}
        return json.dumps(noted, separators=(",", ":"))


class VirtFunctionsExecutor:
    """Sets the number. None of the functions goes alone, so that it destroys nothing."""

    creates = "virt_functions"

    def __init__(self, way: Way, sysroot: str) -> None:
        self._way, self._sysroot = way, sysroot

    def subject(self, command: Command) -> Subject:
        found = self._find(command)
        return Subject(name=_parent(command) if found is None else found.address)

    def check(self, command: Command) -> str:
        function, number = self._function(command), _wanted(command)
        total, present = function.total, function.present
        if total == 0:
            raise Refused(f"{function.address} has no SR-IOV, or its driver offers none", code="no-sriov")
        if number > total:
            raise Refused(f"{function.address} takes 0 to {total} virtual functions, not {number}", code="bad-vf-count")
        if number and present and number != present:
            raise Refused(
                f"{function.address} has {present} virtual functions, and the kernel changes no number but by way of"
                f" none: order 0, then {number}",
                code="vfs-in-use",
            )
        self._require_free(function, going=present > number, force=command.force)
        functions = _changing(function, present, number)
        before = Before.of(self._way, self._carriers(function))
        return _Mark(number=present, functions=tuple(functions), before=before).write()

    def expected(self, command: Command, mark: str) -> tuple[Expectation, ...]:
        effect = Effect.ADD if _wanted(command) else Effect.REMOVE
        functions = _Mark.read(mark).functions
        return tuple(Expectation(effect=effect, subsystem=_PCI, kernel_name=address) for address in functions)

    def create(self, command: Command) -> None:
        function, number = self._function(command), _wanted(command)
        if function.present == number:
            return
        brokers = self._way.at_stake(self._carriers(function))
        _set(function, number)
        self._way.require_still(brokers)

    def health(self, command: Command) -> Health | None:
        function = self._find(command)
        if function is None:
            return None
        return Health(text=f"{function.present} of {function.total} virtual functions", is_online=True)

    def was_created(self, command: Command, mark: str) -> bool | None:
        function = self._find(command)
        if function is None:
            return None
        return function.present == _wanted(command) and not self._way.lost(_Mark.read(mark).before.brokers)

    def undo(self, command: Command, mark: str) -> None:
        function, noted = self._find(command), _Mark.read(mark)
        # Any other number is somebody else's.
        if function is None or function.present == noted.number or function.present not in (0, _wanted(command)):
            return
        if function.present:
            _set(function, 0)
        if noted.number:
            _set(function, noted.number)
        noted.before.give_back()

    def mark_of(self, target: Target) -> str | None:
        """Raises Refused for a virtual function."""
        found = None if target.subsystem != _PCI else self._named(target.name)
        if found is not None and found.is_virtual:
            text = f"{target.name} does not go alone: order 0 virtual functions, and all of its physical one's go"
            raise Refused(text, code="virtual-function")
        return None

    def subject_of(self, target: Target) -> Subject:
        return Subject(name=target.kernel_name)

    def in_use(self, target: Target) -> tuple[str, ...]:
        return ()

    def destroy(self, target: Target, mark: str) -> None:
        raise DeviceChanged(f"{target.name} is nothing that is destroyed")

    def was_destroyed(self, target: Target, mark: str) -> bool | None:
        return None

    def _named(self, name: str) -> PciFunction | None:
        return PciFunction.named(name, self._sysroot)

    def _find(self, command: Command) -> PciFunction | None:
        return self._named(_parent(command))

    def _function(self, command: Command) -> PciFunction:
        found = self._find(command)
        if found is None:
            raise Refused(f"there is no {_parent(command)} here", code="parent-unknown")
        return found

    def _require_free(self, function: PciFunction, *, going: bool, force: bool | None) -> None:
        """Raises CarriesKafka, InUse unless forced."""
        leaving = function.functions() if going else {}
        for folder in (function.folder, *leaving.values()):
            self._way.require_free(self._way.interfaces(folder), force=force)
        held = [] if force else [one for folder in leaving.values() for one in self._holders(folder)]
        if held:
            raise InUse("; ".join(dict.fromkeys(held)))  # a group may have several

    def _holders(self, folder: str) -> tuple[str, ...]:
        root = os.path.realpath(self._sysroot)
        return function_holders(root, f"/sys{folder.removeprefix(root)}")

    def _carriers(self, function: PciFunction) -> list[str]:
        """Interfaces of the function, and of its virtual ones, that carry the way."""
        folders = (function.folder, *function.functions().values())
        return [name for folder in folders for name in self._way.below(folder)]


def _changing(function: PciFunction, present: int, number: int) -> Sequence[str]:
    """The addresses of those that come or go."""
    if number == present:
        return ()
    if number == 0:
        return list(function.functions())
    places = function.places(number)
    if places is None:
        raise Refused("this kernel does not tell where virtual functions will be", code="no-sriov")
    return places


def _set(function: PciFunction, number: int) -> None:
    try:
        function.set_number(number)
    except OSError as error:
        raise KernelRefused.by(error, f"sriov_numvfs of {function.address}, {number}") from error


def _parent(command: Command) -> str:
    return (None if command.device is None else command.device.findtext("parent")) or ""


def _wanted(command: Command) -> int:
    return 0 if command.device is None else wanted(command.device)
