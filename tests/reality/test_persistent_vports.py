"""Virtual ports that are wanted at every boot: what a command notes, what is made again and what is not; on a kernel
that is files and threads. After a real reboot: tests/lab/test_reboot.py."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hwcensus import codec, document
from hwcensus.classes.scsihost import Fc, FcState
from hwcensus.command import Command
from hwcensus.creatable import vport
from hwcensus_agent.commands import creation, keeper, means
from hwcensus_agent.commands.answer import Answer
from hwcensus_agent.commands.census_port import Target
from hwcensus_agent.commands.executors.vport import VportExecutor
from hwcensus_agent.commands.inbox import Intent
from hwcensus_agent.commands.policy import Policy
from hwcensus_agent.commands.runner import Commands
from hwcensus_agent.desired import Desired, Wish
from hwcensus_agent.fc_ports import FcPort
from hwcensus_agent.sources import Action, Hint
from tests.reality.npiv_kernel import PCI, NpivKernel
from tests.reality.test_vport_executor import ADAPTER, LIMIT, WWNN, WWPN, Agent, agent, create, destroy, online

OTHER = "210000e08b9318a2"
WISH = Wish(parent=ADAPTER, wwpn=WWPN, wwnn=WWNN, command="c1")
PERSISTENT = replace(create(), persistent=True)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NpivKernel]:
    made = NpivKernel(tmp_path / "sys")
    write = FcPort._write

    def answered(port: FcPort, name: str, text: str) -> None:
        write(port, name, text)
        assert made.done.acquire(timeout=LIMIT)

    monkeypatch.setattr(FcPort, "_write", answered)
    yield made
    made.close()


def boots(kernel: NpivKernel) -> None:
    """The host is started anew, and no virtual port is left; nobody hears it."""
    kernel.tell = lambda action, syspath: None
    for host in kernel.vports():
        kernel.remove("host5", host)
    kernel.written.clear()


def counted(ours: Agent, first: Callable[[], None] = lambda: None) -> list[str]:
    """The WWPNs that the keeper tries to make, from here on; `first` is called before each."""
    tried: list[str] = []
    make = ours.commands.make_again

    async def counting(command: Command, is_wanted: Callable[[], bool]) -> Answer | None:
        assert command.device is not None
        tried.append(vport.names(command.device)["wwpn"])
        first()
        return await make(command, is_wanted)

    ours.keeper._make = counting
    return tried


def port_state(kernel: NpivKernel, host: str, state: str) -> None:
    (kernel.root / f"class/fc_host/{host}/port_state").write_text(f"{state}\n")


def unreadable(kernel: NpivKernel, host: str, attribute: str) -> Path:
    """Has the kernel answer with EIO, as it does for /proc/self/mem; gives what can be put back."""
    attribute_file = kernel.root / f"class/fc_host/{host}/{attribute}"
    told = attribute_file.rename(attribute_file.with_name(f"former_{attribute}"))
    attribute_file.symlink_to("/proc/self/mem")
    return told


def shown(ours: Agent) -> tuple[str, ...]:
    """What the adapter in the census shows as wanted."""
    adapter = ours.live.census.sight(f"scsi/wwpn/{ADAPTER}")
    assert adapter is not None
    host = codec.read_device(document.parse(adapter.xml)).capabilities[0]
    return next(fc.state.wanted for fc in host.nested if isinstance(fc, Fc) and isinstance(fc.state, FcState))


async def seen(ours: Agent, action: Action = Action.CHANGE) -> None:
    """The census hears of the adapter, and has looked."""
    ours.live.hint(Hint(source="udev", action=action, syspath=f"/sys/{PCI}/host5"))
    await ours.live.finish()


async def test_a_persistent_port_is_made_again_at_the_next_boot_as_the_doing_of_its_command(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        assert (await ours.answer(PERSISTENT)).state == "succeeded"
        await ours.keeper.round()
        assert kernel.written == [("vport_create", f"{WWPN}:{WWNN}")]
        assert list(ours.desired) == [WISH]
    boots(kernel)
    async with agent(kernel) as ours:
        assert shown(ours) == (WWPN,)
        await ours.keeper.round()
        assert kernel.written == [("vport_create", f"{WWPN}:{WWNN}")]
        assert ours.told()[-1] == ("add", "scsi_host0", "c1")
        assert ours.answers == []
        await ours.keeper.round()
        assert len(kernel.written) == 1


async def test_without_persistent_nothing_is_made_again(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        await ours.answer(create())
    boots(kernel)
    async with agent(kernel) as ours:
        await ours.keeper.round()
        assert kernel.written == []
        assert shown(ours) == ()


async def test_it_is_made_below_the_adapter_of_that_wwpn_whatever_its_number(kernel: NpivKernel) -> None:
    kernel.adapter("host5", OTHER)
    kernel.adapter("host9", ADAPTER)
    async with agent(kernel) as ours:
        ours.desired.add(WISH)
        await ours.keeper.round()
        assert [path.parent.parent.name for path in kernel.root.glob("devices/*/*/host*/vport-*/host0")] == ["host9"]


async def test_it_waits_until_its_adapter_is_online(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER, state="Linkdown")
    async with agent(kernel) as ours:
        ours.desired.add(WISH)
        await ours.keeper.round()
        assert kernel.written == []
        port_state(kernel, "host5", "Online")
        await ours.keeper.round()
        assert len(kernel.vports()) == 1


async def test_who_takes_it_away_by_hand_is_not_fought_with_until_the_adapter_comes_online_again(
    kernel: NpivKernel,
) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        await ours.answer(PERSISTENT)
        await ours.keeper.round()
        kernel.remove("host5", "host0")
        await ours.keeper.round()
        assert kernel.vports() == {}
        assert list(ours.desired) == [WISH]
        port_state(kernel, "host5", "Linkdown")
        await ours.keeper.round()
        port_state(kernel, "host5", "Online")
        await ours.keeper.round()
        assert len(kernel.vports()) == 1


@pytest.mark.parametrize("was", ["Linkdown", "gone"])
async def test_an_adapter_that_was_offline_only_between_two_looks_comes_online_again(
    kernel: NpivKernel, was: str
) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        await ours.answer(PERSISTENT)
        await ours.keeper.round()
        kernel.remove("host5", "host0")
        if was == "gone":
            await seen(ours, Action.REMOVE)
            await seen(ours, Action.ADD)
        else:
            port_state(kernel, "host5", was)
            await seen(ours)
            port_state(kernel, "host5", "Online")
            await seen(ours)
        await ours.keeper.round()
        assert len(kernel.vports()) == 1
        kernel.remove("host5", "host0")
        await seen(ours)
        await ours.keeper.round()
        assert kernel.vports() == {}  # which was no reason


async def test_a_creation_that_fails_wants_nothing(kernel: NpivKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "ONLINE_S", 0)
    kernel.adapter("host5", ADAPTER)
    kernel.vport_state = "Linkdown"
    async with agent(kernel) as ours:
        assert (await ours.answer(online(PERSISTENT))).code == "not-online"
        assert (await ours.answer(replace(PERSISTENT, id="c2", device=create(ADAPTER).device))).code == "wwn-in-use"
        assert list(ours.desired) == []


async def test_what_cannot_be_kept_is_undone(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        (kernel.root.parent / "desired.json").mkdir()
        made = await ours.answer(PERSISTENT)
        assert (made.state, made.code) == ("failed", "not-kept")
        assert kernel.vports() == {}
        assert list(ours.desired) == []


@pytest.mark.parametrize("is_noted", [False, True])
async def test_an_agent_that_died_before_the_end_was_noted_has_wanted_it_once(
    kernel: NpivKernel, is_noted: bool
) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        ours.begun(PERSISTENT, Intent(executor="vport"))
        if is_noted:
            ours.desired.add(WISH)
    kernel.vport("host5", WWPN, WWNN)
    async with agent(kernel) as ours:
        assert (await ours.answer("c1")).state == "succeeded"
        assert list(ours.desired) == [WISH]
        await ours.keeper.round()
        assert kernel.written == []


async def test_what_a_destroy_took_away_before_the_agent_died_is_not_made_again(
    kernel: NpivKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()
    was_destroyed = VportExecutor.was_destroyed

    def after_that(executor: VportExecutor, target: Target, mark: str) -> bool | None:
        assert looked.wait(LIMIT)
        return was_destroyed(executor, target, mark)

    monkeypatch.setattr(VportExecutor, "was_destroyed", after_that)
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        await ours.answer(PERSISTENT)
        target = ours.live.census.find(f"scsi/wwpn/{WWPN}")
        ours.begun(destroy(), Intent(executor="vport", target=target, mark=f"{WWPN}:{WWNN} vport-5:0-0 host0"))
    boots(kernel)
    async with agent(kernel) as ours:
        tried = counted(ours, looked.set)
        await ours.keeper.round()  # its turn comes after what was begun
        assert (await ours.answer("c2")).state == "succeeded"
        assert tried == [WWPN]
        assert (list(ours.desired), kernel.written) == ([], [])


async def test_where_it_cannot_be_read_whether_it_is_there_a_destroy_says_that_it_is_still_wanted(
    kernel: NpivKernel,
) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.adapter("host6", OTHER)
    async with agent(kernel) as ours:
        await ours.answer(PERSISTENT)
        target = ours.live.census.find(f"scsi/wwpn/{WWPN}")
        ours.begun(destroy(), Intent(executor="vport", target=target, mark=f"{WWPN}:{WWNN} vport-5:0-0 host0"))
    boots(kernel)
    told = unreadable(kernel, "host6", "port_name")
    async with agent(kernel) as ours:
        answer = await ours.answer("c2")
        assert (answer.state, answer.code) == ("failed", "interrupted")
        assert "whether host0 is there is not known, since the kernel does not tell: " in (answer.text or "")
        assert (answer.text or "").endswith("; it is still to be made at every boot")
        assert list(ours.desired) == [WISH]
        told.replace(told.with_name("port_name"))
        again = await ours.answer(destroy(command_id="c3"))
        assert (again.state, list(ours.desired)) == ("succeeded", [])


async def test_a_destroy_takes_the_wish_out(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        await ours.answer(PERSISTENT)
        assert (await ours.answer(destroy())).state == "succeeded"
        assert list(ours.desired) == []


async def test_a_port_that_is_wanted_and_absent_is_destroyed_by_taking_the_wish_out(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER, state="Linkdown")
    async with agent(kernel) as ours:
        ours.desired.add(WISH)
        gone = await ours.answer(destroy(name="what-it-was-called"))
        assert (gone.state, gone.text) == ("succeeded", f"it was not there; it is not made again below {ADAPTER}")
        assert (list(ours.desired), kernel.written) == ([], [])
        assert (await ours.answer(destroy(command_id="c3"))).code == "device-changed"


@pytest.mark.parametrize("died", ["before the wish was out", "before it was answered"])
async def test_a_destroy_of_an_absent_port_succeeds_though_the_agent_died_within(
    kernel: NpivKernel, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    kernel.adapter("host5", ADAPTER, state="Linkdown")
    begun = asyncio.Event()
    async with agent(kernel) as ours:
        ours.desired.add(WISH)
        with monkeypatch.context() as dying:
            dying.setattr(Commands, "_finish", lambda *_: begun.set())
            if died == "before the wish was out":
                dying.setattr(Desired, "drop", lambda desired, wwpn: None)
            ours.send(destroy(name="what-it-was-called"))
            async with asyncio.timeout(LIMIT):
                await begun.wait()
    async with agent(kernel) as ours:
        gone = await ours.answer("c2")
        assert (gone.state, gone.text) == ("succeeded", f"it was not there; it is not made again below {ADAPTER}")
        assert (list(ours.desired), kernel.written) == ([], [])


async def test_a_wish_is_not_taken_out_by_a_destroy_whose_turn_comes_after_its_deadline(
    kernel: NpivKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.adapter("host5", ADAPTER, state="Linkdown")
    order = destroy()
    async with agent(kernel) as ours:
        ours.desired.add(WISH)
        # The runner has looked at its clock before: then a blocking driver held the turn.
        monkeypatch.setattr(means, "now", lambda: order.expires)
        late = await ours.answer(order)
        assert (late.state, late.code, list(ours.desired)) == ("expired", "expired", [WISH])


def said_unread(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The ports that the keeper could not read, as it said."""
    said = [record for record in caplog.records if record.message.startswith("a port cannot be read")]
    return [record.__dict__["host"] for record in said]


