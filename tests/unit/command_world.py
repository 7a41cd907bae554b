"""An agent's side of commands without a kernel: executors that make devices in a dictionary, a spool, and a collector
that signs. Not a test; the real executors are tested in tests/reality."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from hwcensus import document
from hwcensus.command import Command, IssuedCommand
from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus.signature import Signer, key_id
from hwcensus_agent.commands import inbox
from hwcensus_agent.commands.answer import Answer
from hwcensus_agent.commands.census_port import Effect, Expectation, Target
from hwcensus_agent.commands.executors.binder import Moved
from hwcensus_agent.commands.executors.executor import DeviceChanged, Health, NameTaken
from hwcensus_agent.commands.guard import Guard
from hwcensus_agent.commands.policy import Policy, Rule
from hwcensus_agent.commands.runner import Commands
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.transaction import transaction

HOST, STREAM = "host-1", "stream-1"
BRIDGE = "<device><capability type='net'><interface>{}</interface><capability type='bridge'/></capability></device>"
OLD = Target(
    identity="net/place/virtual/net/old0", name="net_old0", syspath="/sys/devices/virtual/net/old0", subsystem="net"
)


@dataclass
class Kernel:
    """Bridges by name, each with the command that made it; and the faults it is to have."""

    bridges: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    driver: str = "e1000e"
    #: Who holds what is there.
    holders: tuple[str, ...] = ()
    #: How what was made fares, at one look after the other.
    healths: list[Health] = field(default_factory=list)
    #: Called between what the kernel does and what the agent notes.
    after: Callable[[], None] = lambda: None


def name_of(command: Command) -> str:
    assert command.device is not None
    return command.device.findtext("capability/interface") or ""


class FakeExecutor:
    """An executor over `Kernel`."""

    creates = "bridge"

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def subject(self, command: Command) -> Subject:
        return Subject(name=name_of(command))

    def check(self, command: Command) -> str:
        if name_of(command) in self._kernel.bridges:
            raise NameTaken
        return "as it was"

    def expected(self, command: Command, mark: str) -> tuple[Expectation, ...]:
        assert mark == "as it was"
        return (Expectation(effect=Effect.ADD, subsystem="net", kernel_name=name_of(command)),)

    def create(self, command: Command) -> None:
        self._kernel.bridges[name_of(command)] = command.id
        self._kernel.made.append(command.id)
        self._kernel.after()

    def health(self, command: Command) -> Health | None:
        return self._kernel.healths.pop(0) if self._kernel.healths else None

    def was_created(self, command: Command, mark: str) -> bool | None:
        return self._kernel.bridges.get(name_of(command)) == command.id

    def undo(self, command: Command, mark: str) -> None:
        if self.was_created(command, mark):
            del self._kernel.bridges[name_of(command)]

    def mark_of(self, target: Target) -> str | None:
        return self._kernel.bridges.get(target.kernel_name) or None

    def subject_of(self, target: Target) -> Subject:
        return Subject(name=target.kernel_name)

    def in_use(self, target: Target) -> tuple[str, ...]:
        return self._kernel.holders

    def destroy(self, target: Target, mark: str) -> None:
        if self._kernel.bridges.pop(target.kernel_name, None) != mark:
            raise DeviceChanged
        self._kernel.after()

    def was_destroyed(self, target: Target, mark: str) -> bool | None:
        return target.kernel_name not in self._kernel.bridges


class FakeBinder:
    """A binder over the same kernel, of the one device that is there."""

    binds = "net"

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def check(self, command: Command, target: Target) -> str:
        return self._kernel.driver

    def in_use(self, command: Command, target: Target) -> tuple[str, ...]:
        return self._kernel.holders

    def expected(self, command: Command, target: Target, mark: str) -> tuple[Expectation, ...]:
        return (
            Expectation(effect=Effect.CHANGE, subsystem="net", kernel_name=target.kernel_name, driver=_driver(command)),
        )

    def bind(self, command: Command, target: Target) -> Moved:
        self._kernel.driver = _driver(command)
        self._kernel.after()
        return Moved(expected=self.expected(command, target, ""), text="with all its firmware")

    def was_bound(self, command: Command, target: Target, mark: str) -> Moved | None:
        is_there = self._kernel.driver == _driver(command)
        return Moved(expected=self.expected(command, target, mark)) if is_there else None

    def undo(self, command: Command, target: Target, mark: str) -> None:
        self._kernel.driver = mark


def _driver(command: Command) -> str:
    return command.driver or "e1000e"


class FakeCensus:
    """Sees what the kernel has, unless it is blind."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.expected: dict[str, tuple[Expectation, ...]] = {}
        self.blind = False

    def expect(self, command_id: str, expectations: Collection[Expectation]) -> None:
        self.expected[command_id] = tuple(expectations)

    async def wait_seen(self, command_id: str, timeout: float, at: str | None) -> tuple[Produced, ...] | None:
        expected = self.expected[command_id]
        if self.blind or not all(self._is_met(one) for one in expected):
            return None
        return tuple(
            Produced(identity=f"net/place/virtual/net/{one.kernel_name}", name=f"net_{one.kernel_name}")
            for one in expected
            if one.effect is Effect.ADD
        )

    def _is_met(self, expected: Expectation) -> bool:
        if expected.effect is Effect.CHANGE:
            return self._kernel.driver == expected.driver
        return (expected.kernel_name in self._kernel.bridges) == (expected.effect is Effect.ADD)

    def forget(self, command_id: str) -> None:
        self.expected.pop(command_id, None)

    def find(self, name_or_identity: str) -> Target | None:
        known = name_or_identity in (OLD.identity, OLD.name) and "old0" in self._kernel.bridges
        return replace(OLD, driver=self._kernel.driver) if known else None


