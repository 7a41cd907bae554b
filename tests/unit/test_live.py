"""The working loop: paths of any bytes, and a stop in the middle of a look."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hwcensus_agent.commands.census_port import Effect, Expectation
from hwcensus_agent.live import Live
from hwcensus_agent.look import HostLook, Looked
from hwcensus_agent.news import Sight
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources import Action, Hint
from hwcensus_agent.spool import Spool

from .sysfs_tree import Tree
from .test_census import FOLDER, bridge


class SlowLook(HostLook):
    """Sees one bridge when it is let, and notes what it was asked and whether two looks met."""

    def __init__(self, settings: CensusSettings = CensusSettings()) -> None:  # noqa: B008 - frozen
        super().__init__(settings)
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.asked: list[frozenset[str] | None] = []
        self.met = False
        self._one = threading.Lock()

    def __call__(
        self,
        paths: frozenset[str] | None = None,
        identities: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
        former: Callable[[str], Sight | None] = lambda _: None,
        of_old: Mapping[str, str] | None = None,
    ) -> Looked:
        self.asked.append(paths)
        self.met |= not self._one.acquire(blocking=False)
        self.begun.set()
        self.go_on.wait(10)
        self._one.release()
        return Looked(seen=(bridge("br0"),), paths=paths)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool.db", limit=1 << 20)
    yield opened
    opened.close()


def live(spool: Spool, look: SlowLook) -> Live:
    return Live(CensusSettings(coalesce_ms=1, coalesce_max_ms=1), spool, look, "udev", lambda: None)


async def test_a_stop_lets_a_look_end_before_the_last_one_and_tells_what_it_saw(spool: Spool) -> None:
    look = SlowLook()
    agent = live(spool, look)
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/br0"))
    running = asyncio.create_task(agent.run())
    await asyncio.to_thread(look.begun.wait, 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/br1"))
    finished = asyncio.create_task(agent.finish())
    await asyncio.sleep(0)
    look.go_on.set()
    await finished
    assert look.asked == [frozenset({f"{FOLDER}/br0"}), frozenset({f"{FOLDER}/br1"})]
    assert not look.met
    assert [row.type for row in spool.next_rows(10)][:1] == ["add"]


async def test_a_source_tells_paths_and_the_clock_keys_of_whatever_bytes(spool: Spool) -> None:
    look = SlowLook()
    look.go_on.set()
    agent = live(spool, look)
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/a\\x41"))
    agent.hint(Hint(source="clock", action=Action.RECHECK, syspath=f"{FOLDER}/a\\x5cx41"))
    agent.hint(Hint(source="rtnetlink", action=Action.CHANGE, syspath=f"{FOLDER}/\udcff"))
    await agent.finish()
    assert look.asked == [frozenset({f"{FOLDER}/a\\x5cx41", f"{FOLDER}/\\xff"})]


class AwaitingLook(SlowLook):
    """Leaves a device out until it is looked at for the second time."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on.set()
        self.twice = threading.Event()

    def awaited(self) -> list[str]:
        if len(self.asked) > 1:
            self.twice.set()
        return [] if len(self.asked) > 1 else [f"{FOLDER}/br0"]


