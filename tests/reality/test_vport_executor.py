"""Virtual Fibre Channel ports made and deleted by command, from bytes to answer, by the agent's own census; on kernels
that are files and threads (npiv_kernel.py), old and new. On a real kernel: tests/lab."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.command import Command, IssuedCommand
from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus.signature import Signer, key_id
from hwcensus_agent.commands import creation, inbox, runner
from hwcensus_agent.commands.answer import Answer
from hwcensus_agent.commands.census_port import Target
from hwcensus_agent.commands.executors.executor import DeviceChanged
from hwcensus_agent.commands.executors.vport import VportExecutor
from hwcensus_agent.commands.guard import Guard
from hwcensus_agent.commands.inbox import Intent
from hwcensus_agent.commands.keeper import Keeper
from hwcensus_agent.commands.policy import DEFAULT, Policy
from hwcensus_agent.commands.runner import Commands
from hwcensus_agent.desired import Desired
from hwcensus_agent.fc_ports import FcPort
from hwcensus_agent.live import Live
from hwcensus_agent.look import HostLook
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources import Action, Hint
from hwcensus_agent.spool import Spool
from tests.reality.npiv_kernel import PCI, NpivKernel

HOST, STREAM = "host-1", "stream-1"
ADAPTER, WWPN, WWNN = "210000e08b9318a1", "10000000c9831b9e", "20000000c9831b9e"
LIMIT = 20.0
REFUSED = f"vport_create of host5, {WWPN}:{WWNN}: ENOSPC (28): No space left on device"


@pytest.fixture(params=["old", "new"])
def kernel(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NpivKernel]:
    made = NpivKernel(tmp_path / "sys", is_old=request.param == "old")
    write = FcPort._write

    def answered(port: FcPort, name: str, text: str) -> None:
        write(port, name, text)
        assert made.done.acquire(timeout=LIMIT)  # sysfs takes a write when it is done, a FIFO before

    monkeypatch.setattr(FcPort, "_write", answered)
    yield made
    made.close()


def create(
    wwpn: str = WWPN, *, parent: str = "scsi_host5", identity: str = f"scsi/wwpn/{ADAPTER}", command_id: str = "c1"
) -> IssuedCommand:
    text = f"""<device><parent identity="{identity}">{parent}</parent><capability type="scsihost"><capability type="fc">
      <address wwnn="{WWNN}" wwpn="{wwpn}"/></capability></capability></device>"""
    return IssuedCommand(
        id=command_id, host=HOST, stream=STREAM, type="create", issued=now(), expires=now() + timedelta(days=1),
        by="alice", device=document.parse(text.encode()),
    )  # fmt: skip


def destroy(identity: str = f"scsi/wwpn/{WWPN}", name: str = "scsi_host0", command_id: str = "c2") -> IssuedCommand:
    return replace(create(command_id=command_id), type="destroy", device=None, identity=identity, name=name)


def online(command: IssuedCommand) -> IssuedCommand:
    return replace(command, require="online")


class Agent:
    """The census and the commands of one agent over a folder with sys and spool; made anew it is the one after a
    crash."""

    def __init__(self, folder: Path, kernel: NpivKernel, patience: float, policy: Policy) -> None:
        settings = CensusSettings(sysroot=str(kernel.root), coalesce_ms=1, coalesce_max_ms=1)
        self._spool = Spool(folder / "spool.db", limit=1 << 20, further_schema=inbox.SCHEMA)
        self._spool.connection.execute("PRAGMA synchronous=OFF")  # what dies here are objects, not the machine
        self._signer = Signer.load_or_make(folder / "key")
        self.desired = Desired(folder / "desired.json", HOST)
        look = HostLook(settings)
        look.shows(self.desired.of)
        self.live = Live(settings, self._spool, look, "udev", lambda: None)
        self._loop = asyncio.get_running_loop()
        kernel.tell = self._hear
        self.answers: list[Answer] = []
        self._answered = asyncio.Event()
        self.commands = Commands(
            guard=Guard(host=HOST, keys={key_id(self._signer.public): self._signer.public}, knows_stream=STREAM.__eq__),
            policy=policy,
            executors={"vport": VportExecutor(str(kernel.root))},
            binders={},
            census=self.live.census,
            transaction=self._spool.transaction,
            report=self._report,
            on_resync=lambda _: None,
            desired=self.desired,
            patience=patience,
        )
        self.keeper = Keeper(self.desired, str(kernel.root), self.commands.make_again)
        self.live.on_news = self.keeper.hear

    async def start(self) -> None:
        self.commands.expect_begun()
        self.live.compare(await self.live.first_look(same_boot=True), same_boot=True)
        self._tasks = [asyncio.create_task(one) for one in (self.live.run(), self.commands.run())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._spool.close()

    def send(self, command: IssuedCommand) -> None:
        value = command.to_bytes()
        self.commands.receive(value, {"host": HOST.encode()} | dict(self._signer.headers(value)))

    async def answer(self, command: IssuedCommand | str) -> Answer:
        """The last answer to a command, which is sent, or was begun by the agent before."""
        if isinstance(command, IssuedCommand):
            self.send(command)
        command_id = command if isinstance(command, str) else command.id
        async with asyncio.timeout(LIMIT):
            while True:
                self._answered.clear()
                ends = [one for one in self.answers if one.command == command_id and one.state != "accepted"]
                if ends:
                    return ends[-1]
                await self._answered.wait()

    def told(self) -> list[tuple[str, str, object]]:
        """Type, name and command of the versions since the start that are about virtual ports."""
        rows = [row for row in self._spool.next_rows(1000) if row.sight is not None and "vport-" in row.sight.path]
        versions = [row for row in rows if row.detail.get("kind") != "state"]
        return [(row.type, row.sight.name, row.detail.get("command")) for row in versions if row.sight is not None]

    def begun(self, command: IssuedCommand, intent: Intent) -> None:
        """As if this agent had died after its note."""
        self.send(command)
        with self._spool.transaction() as connection:
            inbox.begin(connection, command.id, intent)

    def _report(self, answer: Answer) -> None:
        self.answers.append(answer)
        self._answered.set()

    def _hear(self, action: Action, syspath: str) -> None:
        hint = Hint(source="udev", action=action, syspath=syspath)
        self._loop.call_soon_threadsafe(self.live.hint, hint)


@asynccontextmanager
async def agent(
    kernel: NpivKernel,
    patience: float = LIMIT,
    policy: Policy = Policy(rules=(DEFAULT,)),  # noqa: B008 - frozen
) -> AsyncIterator[Agent]:
    made = Agent(kernel.root.parent, kernel, patience, policy)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def test_a_port_is_made_and_deleted_again_by_its_adapter(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        made = await ours.answer(create())
        assert (made.state, made.text) == ("succeeded", "vport Active, port Online")
        assert made.produced == (Produced(identity=f"scsi/wwpn/{WWPN}", name="scsi_host0"),)
        assert kernel.vports() == {"host0": f"0x{WWPN}"}
        assert (await ours.answer(destroy())).state == "succeeded"
        assert kernel.vports() == {}
        assert kernel.written == [("vport_create", f"{WWPN}:{WWNN}"), ("vport_delete", f"{WWPN}:{WWNN}")]
        assert ours.told() == [("add", "scsi_host0", "c1"), ("remove", "scsi_host0", "c2")]


async def test_of_many_ports_the_one_that_is_meant_is_deleted(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        wwpns = [f"10000000c98300{n:02x}" for n in range(20)]
        for n, wwpn in enumerate(wwpns):
            assert (await ours.answer(create(wwpn, command_id=f"m{n}"))).state == "succeeded"
        assert (await ours.answer(destroy(f"scsi/wwpn/{wwpns[3]}", "scsi_host3"))).state == "succeeded"
        left = {f"0x{wwpn}" for wwpn in wwpns} - {f"0x{wwpns[3]}"}
        assert set(kernel.vports().values()) == left


async def test_a_port_is_seen_to_come_and_go_though_no_event_tells_of_it(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        kernel.tell = lambda action, syspath: None
        assert (await ours.answer(create())).state == "succeeded"
        assert (await ours.answer(destroy())).state == "succeeded"
        assert ours.told() == [("add", "scsi_host0", "c1"), ("remove", "scsi_host0", "c2")]


@pytest.mark.parametrize("again", [WWPN, "10000000c9831bff"])
async def test_a_port_made_before_the_census_saw_another_go_has_its_place_and_name(
    kernel: NpivKernel, again: str
) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        assert (await ours.answer(create())).state == "succeeded"
        kernel.tell = lambda action, syspath: None  # udev takes its time
        kernel.remove("host5", "host0")
        made = await ours.answer(create(again, command_id="c3"))
        assert (made.state, made.produced) == (
            "succeeded", (Produced(identity=f"scsi/wwpn/{again}", name="scsi_host0"),),
        )  # fmt: skip
        assert ours.told() == [("add", "scsi_host0", "c1"), ("remove", "scsi_host0", None), ("add", "scsi_host0", "c3")]


async def test_what_the_census_does_not_see_in_time_is_deleted_again(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel, patience=0.05) as ours:
        kernel.tell = lambda action, syspath: None
        ours.live.census.on_done = lambda syspath: None
        made = await ours.answer(create())
        assert (made.state, made.code) == ("failed", "not-seen")
        assert kernel.vports() == {}
        assert kernel.written[-1] == ("vport_delete", f"{WWPN}:{WWNN}")


async def test_what_does_not_come_is_no_success(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.makes = False
    async with agent(kernel, patience=0.05) as ours:
        assert (await ours.answer(create())).code == "not-seen"
        assert ours.told() == []


async def test_a_port_that_has_to_come_online_and_does_not_is_deleted_again(
    kernel: NpivKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "ONLINE_S", 0)
    kernel.adapter("host5", ADAPTER)
    kernel.vport_state = "Linkdown"
    async with agent(kernel) as ours:
        made = await ours.answer(online(create()))
        assert (made.state, made.code) == ("failed", "not-online")
        assert "vport Linkdown, port Linkdown" in (made.text or "")
        assert kernel.vports() == {}
        assert ours.told() == [("add", "scsi_host0", "c1"), ("remove", "scsi_host0", "c1")]


async def test_without_that_a_port_is_kept_and_its_states_are_told(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER, state="Linkdown")
    kernel.vport_state = "Linkdown"
    async with agent(kernel) as ours:
        made = await ours.answer(create())
        assert (made.state, made.text) == ("succeeded", "vport Linkdown, port Linkdown")
        assert kernel.vports() == {"host0": f"0x{WWPN}"}


async def test_states_that_cannot_be_read_make_no_failure_of_a_port_that_is_there(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        hear = kernel.tell

        def tell(action: Action, syspath: str) -> None:
            state = kernel.root / "class/fc_vports/vport-5:0-0/vport_state"
            state.unlink()
            state.mkdir()  # read as a file, a folder is an error
            hear(action, syspath)

        kernel.tell = tell
        made = await ours.answer(create())
        assert (made.state, made.code) == ("succeeded", None)
        assert "vport_state" in (made.text or "")


async def test_a_driver_that_blocks_keeps_its_command_accepted_until_it_answers(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.goes_on.clear()
    async with agent(kernel) as ours:
        ours.send(create())
        assert await asyncio.to_thread(kernel.asked.wait, LIMIT)
        assert [one.state for one in ours.answers] == ["accepted"]
        kernel.goes_on.set()
        assert (await ours.answer("c1")).state == "succeeded"


@pytest.mark.parametrize(
    "room, inuse, code",
    [
        (10, 10, "parent-full"),
        (10, 9, None),
        (9, 10, "parent-full"),
        (0, 0, "parent-no-npiv"),
        ("x" * 99, 0, "parent-no-npiv"),
    ],
)
async def test_an_adapter_has_room_for_so_many_as_numbers_say(
    kernel: NpivKernel, room: object, inuse: object, code: str | None
) -> None:
    kernel.adapter("host5", ADAPTER, room=room, inuse=inuse)
    async with agent(kernel) as ours:
        made = await ours.answer(create())
        assert made.code == code
        assert bool(kernel.written) == (code is None)


@pytest.mark.parametrize(
    "command, code",
    [
        (create(WWPN.replace("9e", "9f")), "wwn-in-use"),
        (create(ADAPTER), "wwn-in-use"),
        (create(parent="scsi_host6"), "device-changed"),
        (create(parent="scsi_host9"), "device-changed"),
        (create(parent="scsi_host9", identity="scsi/wwpn/2100000000000009"), "parent-unknown"),
        (create(parent="scsi_host7", identity="scsi/place/pci0000:00%2F0000:00:03.0%2Fhost"), "parent-not-fc"),
        (create(parent="scsi_host0", identity=f"scsi/wwpn/{WWPN.replace('9e', '9f')}"), "parent-no-npiv"),
        (online(create(parent="scsi_host6", identity="scsi/wwpn/210000e08b9318a2")), "parent-offline"),
        (destroy(f"scsi/wwpn/{ADAPTER}", "scsi_host5"), "physical-port"),
        (destroy("scsi/place/pci0000:00%2F0000:00:03.0%2Fhost", "scsi_host7"), "not-allowed"),
        (destroy(name="scsi_host1"), "device-changed"),
    ],
)  # fmt: skip
async def test_what_the_host_shows_is_refused_with_its_code_and_nothing_is_written(
    kernel: NpivKernel, command: IssuedCommand, code: str
) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.adapter("host6", "210000e08b9318a2", state="Linkdown")
    kernel.plain_host("host7")
    kernel.vport("host5", WWPN.replace("9e", "9f"), WWNN)
    async with agent(kernel) as ours:
        answer = await ours.answer(command)
        assert (answer.state, answer.code) == ("failed", code), answer.text
        assert answer.text
        assert kernel.written == []


async def test_the_kernels_refusal_is_told_in_its_own_words_and_no_version_comes_of_it(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.refuses_by("vport_create", "host5", "/dev/full")
    async with agent(kernel) as ours:
        answer = await ours.answer(create())
        assert (answer.code, answer.text) == ("kernel-refused", REFUSED)
        kernel.tell(Action.ADD, f"/sys/{PCI}/host5/vport-5:0-0/fc_vports/vport-5:0-0")
        kernel.tell(Action.REMOVE, f"/sys/{PCI}/host5/vport-5:0-0/fc_vports/vport-5:0-0")
        await ours.live.finish()
        assert ours.told() == []


async def test_the_agents_own_log_has_who_had_what_done_and_what_came_of_it(
    kernel: NpivKernel, caplog: pytest.LogCaptureFixture
) -> None:
    """The one record that a collector which was taken over cannot falsify."""
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        with caplog.at_level(logging.INFO, runner.__name__):
            await ours.answer(create())
            await ours.answer(destroy())
    made, gone = (vars(record) for record in caplog.records if record.name == runner.__name__)
    assert (made["type"], made["by"], made["state"], made["produced"]) == (
        "create", "alice", "succeeded", f"scsi/wwpn/{WWPN}"
    )  # fmt: skip
    assert f'wwpn="{WWPN}"' in made["what"]
    assert ADAPTER in made["what"]
    assert (gone["type"], gone["by"], gone["what"]) == ("destroy", "alice", f"scsi/wwpn/{WWPN}")


async def test_a_port_that_somebody_else_made_meanwhile_is_not_deleted_with_ours(
    kernel: NpivKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.refuses_by("vport_create", "host5", "/dev/full")
    async with agent(kernel) as ours:
        checked = VportExecutor.check

        def check(executor: VportExecutor, command: Command) -> str:
            mark = checked(executor, command)
            kernel.vport("host5", WWPN, WWNN)
            return mark

        monkeypatch.setattr(VportExecutor, "check", check)
        answer = await ours.answer(create())
        assert (answer.code, "ENOSPC" in (answer.text or "")) == ("wwn-in-use", True)
        assert kernel.vports() == {"host0": f"0x{WWPN}"}


async def test_a_port_made_behind_our_back_can_be_deleted_even_with_names_nobody_should_have(
    kernel: NpivKernel,
) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        kernel.vport("host5", "0" * 16, WWNN)
        await asyncio.sleep(0)
        await ours.live.finish()
        ((what, name, command),) = ours.told()
        assert (what, name, command) == ("add", "scsi_host0", None)
        found = ours.live.census.find(name)
        assert found is not None
        assert (await ours.answer(destroy(found.identity, name))).state == "succeeded"
        assert kernel.written == [("vport_delete", f"{'0' * 16}:{WWNN}")]


async def test_a_port_whose_disk_is_in_use_stays_unless_forced_and_who_holds_it_is_named(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.vport("host5", WWPN, WWNN)
    kernel.used_lun("host0")
    async with agent(kernel) as ours:
        answer = await ours.answer(destroy())
        assert (answer.code, answer.text) == ("in-use", "/dev/sdb is held by dm-3 (vg0-data, LVM)")
        assert kernel.vports() == {"host0": f"0x{WWPN}"}
        assert (await ours.answer(replace(destroy(command_id="c3"), force=True))).state == "succeeded"
        assert kernel.vports() == {}


async def test_an_agent_that_died_after_the_kernel_made_the_port_finds_it_and_makes_no_second(
    kernel: NpivKernel,
) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        ours.begun(create(), Intent(executor="vport"))
    kernel.vport("host5", WWPN, WWNN)
    async with agent(kernel) as ours:
        made = await ours.answer("c1")
        assert (made.state, made.text) == ("succeeded", "vport Active, port Online")
        assert ours.told() == [("add", "scsi_host0", "c1")]
        assert kernel.written == []


async def test_an_agent_that_died_before_it_asked_the_kernel_fails_the_command_and_makes_nothing(
    kernel: NpivKernel,
) -> None:
    kernel.adapter("host5", ADAPTER)
    async with agent(kernel) as ours:
        ours.begun(create(), Intent(executor="vport"))
    async with agent(kernel) as ours:
        assert (await ours.answer("c1")).code == "interrupted"
        assert (kernel.written, kernel.vports()) == ([], {})


@pytest.mark.parametrize("state, code", [("gone", None), ("there", "interrupted"), ("made anew", "interrupted")])
async def test_an_agent_that_died_within_a_destroy_looks_what_became_of_it(
    kernel: NpivKernel, state: str, code: str | None
) -> None:
    kernel.adapter("host5", ADAPTER)
    kernel.vport("host5", WWPN, WWNN)
    async with agent(kernel) as ours:
        target = ours.live.census.find("scsi_host0")
        assert target is not None
        mark = VportExecutor(str(kernel.root)).mark_of(target)
        ours.begun(destroy(), Intent(executor="vport", target=target, mark=mark or ""))
    if state != "there":
        kernel.remove("host5", "host0")
    if state == "made anew":
        kernel.vport("host5", WWPN, WWNN)
    async with agent(kernel) as ours:
        assert (await ours.answer("c2")).code == code
        assert kernel.written == []


def test_a_port_that_was_made_anew_meanwhile_is_not_deleted(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    host = kernel.vport("host5", WWPN, WWNN)
    executor = VportExecutor(str(kernel.root))
    target = Target(
        identity=f"scsi/wwpn/{WWPN}", name="scsi_host0", syspath=f"/sys/{PCI}/host5/vport-5:0-0/{host}",
        subsystem="scsi",
    )  # fmt: skip
    mark = executor.mark_of(target)
    assert mark is not None
    kernel.remove("host5", host)
    assert executor.was_destroyed(target, mark) is True
    assert kernel.vport("host5", WWPN, WWNN) == host
    with pytest.raises(DeviceChanged):
        executor.destroy(target, mark)
    assert executor.was_destroyed(target, mark) is None


def test_a_port_whose_hosts_number_another_one_has_by_now_is_not_taken_for_it(kernel: NpivKernel) -> None:
    kernel.adapter("host5", ADAPTER)
    host = kernel.vport("host5", "10000000c9831b9f", WWNN)
    stale = Target(
        identity=f"scsi/wwpn/{WWPN}", name=f"scsi_{host}", syspath=f"/sys/{PCI}/host5/vport-5:0-0/{host}",
        subsystem="scsi",
    )  # fmt: skip
    with pytest.raises(DeviceChanged, match=f"{host} has WWPN 10000000c9831b9f now, not {WWPN}"):
        VportExecutor(str(kernel.root)).mark_of(stale)