class Agent:
    """One agent over a spool file; made anew over the same file it is the agent after a crash."""

    def __init__(self, spool: Path, kernel: Kernel, keys: dict[str, bytes]) -> None:
        self.connection = sqlite3.connect(spool, isolation_level=None)
        self.connection.execute("PRAGMA synchronous=OFF")  # what dies here are objects, not the machine
        self.connection.executescript(inbox.SCHEMA)
        self.census = FakeCensus(kernel)
        self.answers: list[Answer] = []
        self.resyncs: list[IssuedCommand] = []
        rules = (
            Rule(class_="bridge", actions=("create", "destroy"), names=("hwc*", "old*")),
            Rule(class_="net", actions=("detach", "reattach"), names=("old*",)),
        )
        self.commands = Commands(
            guard=Guard(host=HOST, keys=keys, knows_stream=lambda stream: stream == STREAM),
            policy=Policy(rules=rules, source="policy.toml"),
            executors={"bridge": FakeExecutor(kernel)},
            binders={"net": FakeBinder(kernel)},
            census=self.census,
            transaction=self.transaction,
            report=self.answers.append,
            on_resync=self.resyncs.append,
            patience=0.01,
        )

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.connection)

    async def until_answered(self, command_id: str) -> Answer:
        """Runs until the command's last answer."""
        task = asyncio.create_task(self.commands.run())
        async with asyncio.timeout(10):
            while not (ends := [a for a in self.answers if a.command == command_id and a.state != "accepted"]):
                if task.done():
                    task.result()
                await asyncio.sleep(0)  # the loop's next turn: an executor's thread may have ended
        task.cancel()
        return ends[-1]

    def told(self) -> list[tuple[str, str | None]]:
        return [(answer.state, answer.code) for answer in self.answers]


@dataclass(frozen=True, kw_only=True)
class World:
    """A host with its kernel, its spool, and a collector that signs."""

    spool: Path
    kernel: Kernel
    signer: Signer

    @classmethod
    def within(cls, folder: Path) -> "World":
        bridges = {"old0": "7"}
        return cls(
            spool=folder / "spool.db", kernel=Kernel(bridges=bridges), signer=Signer.load_or_make(folder / "key")
        )

    def agent(self) -> Agent:
        return Agent(self.spool, self.kernel, {key_id(self.signer.public): self.signer.public})

    def send(self, agent: Agent, command: IssuedCommand, **headers: bytes) -> None:
        value = command.to_bytes()
        agent.commands.receive(value, {"host": HOST.encode()} | dict(self.signer.headers(value)) | headers)


def create(name: str = "hwc0", command_id: str = "c1") -> IssuedCommand:
    return IssuedCommand(
        id=command_id,
        host=HOST,
        stream=STREAM,
        type="create",
        issued=now(),
        expires=now() + timedelta(days=1),
        by="alice",
        device=document.parse(BRIDGE.format(name).encode()),
    )


def destroy(identity: str = OLD.identity, name: str = OLD.name) -> IssuedCommand:
    return replace(create(), type="destroy", device=None, identity=identity, name=name)


def detach() -> IssuedCommand:
    return replace(destroy(), type="detach", driver="vfio-pci")
