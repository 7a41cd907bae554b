"""The kernel's driver core, played in a tree: what its files do to the links of devices when they are written."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hwcensus.command import Command, IssuedCommand
from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus_agent import modules
from hwcensus_agent.commands.answer import Answer
from hwcensus_agent.commands.binding import Binding
from hwcensus_agent.commands.census_port import Expectation, Target
from hwcensus_agent.commands.executors import drivers, pci_binder
from hwcensus_agent.commands.executors.binder import Binder
from hwcensus_agent.commands.executors.executor import KernelRefused
from hwcensus_agent.commands.inbox import Begun, Intent
from hwcensus_agent.commands.means import Means
from hwcensus_agent.commands.policy import Policy, Rule
from hwcensus_agent.way import Broker, Way
from tests.unit.sysfs_tree import Tree

KAFKA = Broker(address="192.0.2.1", port=9092)


class Killed(BaseException):
    """The agent, at this point."""


class DriverCore:
    """Each write is noted in `orders`: `unbind 0000:00:03.0`."""

    def __init__(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sys = tree.sys
        self._tree = tree
        #: Kernel name → the host's driver for it, where that is loaded.
        self.wants: dict[str, str] = {}
        #: Modalias, or name → the driver that a module brings.
        self.modules: dict[str, str] = {}
        #: Drivers that fail to take anything.
        self.fails: set[str] = set()
        #: Interfaces of which the driver lets go together.
        self.together: dict[str, str] = {}
        self.orders: list[str] = []
        self._left: int | None = None
        for module in (drivers, pci_binder):
            monkeypatch.setattr(module, "write", self.write)
        monkeypatch.setattr(modules, "load", self.load)
        monkeypatch.setattr(modules, "load_for", self.load)

    def write(self, path: str, text: str) -> None:
        self._live_on()
        folder, _, file = path.rpartition("/")
        self.orders.append(f"{file} {text}".strip())
        match file:
            case "driver_override":
                Path(path).write_text(text if text.strip() else "(null)\n")
            case "unbind":
                self._let_go(Path(folder).parent)
            case "drivers_probe":
                self._offer(Path(folder) / "devices" / text)
            case "bind":
                self._take(Path(folder).name, Path(folder).parents[1] / "devices" / text)
        self._live_on()

    def kill_at(self, number: int | None) -> None:
        """Kills the agent before its first write (0), after that (1), before the second (2) …"""
        self._left = number

    def load(self, module: str) -> str | None:
        if module not in self.modules:
            return f"modprobe: FATAL: Module {module} not found"
        (self._sys / "bus/pci/drivers" / self.modules[module]).mkdir(parents=True, exist_ok=True)
        return None

    def _live_on(self) -> None:
        if self._left == 0:
            raise Killed
        self._left = None if self._left is None else self._left - 1

    def _offer(self, device: Path) -> None:
        override = device / "driver_override"
        only = override.read_text().strip() if override.exists() else "(null)"
        driver = self.wants.get(device.name) if only == "(null)" else only
        if driver is not None and driver not in self.fails and not (device / "driver").exists():
            self._take(driver, device)

    def _take(self, driver: str, device: Path) -> None:
        if driver in self.fails or (device / "driver").exists():
            raise KernelRefused(f"{driver}/bind: ENODEV (19): No such device", errno="ENODEV")
        path = device.resolve().relative_to(self._sys)
        self._tree.link(f"{path}/driver", f"bus/{(device / 'subsystem').resolve().name}/drivers/{driver}")

    def _let_go(self, device: Path) -> None:
        if not (device / "driver").exists():
            raise KernelRefused("unbind: ENODEV (19): No such device", errno="ENODEV")
        (device / "driver").unlink()
        sibling = device.parent / self.together.get(device.name, device.name)
        (sibling / "driver").unlink(missing_ok=True)


class FakeWay(Way):
    """The way to Kafka over these devices: by an interface that there is not, so that nothing is given back."""

    def __init__(self, *syspaths: str) -> None:
        super().__init__([], limit=0)
        self._syspaths = syspaths
        self.is_lost = False

    def carriers(self) -> dict[str, Broker]:
        return {"hwcway0": KAFKA} if self._syspaths else {}

    def below(self, syspath: str) -> dict[str, Broker]:
        return self.carriers() if syspath in self._syspaths else {}

    def interfaces(self, syspath: str) -> list[str]:
        return list(self.below(syspath))

    def answering(self) -> list[Broker]:
        return [KAFKA]

    def lost(self, answered: Collection[Broker]) -> list[Broker]:
        return list(answered) if self.is_lost else []


class Census:
    """Has each device with the driver that the tree has it with, at once."""

    def __init__(self, tree: Tree, targets: Iterable[Target]) -> None:
        self._sys, self._targets = tree.sys, list(targets)
        self._expected: Collection[Expectation] = ()

    def find(self, name_or_identity: str) -> Target | None:
        for target in self._targets:
            if name_or_identity in (target.name, target.identity):
                link = self._sys / target.syspath.removeprefix("/sys/") / "driver"
                return replace(target, driver=link.resolve().name if link.exists() else None)
        return None

    def expect(self, command_id: str, expectations: Collection[Expectation]) -> None:
        self._expected = expectations

    async def wait_seen(self, command_id: str, timeout: float, at: str | None) -> tuple[Produced, ...] | None:
        return () if not self._expected else None

    def forget(self, command_id: str) -> None:
        self._expected = ()


class Agent:
    """What carries commands out, with the notes it has on disk."""

    def __init__(self, tree: Tree, binder: Binder, targets: Iterable[Target]) -> None:
        self._notes: list[tuple[IssuedCommand, Intent]] = []
        rule = Rule(class_=binder.binds, actions=("detach", "reattach"))
        means = Means(
            policy=Policy(rules=(rule,)), census=Census(tree, targets), patience=0, note=self._note
        )  # fmt: skip
        self._binding = Binding(means=means, binders={binder.binds: binder})

    def _note(self, command: Command, intent: Intent) -> None:
        assert isinstance(command, IssuedCommand)
        self._notes.append((command, intent))

    async def does(self, command: Command) -> Answer:
        """Raises as the work does."""
        answer = await self._binding.carry_out(command)
        self._notes.clear()
        return answer

    async def starts_again(self) -> list[Answer]:
        """After it was killed."""
        return [await self._binding.settle(Begun(command=command, intent=intent)) for command, intent in self._notes]


def order(type_: str, target: Target, *, force: bool | None = None, driver: str | None = None) -> IssuedCommand:
    return IssuedCommand(
        id="c1", type=type_, expires=now() + timedelta(days=1), identity=target.identity, name=target.name, force=force,
        driver=driver, host="h1", stream="s1", issued=now(), by="alice",
    )  # fmt: skip
