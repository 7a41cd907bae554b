"""A command from its arrival to its end: carried out once, in order, seen by the census, or undone."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus_agent.commands import creation, inbox
from hwcensus_agent.commands.executors.executor import Health, KernelRefused
from tests.unit.command_world import FakeExecutor, World, create, destroy, detach


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.within(tmp_path)


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


async def test_a_check_answers_as_the_order_would_and_nothing_is_done(world: World) -> None:
    agent = world.agent()
    world.kernel.holders = ("/dev/sdb is mounted at /data",)
    for number, (asked, force) in enumerate([(destroy(), None), (detach(), None), (destroy(), True)]):
        check = replace(asked, id=f"c{number}", type=f"check-{asked.type}", force=force)
        world.send(agent, check)
        world.send(agent, check)
        answer = await agent.until_answered(check.id)
        expected = ("succeeded", None) if force else ("failed", "in-use")
        assert (answer.state, answer.code) == expected
        assert "/data" in (answer.text or "") or force
    strange = replace(destroy("net/place/virtual/net/old1", "net_old1"), id="c9", type="check-destroy")
    world.send(agent, strange)
    assert (await agent.until_answered("c9")).code == "device-changed"
    world.send(agent, replace(create("old0"), id="c11", type="check-create"))
    world.send(agent, replace(create("hwc5"), id="c12", type="check-create"))
    ends = [await agent.until_answered(id_) for id_ in ("c11", "c12")]
    assert [(one.state, one.code) for one in ends] == [("failed", "name-taken"), ("succeeded", None)]
    world.kernel.holders = ()
    world.send(agent, replace(destroy(), id="c10", type="check-reattach"))
    assert (await agent.until_answered("c10")).text == "nothing on this host is against it"
    assert (world.kernel.bridges, world.kernel.driver) == ({"old0": "7"}, "e1000e")
    assert agent.census.expected == {}


async def test_a_check_that_an_agent_died_over_is_answered_by_the_next(world: World) -> None:
    world.send(world.agent(), replace(destroy(), type="check-destroy"))
    assert (await world.agent().until_answered("c1")).state == "succeeded"
    assert world.kernel.bridges == {"old0": "7"}


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