@pytest.mark.parametrize("attribute, said", [("port_state", ["host6"]), ("node_name", [])])
async def test_an_adapter_that_cannot_be_read_keeps_no_other_from_its_ports(
    kernel: NpivKernel, caplog: pytest.LogCaptureFixture, attribute: str, said: list[str]
) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.adapter("host6", OTHER)
    unreadable(kernel, "host6", attribute)
    async with agent(kernel) as ours:
        ours.desired.add(WISH)
        for _ in range(3):
            await ours.keeper.round()
        assert len(kernel.vports()) == 1
    assert said_unread(caplog) == said


async def test_nothing_is_made_while_the_name_of_another_port_cannot_be_read_which_may_be_the_same(
    kernel: NpivKernel, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(keeper.Keeper, "_time", lambda _: clock[0])
    kernel.adapter("host5", ADAPTER)
    kernel.adapter("host6", OTHER)
    told = unreadable(kernel, "host6", "port_name")
    async with agent(kernel) as ours:
        ours.desired.add(WISH)
        for _ in range(3):
            await ours.keeper.round()
        assert (kernel.written, said_unread(caplog)) == ([], ["host6"])
        told.replace(told.with_name("port_name"))
        clock[0] = keeper.FIRST_RETRY_S
        await ours.keeper.round()
        assert len(kernel.vports()) == 1


@pytest.mark.parametrize("attribute", ["port_state", "port_name"])
async def test_an_adapter_that_could_not_be_read_for_a_while_did_not_come_anew(
    kernel: NpivKernel, attribute: str
) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        await ours.answer(PERSISTENT)
        await ours.keeper.round()
        kernel.remove("host5", "host0")
        told = unreadable(kernel, "host5", attribute)
        await ours.keeper.round()
        (told.parent / attribute).unlink()
        told.rename(told.parent / attribute)
        await ours.keeper.round()
        assert kernel.vports() == {}


@pytest.mark.parametrize("holder", ["another adapter's virtual port", "a physical port"])
async def test_nothing_is_made_while_another_port_here_has_its_name(kernel: NpivKernel, holder: str) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.adapter("host6", WWPN if holder == "a physical port" else OTHER)
    if holder != "a physical port":
        kernel.vport("host6", WWPN, WWNN)
    async with agent(kernel) as ours:
        ours.desired.add(WISH)
        tried = counted(ours)
        await ours.keeper.round()
        assert (tried, kernel.written) == ([], [])


async def test_what_the_policy_allows_no_more_is_not_made_again(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel, policy=Policy()) as ours:
        ours.desired.add(WISH)
        await ours.keeper.round()
        assert kernel.written == []


async def test_what_the_kernel_refuses_is_tried_again_ever_more_seldom(
    kernel: NpivKernel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = [0.0]
    monkeypatch.setattr(keeper.Keeper, "_time", lambda _: clock[0])
    kernel.adapter("host5", ADAPTER, room=10, inuse=10)
    at: list[float] = []
    async with agent(kernel) as ours:
        ours.desired.add(WISH)
        counted(ours, lambda: at.append(clock[0]))
        for second in range(100):
            clock[0] = second
            await ours.keeper.round()
    assert at == [0, 5, 15, 35, 75]
    assert [record.message for record in caplog.records].count(
        "a wanted virtual port cannot be made; tried again, ever more seldom"
    ) == 1


async def test_a_wish_that_was_taken_out_while_its_turn_came_is_not_granted(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        assert await ours.commands.make_again(create(), lambda: ours.desired.get(WWPN) is not None) is None
        assert kernel.written == []


async def test_an_agent_that_died_with_its_host_before_it_answered_does_not_make_again_what_it_says_has_failed(
    kernel: NpivKernel,
) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        ours.desired.add(WISH)  # the last that was written; the port went with the boot
        ours.begun(PERSISTENT, Intent(executor="vport", mark=""))
    async with agent(kernel) as ours:
        answer = await ours.answer("c1")
        assert (answer.state, answer.code) == ("failed", "interrupted")
        await ours.keeper.round()
        assert (list(ours.desired), kernel.written) == ([], [])


async def test_a_port_that_the_kernel_deleted_is_not_made_again_though_the_census_did_not_see_it_go(
    kernel: NpivKernel,
) -> None:
    kernel.adapter("host5", ADAPTER)
    host = kernel.vport("host5", WWPN, WWNN)
    async with agent(kernel, patience=0.05) as ours:
        ours.desired.add(WISH)
        kernel.tell = lambda action, syspath: None
        ours.live.census.on_done = lambda syspath: None
        assert (await ours.answer(destroy(name=f"scsi_{host}"))).code == "not-seen"
        assert (kernel.vports(), list(ours.desired)) == ({}, [])