async def test_what_is_left_out_for_a_short_time_is_looked_at_after_it(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwcensus_agent.look.PORT_WAIT_S", 0.0)
    look = AwaitingLook()
    agent = live(spool, look)
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/br0"))
    running = asyncio.create_task(agent.run())
    assert await asyncio.to_thread(look.twice.wait, 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert look.asked == [frozenset({f"{FOLDER}/br0"})] * 2


class FailingLook(SlowLook):
    """Cannot list the host at the second look."""

    def __call__(self, *words: Any, **more: Any) -> Looked:
        looked = super().__call__(*words, **more)
        if len(self.asked) == 2:
            raise OSError("sysfs is away")
        return looked


async def test_what_a_source_said_before_a_look_that_failed_is_told_by_the_next(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwcensus_agent.live.RETRY_S", 0.0)
    look = FailingLook()
    look.go_on.set()
    agent = live(spool, look)
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/br0"))
    await agent.finish()
    agent.hint(Hint(source="udev", action=Action.REMOVE, syspath=f"{FOLDER}/br0"))
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/br0"))
    await agent.finish()
    await agent.finish()
    assert [row.type for row in spool.next_rows(10)] == ["add", "remove", "add"]


@pytest.mark.parametrize("action", [Action.ADD, Action.CHANGE, Action.REMOVE])
async def test_a_hint_of_what_is_no_device_of_ours_changes_the_one_it_feeds(
    spool: Spool, tmp_path: Path, action: Action
) -> None:
    tree = Tree(tmp_path)
    host = "devices/virtual/net/fc0/ctlr_0/host6"
    tree.device("bus/scsi/devices", host, uevent="DEVTYPE=scsi_host\n")
    port = tree.device("class/fc_host", f"{host}/fc_host/host6", port_name="0x10000000c9831b9e", npiv_vports_inuse="1")
    settings = CensusSettings(sysroot=str(tree.sys))
    agent = Live(settings, spool, HostLook(settings), "udev", lambda: None)
    agent.compare(await agent.first_look(same_boot=True), same_boot=True)
    before = len(spool.next_rows(100))
    (port / "npiv_vports_inuse").write_text("0\n")
    agent.hint(Hint(source="udev", action=action, syspath=f"/sys/{host}/vport-6:0-0/fc_vports/vport-6:0-0"))
    await agent.finish()
    told = [(row.type, row.sight.name) for row in spool.next_rows(100)[before:] if row.sight is not None]
    assert told == [("change", "scsi_host6")]


async def test_what_a_command_waits_for_is_not_waited_for_until_all_is_quiet(spool: Spool) -> None:
    look = SlowLook()
    look.go_on.set()
    agent = Live(CensusSettings(coalesce_ms=600_000, coalesce_max_ms=600_000), spool, look, "udev", lambda: None)
    running = asyncio.create_task(agent.run())
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/br0"))
    await asyncio.sleep(0)
    assert look.asked == []
    agent.census.expect("c1", [Expectation(effect=Effect.ADD, subsystem="net", kernel_name="br0")])
    assert await agent.census.wait_seen("c1", 60) is not None
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/br1"))
    await asyncio.sleep(0)
    assert len(look.asked) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_a_command_did_is_looked_at_before_any_event_tells_of_it_and_alone(spool: Spool) -> None:
    look = SlowLook()
    look.go_on.set()
    agent = Live(CensusSettings(coalesce_ms=600_000, coalesce_max_ms=600_000), spool, look, "udev", lambda: None)
    running = asyncio.create_task(agent.run())
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/br1"))
    agent.census.expect("c1", [Expectation(effect=Effect.ADD, subsystem="net", kernel_name="br0")])
    assert await agent.census.wait_seen("c1", 60, f"{FOLDER}/br0") is not None
    assert look.asked == [frozenset({f"{FOLDER}/br0"})]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    "subsystem, action, is_looked_at",
    [
        ("net", Action.ADD, True),
        ("fc_vports", Action.REMOVE, True),  # which its adapter counts
        ("leds", Action.ADD, True),  # by the settings
        (None, Action.ADD, True),  # who told it does not say
        ("workqueue", Action.ADD, False),
        ("bsg", Action.REMOVE, False),
        ("workqueue", Action.MOVE, True),  # with whatever is below
    ],
)
async def test_only_a_device_that_is_described_or_feeds_one_is_worth_a_look(
    spool: Spool, subsystem: str | None, action: Action, is_looked_at: bool
) -> None:
    look = SlowLook(CensusSettings(include=("leds",)))
    look.go_on.set()
    agent = live(spool, look)
    agent.hint(Hint(source="udev", action=action, syspath=f"{FOLDER}/x", subsystem=subsystem))
    await agent.finish()
    assert bool(look.asked) is is_looked_at


async def test_what_a_command_made_leaves_with_its_answer_or_soon_without_one(spool: Spool) -> None:
    woken = asyncio.Event()
    look = SlowLook()
    look.go_on.set()
    agent = Live(CensusSettings(coalesce_ms=1, coalesce_max_ms=1), spool, look, "udev", woken.set)
    running = asyncio.create_task(agent.run())
    agent.hint(Hint(source="udev", action=Action.ADD, syspath=f"{FOLDER}/br0"))
    agent.census.expect("c1", [Expectation(effect=Effect.ADD, subsystem="net", kernel_name="br0")])
    assert await agent.census.wait_seen("c1", 60) is not None
    assert not woken.is_set()  # nor before the command has had its turn
    await asyncio.wait_for(woken.wait(), 60)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_stop_that_comes_with_the_end_of_a_command_stops_it(spool: Spool) -> None:
    agent = Live(CensusSettings(coalesce_ms=600_000, coalesce_max_ms=600_000), spool, SlowLook(), "udev", lambda: None)
    running = asyncio.create_task(agent.run())
    await asyncio.sleep(0)
    agent.census.on_waiting()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
