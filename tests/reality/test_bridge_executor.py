"""Bridges made and deleted by command in a real kernel, in a private network namespace; and what a crash leaves."""

import asyncio
import os
import signal
import sqlite3
import subprocess
from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.command import Command, IssuedCommand
from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus.names import device_name
from hwcensus.signature import Signer, key_id
from hwcensus_agent.commands import inbox
from hwcensus_agent.commands.answer import Answer
from hwcensus_agent.commands.census_port import Effect, Expectation, Target
from hwcensus_agent.commands.executors.bridge import BridgeExecutor
from hwcensus_agent.commands.executors.executor import DeviceChanged, KernelRefused, NameTaken
from hwcensus_agent.commands.guard import Guard
from hwcensus_agent.commands.policy import Policy, Rule
from hwcensus_agent.commands.runner import Commands
from hwcensus_agent.rtnetlink import Link, RouteSocket
from hwcensus_agent.transaction import transaction
from hwcensus_agent.way import Way
from tests.reality.test_sources_namespace import in_namespace

HOST, STREAM = "host-1", "stream-1"
WAY = Way([])
#: A bridge changes nothing that was there before.
MARK = ""
LIMIT = 20.0


def create(name: str = "hwc0", command_id: str = "0192e7aa") -> IssuedCommand:
    creation = (
        f"<device><capability type='net'><interface>{name}</interface><capability type='bridge'/></capability></device>"
    )
    return IssuedCommand(
        id=command_id, host=HOST, stream=STREAM, type="create", issued=now(), expires=now() + timedelta(days=1),
        by="alice", device=document.parse(creation.encode()),
    )  # fmt: skip


def destroy(name: str = "hwc0", command_id: str = "0192e7bb") -> IssuedCommand:
    return IssuedCommand(
        id=command_id, host=HOST, stream=STREAM, type="destroy", issued=now(), expires=now() + timedelta(days=1),
        by="alice", identity=f"net/place/virtual/net/{name}", name=device_name("net", name),
    )  # fmt: skip


def target(name: str) -> Target:
    return Target(
        identity=f"net/place/virtual/net/{name}",
        name=device_name("net", name),
        syspath=f"/sys/devices/virtual/net/{name}",
        subsystem="net",
    )


def link(name: str) -> Link | None:
    with RouteSocket() as route:
        return route.link_by_name(name)


def ip(arguments: str) -> None:
    subprocess.run(["ip", "link", *arguments.split()], check=True)


def marked(executor: BridgeExecutor, name: str) -> str:
    mark = executor.mark_of(target(name))
    assert mark is not None
    return mark


@in_namespace
def test_a_bridge_is_made_known_again_and_deleted() -> None:
    executor, command = BridgeExecutor(WAY), create()
    assert executor.was_created(command, MARK) is False
    assert executor.check(command) == MARK
    executor.create(command)
    made = link("hwc0")
    assert made is not None
    assert (made.kind, made.alias, made.group, made.up) == ("bridge", "hwcensus 0192e7aa", 0, False)
    assert executor.was_created(command, MARK) is True
    mark = marked(executor, "hwc0")
    assert executor.was_destroyed(target("hwc0"), mark) is False
    executor.destroy(target("hwc0"), mark)
    assert link("hwc0") is None
    assert executor.was_destroyed(target("hwc0"), mark) is True


@in_namespace
def test_a_taken_name_is_refused_before_and_by_the_kernel_and_its_owner_stays() -> None:
    ip("add hwc0 type ifb")
    executor = BridgeExecutor(WAY)
    for attempt in (executor.check, executor.create):
        with pytest.raises(NameTaken, match="ifb interface called hwc0"):
            attempt(create())
    found = link("hwc0")
    assert found is not None
    assert (found.kind, found.alias) == ("ifb", None)


@in_namespace
def test_anothers_bridge_of_the_same_name_is_not_taken_for_ours_nor_undone() -> None:
    ip("add hwc0 type bridge")
    executor = BridgeExecutor(WAY)
    assert executor.was_created(create(), MARK) is False
    executor.undo(create(), MARK)
    assert link("hwc0") is not None


