"""The agent's side of a command without a kernel: what is admitted, taken once, begun, answered, and found after a
crash. The executor here makes devices in a dictionary; the real one is tested in tests/reality."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.command import Command, IssuedCommand
from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus.signature import Signer, key_id
from hwcensus_agent.commands import creation, inbox, means
from hwcensus_agent.commands.answer import Answer
from hwcensus_agent.commands.census_port import Effect, Expectation, Target
from hwcensus_agent.commands.executors.binder import Moved
from hwcensus_agent.commands.executors.executor import DeviceChanged, Health, KernelRefused, NameTaken, Subject
from hwcensus_agent.commands.guard import Guard
from hwcensus_agent.commands.inbox import Intent
from hwcensus_agent.commands.policy import Policy, Rule
from hwcensus_agent.commands.runner import Commands

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

    async def wait_seen(self, command_id: str, timeout: float) -> tuple[Produced, ...] | None:
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

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

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

    def agent(self) -> Agent:
        return Agent(self.spool, self.kernel, {key_id(self.signer.public): self.signer.public})

    def send(self, agent: Agent, command: IssuedCommand, **headers: bytes) -> None:
        value = command.to_bytes()
        agent.commands.receive(value, {"host": HOST.encode()} | dict(self.signer.headers(value)) | headers)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(
        spool=tmp_path / "spool.db", kernel=Kernel(bridges={"old0": "7"}), signer=Signer.load_or_make(tmp_path / "key")
    )


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


async def test_a_create_is_accepted_made_seen_and_succeeds(world: World) -> None:
    agent = world.agent()
    world.send(agent, create())
    answer = await agent.until_answered("c1")
    assert agent.told() == [("accepted", None), ("succeeded", None)]
    assert answer.produced == (Produced(identity="net/place/virtual/net/hwc0", name="net_hwc0"),)
    assert agent.census.expected == {}


async def test_a_destroy_is_done_when_the_device_is_seen_to_be_gone(world: World) -> None:
    agent = world.agent()
    world.send(agent, destroy())
    assert (await agent.until_answered("c1")).state == "succeeded"
    assert "old0" not in world.kernel.bridges


async def test_the_same_command_twice_is_done_once_even_by_the_next_agent(world: World) -> None:
    command = create()
    agent = world.agent()
    world.send(agent, command)
    world.send(agent, command)
    await agent.until_answered("c1")
    later = world.agent()
    world.send(later, command)
    world.send(later, create("hwc9", "c2"))
    await later.until_answered("c2")
    assert world.kernel.made == ["c1", "c2"]
    assert [answer.command for answer in later.answers] == ["c2", "c2"]


async def test_commands_are_carried_out_in_the_order_they_came(world: World) -> None:
    agent = world.agent()
    for n in range(20):
        world.send(agent, create(f"hwc{n}", f"c{n}"))
    await agent.until_answered("c19")
    assert world.kernel.made == [f"c{n}" for n in range(20)]


async def test_an_agent_that_stops_after_taking_a_command_carries_it_out_at_the_next_start(world: World) -> None:
    world.send(world.agent(), create())
    assert (await world.agent().until_answered("c1")).state == "succeeded"
    assert world.kernel.made == ["c1"]


class Crash(BaseException):
    """The agent ends here."""


async def crash(world: World, command: IssuedCommand, *, before_the_kernel: bool = False) -> None:
    """An agent that dies within a command: after its intent is on disk, or after the kernel has done it."""

    def die() -> None:
        raise Crash

    agent = world.agent()
    world.send(agent, command)
    if before_the_kernel:
        with agent.transaction() as connection:
            target = OLD if command.type == "destroy" else None
            inbox.begin(
                connection, command.id, Intent(executor="bridge", target=target, mark="7" if target else "as it was")
            )
        return
    world.kernel.after = die
    with pytest.raises(Crash):
        await agent.until_answered(command.id)
    world.kernel.after = lambda: None


@pytest.mark.parametrize("command", [create(), destroy()])
async def test_work_that_was_done_when_the_agent_died_succeeds_and_is_not_done_again(
    world: World, command: IssuedCommand
) -> None:
    await crash(world, command)
    agent = world.agent()
    agent.commands.expect_begun()
    assert list(agent.census.expected) == ["c1"]
    assert (await agent.until_answered("c1")).state == "succeeded"
    assert world.kernel.made == (["c1"] if command.type == "create" else [])


@pytest.mark.parametrize("command", [create(), destroy()])
async def test_work_that_was_not_done_when_the_agent_died_fails_and_is_not_tried_again(
    world: World, command: IssuedCommand
) -> None:
    await crash(world, command, before_the_kernel=True)
    agent = world.agent()
    agent.commands.expect_begun()
    answer = await agent.until_answered("c1")
    assert (answer.state, answer.code) == ("failed", "interrupted")
    assert world.kernel.made == []
    assert "old0" in world.kernel.bridges


async def test_begun_work_is_finished_even_past_its_deadline(world: World) -> None:
    soon = replace(create(), expires=now() + timedelta(milliseconds=200))
    await crash(world, soon)
    agent = world.agent()
    agent.commands.expect_begun()
    assert (await agent.until_answered("c1")).state == "succeeded"


async def test_what_the_census_does_not_see_in_time_is_undone(world: World) -> None:
    agent = world.agent()
    agent.census.blind = True
    world.send(agent, create())
    answer = await agent.until_answered("c1")
    assert (answer.state, answer.code) == ("failed", "not-seen")
    assert "hwc0" not in world.kernel.bridges


async def test_how_the_new_device_fares_is_told(world: World) -> None:
    world.kernel.healths = [Health(text="port Linkdown", is_online=False)]
    agent = world.agent()
    world.send(agent, create())
    answer = await agent.until_answered("c1")
    assert (answer.state, answer.text) == ("succeeded", "port Linkdown")


async def test_a_device_that_has_to_come_online_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "LOOK_S", 0)
    world.kernel.healths = [Health(text="port Linkdown", is_online=False), Health(text="port Online", is_online=True)]
    agent = world.agent()
    world.send(agent, replace(create(), require="online"))
    answer = await agent.until_answered("c1")
    assert (answer.state, answer.text) == ("succeeded", "port Online")


async def test_a_device_that_does_not_come_online_in_time_is_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "ONLINE_S", 0)
    world.kernel.healths = [Health(text="port Linkdown", is_online=False)]
    agent = world.agent()
    world.send(agent, replace(create(), require="online"))
    answer = await agent.until_answered("c1")
    assert (answer.state, answer.code) == ("failed", "not-online")
    assert "port Linkdown" in (answer.text or "")
    assert "hwc0" not in world.kernel.bridges


async def test_what_cannot_be_undone_is_not_told_as_if_it_were(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise KernelRefused("EBUSY (16): Device or resource busy")

    monkeypatch.setattr(FakeExecutor, "undo", refuse)
    agent = world.agent()
    agent.census.blind = True
    world.send(agent, create())
    answer = await agent.until_answered("c1")
    assert (answer.state, answer.code) == ("failed", "not-undone")
    assert "did not come into the census" in (answer.text or "")
    assert "EBUSY" in (answer.text or "")


async def test_what_is_in_use_is_taken_away_only_by_force(world: World) -> None:
    world.kernel.holders = ("/dev/sdb is mounted at /data", "/dev/sdc is held by dm-3")
    agent = world.agent()
    world.send(agent, destroy())
    answer = await agent.until_answered("c1")
    assert (answer.code, answer.text) == ("in-use", "/dev/sdb is mounted at /data; /dev/sdc is held by dm-3")
    assert "old0" in world.kernel.bridges
    world.send(agent, replace(destroy(), id="c2", force=True))
    assert (await agent.until_answered("c2")).state == "succeeded"


def detach() -> IssuedCommand:
    return replace(destroy(), type="detach", driver="vfio-pci")


async def test_a_detached_device_has_the_new_driver_and_a_reattached_one_the_old(world: World) -> None:
    agent = world.agent()
    world.send(agent, detach())
    answer = await agent.until_answered("c1")
    assert (answer.state, answer.text) == ("succeeded", "with all its firmware")
    assert world.kernel.driver == "vfio-pci"
    world.send(agent, replace(destroy(), id="c2", type="reattach"))
    assert (await agent.until_answered("c2")).state == "succeeded"
    assert world.kernel.driver == "e1000e"


async def test_a_device_in_use_is_detached_only_by_force(world: World) -> None:
    world.kernel.holders = ("eth0 carries the way to Kafka",)
    agent = world.agent()
    world.send(agent, detach())
    assert (await agent.until_answered("c1")).code == "in-use"
    assert world.kernel.driver == "e1000e"


async def test_a_detach_that_fails_or_is_not_seen_is_undone(world: World) -> None:
    def mistake() -> None:
        world.kernel.after = lambda: None
        raise ZeroDivisionError

    agent = world.agent()
    world.kernel.after = mistake
    world.send(agent, detach())
    assert (await agent.until_answered("c1")).code == "agent-error"
    assert world.kernel.driver == "e1000e"
    agent.census.blind = True
    world.send(agent, replace(detach(), id="c2"))
    assert (await agent.until_answered("c2")).code == "not-seen"
    assert world.kernel.driver == "e1000e"


@pytest.mark.parametrize("driver, state", [("vfio-pci", "succeeded"), ("", "failed")])
async def test_after_a_crash_a_detach_is_either_done_or_given_back(world: World, driver: str, state: str) -> None:
    agent = world.agent()
    world.send(agent, detach())
    with agent.transaction() as connection:
        inbox.begin(connection, "c1", Intent(executor="net", target=OLD, mark="e1000e"))
    world.kernel.driver = driver
    agent = world.agent()
    agent.commands.expect_begun()
    assert (await agent.until_answered("c1")).state == state
    assert world.kernel.driver == (driver or "e1000e")


async def test_an_executors_mistake_fails_its_command_undoes_it_and_the_next_one_goes_on(world: World) -> None:
    def mistake() -> None:
        world.kernel.after = lambda: None
        raise ZeroDivisionError

    agent = world.agent()
    world.kernel.after = mistake
    world.send(agent, create("hwc0", "c1"))
    world.send(agent, create("hwc1", "c2"))
    await agent.until_answered("c2")
    assert agent.told()[2:] == [("failed", "agent-error"), ("succeeded", None)]
    assert "hwc0" not in world.kernel.bridges


@pytest.mark.parametrize(
    "command, code",
    [
        (create("br0"), "not-allowed"),
        (replace(create(), persistent=True), "not-persistent"),
        (create("old0"), "name-taken"),
        (create("hwc0-is-far-too-long"), "name-too-long"),
        (destroy(identity="net/place/virtual/net/hwc7"), "device-changed"),
        (destroy(name="net_hwc0"), "device-changed"),
        (destroy(identity=OLD.name), "device-changed"),
    ],
)
async def test_what_only_the_host_knows_fails_with_its_code_and_changes_nothing(
    world: World, command: IssuedCommand, code: str
) -> None:
    agent = world.agent()
    world.send(agent, command)
    answer = await agent.until_answered("c1")
    assert (answer.state, answer.code) == ("failed", code)
    assert answer.text
    assert (world.kernel.bridges, world.kernel.made) == ({"old0": "7"}, [])


async def test_a_device_that_no_executor_made_is_not_destroyed(world: World) -> None:
    world.kernel.bridges["old0"] = ""
    agent = world.agent()
    world.send(agent, destroy())
    assert (await agent.until_answered("c1")).code == "not-allowed"
    assert "old0" in world.kernel.bridges


@pytest.mark.parametrize(
    "command, state, code",
    [
        (replace(create(), expires=now() - timedelta(seconds=1)), "expired", "expired"),
        (replace(create(), stream="another"), "failed", "wrong-stream"),
    ],
)
async def test_what_came_too_late_or_for_another_life_is_refused_at_once(
    world: World, command: IssuedCommand, state: str, code: str
) -> None:
    agent = world.agent()
    world.send(agent, command)
    assert agent.told() == [(state, code)]


async def test_a_command_whose_turn_comes_after_its_deadline_expires(world: World) -> None:
    agent = world.agent()
    world.send(agent, create())
    late = replace(create(), expires=now() - timedelta(seconds=1))
    agent.connection.execute("UPDATE inbox SET body = ?", (late.to_bytes(),))
    assert (await agent.until_answered("c1")).state == "expired"
    assert world.kernel.made == []


async def test_a_command_whose_deadline_passes_while_the_host_is_looked_at_expires_and_nothing_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = world.agent()
    world.send(agent, create())
    monkeypatch.setattr(means, "now", lambda: now() + timedelta(days=2))  # so long did the look take
    answer = await agent.until_answered("c1")
    assert (answer.state, answer.code, world.kernel.made) == ("expired", "expired", [])


async def test_a_mark_that_cannot_be_read_at_the_start_fails_its_command_and_the_next_one_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistake(executor: FakeExecutor, command: Command, mark: str) -> tuple[Expectation, ...]:
        if command.id == "c1":
            raise ZeroDivisionError
        return ()

    await crash(world, create())
    monkeypatch.setattr(FakeExecutor, "expected", mistake)
    again = world.agent()
    again.commands.expect_begun()
    assert [record.message for record in caplog.records] == ["what was begun cannot be expected"]
    world.send(again, create("hwc1", "c2"))
    await again.until_answered("c2")
    ended = [(answer.command, answer.state, answer.code) for answer in again.answers if answer.state != "accepted"]
    assert ended == [("c1", "failed", "agent-error"), ("c2", "succeeded", None)]


@pytest.mark.parametrize(
    "noted",
    [
        {"body": '<command format="9"/>'},
        {"intent": "{}", "state": "begun"},
        {"intent": '{"target": {}}', "state": "begun"},
        {"intent": '{"executor": "bridge", "target": null, "mark": "of another kind"}', "state": "begun"},
    ],
)
async def test_what_another_version_of_the_agent_noted_stops_nobody(world: World, noted: dict[str, str]) -> None:
    agent = world.agent()
    world.send(agent, create())
    for column, text in noted.items():
        agent.connection.execute(f"UPDATE inbox SET {column} = ?", (text,))  # noqa: S608
    again = world.agent()
    again.commands.expect_begun()
    world.send(again, create("hwc1", "c2"))
    assert (await again.until_answered("c2")).state == "succeeded"
    ended = [(answer.state, answer.code) for answer in again.answers if answer.command == "c1"]
    assert (ended, world.kernel.made) == ([("failed", "interrupted")], ["c2"])


async def test_a_changed_byte_is_refused_and_the_id_is_spent(world: World) -> None:
    agent = world.agent()
    value = create().to_bytes()
    headers = {"host": HOST.encode()} | dict(world.signer.headers(value))
    agent.commands.receive(value.replace(b"hwc0", b"hwc1"), headers)
    agent.commands.receive(value, headers)
    assert agent.told() == [("failed", "bad-signature")]


async def test_a_forged_copy_of_a_command_that_was_taken_changes_nothing(world: World) -> None:
    agent = world.agent()
    world.send(agent, create())
    agent.commands.receive(create("hwc1").to_bytes(), {"host": HOST.encode()})
    await agent.until_answered("c1")
    assert agent.told() == [("accepted", None), ("succeeded", None)]


async def test_an_agent_without_keys_obeys_nobody(world: World) -> None:
    agent = Agent(world.spool, world.kernel, {})
    world.send(agent, create())
    assert agent.told() == [("failed", "no-keys")]


async def test_another_hosts_command_is_not_even_parsed(world: World) -> None:
    agent = world.agent()
    agent.commands.receive(b"<not-xml", {"host": b"another"})
    world.send(agent, create(), host=b"another")
    assert agent.told() == []


async def test_what_names_no_host_is_nobodys(world: World) -> None:
    agent, value = world.agent(), create().to_bytes()
    agent.commands.receive(value, dict(world.signer.headers(value)))
    agent.commands.receive(b"<not-xml", {})
    assert agent.told() == []


async def test_another_hosts_command_that_is_sent_to_us_is_refused(world: World) -> None:
    agent = world.agent()
    world.send(agent, replace(create(), host="another"))
    assert agent.told() == [("failed", "wrong-host")]
    assert world.kernel.made == []


async def test_a_command_by_a_key_that_is_not_pinned_is_refused_by_another_name_than_a_bad_signature(
    world: World, tmp_path: Path
) -> None:
    agent, value = world.agent(), create().to_bytes()
    other = Signer.load_or_make(tmp_path / "other")
    agent.commands.receive(value, {"host": HOST.encode()} | dict(other.headers(value)))
    assert agent.told() == [("failed", "unknown-key")]
    assert other.key_id in (agent.answers[0].text or "")


async def test_what_is_replayed_after_its_end_is_told_once_and_not_done(world: World) -> None:
    agent, value = world.agent(), create().to_bytes()
    headers = {"host": HOST.encode()} | dict(world.signer.headers(value))
    for _ in range(2):  # the second while the first is under way: as a relay does that did not hear Kafka's answer
        agent.commands.receive(value, headers, fresh=True)
    await agent.until_answered("c1")
    assert agent.told() == [("accepted", None), ("succeeded", None)]
    for _ in range(2):
        agent.commands.receive(value, headers, fresh=True)
    assert agent.told()[2:] == [("failed", "replayed")]
    assert world.kernel.made == ["c1"]
    later = world.agent()
    later.commands.receive(value, headers)  # read again from where every agent begins
    assert later.told() == []


async def test_a_forged_copy_of_a_command_that_has_ended_is_told_with_its_own_code(world: World) -> None:
    agent = world.agent()
    world.send(agent, create())
    await agent.until_answered("c1")
    agent.commands.receive(create("hwc1").to_bytes(), {"host": HOST.encode()}, fresh=True)
    assert agent.told()[2:] == [("failed", "bad-signature")]
    assert world.kernel.made == ["c1"]


@pytest.mark.parametrize("value", [b"", b"<not-xml", b"<command/>", b"<!DOCTYPE x><command id='c9'/>", b"\xff\xfe"])
async def test_a_record_that_is_no_command_is_dropped(world: World, value: bytes) -> None:
    agent = world.agent()
    agent.commands.receive(value, {"host": HOST.encode()} | dict(world.signer.headers(value)))
    assert agent.told() == []


async def test_a_command_of_a_later_format_is_refused_by_name(world: World) -> None:
    agent = world.agent()
    value = create().to_bytes().replace(b'format="1"', b'format="2"')
    agent.commands.receive(value, {"host": HOST.encode()} | dict(world.signer.headers(value)))
    assert agent.told() == [("failed", "unknown-format")]


async def test_a_resync_needs_no_known_stream_is_passed_on_once_and_not_answered(world: World) -> None:
    agent = world.agent()
    resync = replace(create(), type="resync", device=None, want="manifest", stream="none")
    for _ in range(2):
        world.send(agent, resync)
    assert [(command.id, command.want) for command in agent.resyncs] == [("c1", "manifest")]
    assert agent.told() == []
    late = replace(resync, id="c2", expires=now() - timedelta(seconds=1))
    world.send(agent, late)
    assert len(agent.resyncs) == 1


async def test_a_ping_is_answered(world: World) -> None:
    agent = world.agent()
    world.send(agent, replace(create(), type="ping", device=None))
    assert (await agent.until_answered("c1")).state == "succeeded"


def test_finished_commands_are_forgotten_when_nobody_can_send_them_again(world: World) -> None:
    agent = world.agent()
    with agent.transaction() as connection:
        for command_id, state in (("done", inbox.DONE), ("begun", inbox.BEGUN)):
            inbox.take(connection, command_id, b"", now() - inbox.KEPT - timedelta(days=1), state=state)
        inbox.take(connection, "new", b"", now(), state=inbox.DONE)
        assert inbox.forget_old(connection, now()) == 1
    assert agent.connection.execute("SELECT id FROM inbox ORDER BY id").fetchall() == [("begun",), ("new",)]


@pytest.mark.parametrize("claimed", ["", " ", "two words", "x" * 65])
async def test_a_refusal_that_no_result_could_carry_is_not_told(world: World, claimed: str) -> None:
    agent = world.agent()
    agent.commands.receive(f'<command id="{claimed}"/>'.encode(), {"host": HOST.encode()})
    assert agent.told() == []


async def test_of_what_was_refused_only_the_id_is_kept(world: World) -> None:
    agent = world.agent()
    agent.commands.receive(b'<command id="c1">' + b" " * 100_000 + b"</command>", {"host": HOST.encode()})
    assert agent.told() == [("failed", "bad-signature")]
    assert agent.connection.execute("SELECT length(body) FROM inbox").fetchall() == [(0,)]
