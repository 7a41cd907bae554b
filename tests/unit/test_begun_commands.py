"""What became of commands that an agent had taken or begun when it stopped: found out by the next one."""

from datetime import timedelta
from pathlib import Path

import pytest

from hwcensus.command import Command, IssuedCommand
from hwcensus_agent.commands import creation, inbox, means, runner
from hwcensus_agent.commands.census_port import Expectation
from hwcensus_agent.commands.inbox import Intent
from hwcensus_agent.sysfs import Unreadable
from tests.unit.command_world import OLD, FakeBinder, FakeExecutor, World, create, destroy, detach


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.within(tmp_path)


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


async def test_an_agent_that_stops_after_taking_a_command_carries_it_out_at_the_next_start(world: World) -> None:
    world.send(world.agent(), create())
    assert (await world.agent().until_answered("c1")).state == "succeeded"
    assert world.kernel.made == ["c1"]


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


async def test_begun_work_is_finished_even_past_its_deadline(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    command = create()
    await crash(world, command)
    for module in (runner, creation, means):
        monkeypatch.setattr(module, "now", lambda: command.expires + timedelta(seconds=1))
    agent = world.agent()
    agent.commands.expect_begun()
    assert (await agent.until_answered("c1")).state == "succeeded"


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


def dumb(*_: object) -> None:
    raise Unreadable("driver_override: Input/output error")


async def test_a_detach_of_which_the_kernel_does_not_tell_how_far_it_came_is_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = world.agent()
    world.send(agent, detach())
    with agent.transaction() as connection:
        inbox.begin(connection, "c1", Intent(executor="net", target=OLD, mark="e1000e"))
    world.kernel.driver = "none"
    monkeypatch.setattr(FakeBinder, "was_bound", dumb)
    answer = await world.agent().until_answered("c1")
    assert (answer.state, answer.code) == ("failed", "interrupted")
    assert answer.text == (
        "the agent stopped while it was at it: old0 was given back to the driver it had, "
        "since the kernel does not tell: driver_override: Input/output error"
    )
    assert world.kernel.driver == "e1000e"


async def test_a_detach_that_cannot_be_given_back_either_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = world.agent()
    world.send(agent, detach())
    with agent.transaction() as connection:
        inbox.begin(connection, "c1", Intent(executor="net", target=OLD, mark="e1000e"))
    monkeypatch.setattr(FakeBinder, "was_bound", dumb)
    monkeypatch.setattr(FakeBinder, "undo", dumb)
    answer = await world.agent().until_answered("c1")
    assert (answer.state, answer.code) == ("failed", "not-undone")
    assert "it could not be undone: driver_override" in (answer.text or "")


@pytest.mark.parametrize("command, look", [(create(), "was_created"), (destroy(), "was_destroyed")])
async def test_what_the_kernel_does_not_tell_is_answered_as_not_known(
    world: World, monkeypatch: pytest.MonkeyPatch, command: IssuedCommand, look: str
) -> None:
    await crash(world, command)
    monkeypatch.setattr(FakeExecutor, look, dumb)
    answer = await world.agent().until_answered("c1")
    assert (answer.state, answer.code) == ("failed", "interrupted")
    assert "is not known, since the kernel does not tell: driver_override" in (answer.text or "")


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