@in_namespace
def test_what_is_not_a_bridge_has_no_mark() -> None:
    ip("add hwc0 type ifb")
    executor = BridgeExecutor(WAY)
    assert executor.mark_of(target("hwc0")) is None
    assert executor.mark_of(target("lo")) is None
    assert executor.mark_of(target("hwc9")) is None


@in_namespace
def test_a_bridge_that_was_made_anew_meanwhile_is_not_deleted() -> None:
    ip("add hwc0 type bridge")
    executor = BridgeExecutor(WAY)
    mark = marked(executor, "hwc0")
    ip("del hwc0")
    ip("add hwc0 type bridge")
    with pytest.raises(DeviceChanged):
        executor.destroy(target("hwc0"), mark)
    assert executor.was_destroyed(target("hwc0"), mark) is None
    assert link("hwc0") is not None


@in_namespace
def test_an_agent_without_rights_says_how_to_get_them() -> None:
    os.setresuid(65534, 65534, 65534)
    with pytest.raises(KernelRefused, match=r"EPERM \(1\): Operation not permitted; .* run it as root"):
        BridgeExecutor(WAY).create(create())


@in_namespace
def test_the_kernels_refusal_is_told_in_its_own_words() -> None:
    executor = BridgeExecutor(WAY)
    with pytest.raises(KernelRefused, match=r"EINVAL \(22\): Invalid argument"):
        executor.create(create("a/b"))


class LinkCensus:
    """A census of nothing but links, which it asks the kernel for."""

    def __init__(self) -> None:
        self.expected: dict[str, tuple[Expectation, ...]] = {}

    def expect(self, command_id: str, expectations: Collection[Expectation]) -> None:
        self.expected[command_id] = tuple(expectations)

    async def wait_seen(self, command_id: str, timeout: float, at: str | None) -> tuple[Produced, ...] | None:
        produced = []
        for expected in self.expected[command_id]:
            assert expected.kernel_name is not None
            there = link(expected.kernel_name) is not None
            if there != (expected.effect is Effect.ADD):
                return None
            if there:
                found = target(expected.kernel_name)
                produced.append(Produced(identity=found.identity, name=found.name))
        return tuple(produced)

    def forget(self, command_id: str) -> None:
        self.expected.pop(command_id, None)

    def find(self, name_or_identity: str) -> Target | None:
        with RouteSocket() as route:
            found = [target(one.name) for one in route.dump_links()]
        return next((one for one in found if name_or_identity in (one.name, one.identity)), None)


class Agent:
    """One agent's commands over a spool file in `folder`, with a signing collector beside it."""

    def __init__(self, folder: Path, executor: BridgeExecutor | None = None) -> None:
        self.signer = Signer.load_or_make(folder / "key")
        self.connection = sqlite3.connect(folder / "spool.db", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.executescript(inbox.SCHEMA)
        self.answers: list[Answer] = []
        self.answered = asyncio.Event()
        rule = Rule(class_="bridge", actions=("create", "destroy"), names=("hwc*",), lowers=("i*", "v0", "lo"))
        self.commands = Commands(
            guard=Guard(host=HOST, keys={key_id(self.signer.public): self.signer.public}, knows_stream=STREAM.__eq__),
            policy=Policy(rules=(rule,), source="policy.toml"),
            executors={"bridge": executor or BridgeExecutor(WAY)},
            binders={},
            census=LinkCensus(),
            transaction=self.transaction,
            report=self.report,
            on_resync=lambda _: None,
        )

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.connection)

    def report(self, answer: Answer) -> None:
        self.answers.append(answer)
        if answer.state != "accepted":
            self.answered.set()

    def receive(self, command: IssuedCommand) -> None:
        value = command.to_bytes()
        self.commands.receive(value, {"host": HOST.encode()} | dict(self.signer.headers(value)))


def answer_of(folder: Path, command: IssuedCommand | None = None, executor: BridgeExecutor | None = None) -> Answer:
    """Starts an agent, gives it a command, and stops it when one is answered."""

    async def run() -> Answer:
        agent = Agent(folder, executor)
        agent.commands.expect_begun()
        if command is not None:
            agent.receive(command)
        work = asyncio.create_task(agent.commands.run())
        await asyncio.wait_for(agent.answered.wait(), LIMIT)
        work.cancel()
        return agent.answers[-1]

    return asyncio.run(run())


