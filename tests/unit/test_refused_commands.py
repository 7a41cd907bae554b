"""What is no order to this host, comes too late, or cannot be here: refused by its code, and nothing is done."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hwcensus.command import IssuedCommand
from hwcensus.instant import now
from hwcensus.signature import Signer
from hwcensus_agent.commands import means
from tests.unit.command_world import HOST, OLD, Agent, World, create, destroy


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.within(tmp_path)


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