@in_namespace
def test_commands_make_and_delete_a_bridge_from_bytes_to_answer(tmp_path: Path) -> None:
    made = answer_of(tmp_path, create())
    assert (made.state, made.produced) == (
        "succeeded",
        (Produced(identity="net/place/virtual/net/hwc0", name="net_hwc0"),),
    )
    assert link("hwc0") is not None
    assert answer_of(tmp_path, destroy()).state == "succeeded"
    assert link("hwc0") is None


@in_namespace
def test_the_hosts_refusals_leave_the_host_as_it_was(tmp_path: Path) -> None:
    ip("add hwc1 type ifb")
    ip("add br0 type bridge")
    assert answer_of(tmp_path, create("hwc1", "c1")).code == "name-taken"
    assert answer_of(tmp_path, create("br7", "c2")).code == "not-allowed"
    assert answer_of(tmp_path, destroy("br0", "c3")).code == "not-allowed"
    not_a_bridge = answer_of(tmp_path, destroy("hwc1", "c4"))
    assert (not_a_bridge.code, not_a_bridge.text) == ("not-allowed", "net_hwc1 is none of bridge, so it stays")
    assert answer_of(tmp_path, destroy("hwc9", "c5")).code == "device-changed"
    with RouteSocket() as route:
        assert sorted(one.name for one in route.dump_links()) == ["br0", "hwc1", "lo"]


class Fatal(BridgeExecutor):
    """Kills its process where it is told to: before the kernel is asked, or when the kernel has done it."""

    def __init__(self, *, after: bool) -> None:
        super().__init__(WAY)
        self._after = after

    def create(self, command: Command) -> None:
        if self._after:
            super().create(command)
        os.kill(os.getpid(), signal.SIGKILL)

    def destroy(self, target: Target, mark: str) -> None:
        if self._after:
            super().destroy(target, mark)
        os.kill(os.getpid(), signal.SIGKILL)


def die_within(folder: Path, command: IssuedCommand, executor: BridgeExecutor) -> None:
    """An agent in a process of its own, which its executor kills."""
    child = os.fork()
    if child == 0:
        try:
            answer_of(folder, command, executor)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@in_namespace
def test_an_agent_killed_after_the_kernel_made_the_bridge_finds_it_and_makes_no_second_one(tmp_path: Path) -> None:
    die_within(tmp_path, create(), Fatal(after=True))
    before = link("hwc0")
    assert answer_of(tmp_path).state == "succeeded"
    assert link("hwc0") == before


@in_namespace
def test_an_agent_killed_before_it_asked_the_kernel_fails_the_command_and_makes_nothing(tmp_path: Path) -> None:
    die_within(tmp_path, create(), Fatal(after=False))
    answer = answer_of(tmp_path)
    assert (answer.state, answer.code) == ("failed", "interrupted")
    assert link("hwc0") is None


@in_namespace
def test_after_a_crash_a_bridge_that_somebody_else_made_is_not_claimed(tmp_path: Path) -> None:
    die_within(tmp_path, create(), Fatal(after=False))
    ip("add hwc0 type bridge")
    assert answer_of(tmp_path).code == "interrupted"
    assert link("hwc0") is not None


@in_namespace
def test_an_agent_killed_after_the_kernel_deleted_the_bridge_tells_that_it_is_gone(tmp_path: Path) -> None:
    ip("add hwc0 type bridge")
    die_within(tmp_path, destroy(), Fatal(after=True))
    assert answer_of(tmp_path).state == "succeeded"


@in_namespace
def test_after_a_crash_within_a_destroy_a_bridge_that_is_still_there_stays(tmp_path: Path) -> None:
    ip("add hwc0 type bridge")
    die_within(tmp_path, destroy(), Fatal(after=False))
    assert answer_of(tmp_path).code == "interrupted"
    assert link("hwc0") is not None
