"""The HAL source over a real D-Bus: what it hints at, and what it makes of a hald's bad manners and of its absence."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from dbus_next.message import Message

from hwcensus.classes.net import Net
from hwcensus_agent.enumerate import Enumerator
from hwcensus_agent.hal import client
from hwcensus_agent.hal.bus import Bus
from hwcensus_agent.hal.client import BUS, BUS_PATH, MANAGER, MANAGER_PATH, NAME
from hwcensus_agent.hal.devices import HalDevices
from hwcensus_agent.host import NO_SYSFS
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources import Action, Hint, lead
from hwcensus_agent.sources.hal import STARTED, STOPPED, HalSource
from tests.fixtures.hald import PREFIX, Hald, interface, private_bus, recorded
from tests.fixtures.process import program_environment

NET = "/sys/devices/virtual/net"


class Listener:
    """A source with what it hinted at, and waiting for it."""

    def __init__(self, address: str) -> None:
        self.devices = HalDevices()
        self.source = HalSource(address, self.devices)
        self.hints: list[tuple[str, str]] = []
        self.gaps: list[str] = []
        self._news = asyncio.Condition()

    async def start(self) -> None:
        await self.source.connect()
        self.source.start()
        self.source.attach(asyncio.get_running_loop(), self._hint, self._gap)

    async def until(self, *told: tuple[Action, str]) -> None:
        """Waits until just these hints were given, in this order, those to look at everything apart."""
        wanted = [(action.value, path) for action, path in told]
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: len(self.hints) >= len(wanted))
        assert self.hints == wanted
        self.hints.clear()

    async def until_gap(self, *reasons: str) -> None:
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: len(self.gaps) >= len(reasons))
        assert self.gaps == list(reasons)

    def _hint(self, hint: Hint) -> None:
        if hint.action is not Action.ENUMERATE:
            self.hints.append((hint.action.value, hint.syspath))
            self._tell()

    def _gap(self, reason: str) -> None:
        self.gaps.append(reason)
        self._tell()

    def _tell(self) -> None:
        async def notify() -> None:
            async with self._news:
                self._news.notify_all()

        self._notifying = asyncio.get_running_loop().create_task(notify())


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[str]:
    async with private_bus(tmp_path) as address:
        yield address


@pytest.fixture
async def hald(bus: str) -> AsyncIterator[Hald]:
    async with Hald(bus, recorded("lab-vm")) as daemon:
        yield daemon


@pytest.fixture
async def listener(bus: str, hald: Hald) -> AsyncIterator[Listener]:
    heard = Listener(bus)
    await heard.start()
    assert heard.source.works
    yield heard
    heard.source.close()


async def test_all_devices_come_in_one_call(listener: Listener, hald: Hald) -> None:
    assert {device.udi for device in listener.devices.by_path.values()} == hald.devices.keys()
    assert hald.asked == []


async def test_an_old_hald_is_asked_for_each_device(bus: str) -> None:
    async with Hald(bus, recorded("fcserver"), old=True) as old:
        listener = Listener(bus)
        await listener.start()
        assert listener.source.works
        assert sorted(old.asked) == sorted(old.devices)
        assert listener.devices.get(PREFIX + "computer") is not None
        listener.source.close()


async def test_devices_that_come_change_move_and_go_are_hinted_at(listener: Listener, hald: Hald) -> None:
    udi = f"{PREFIX}net_br0"
    await hald.add(udi, interface("br0", f"{NET}/br0"))
    await listener.until((Action.ADD, f"{NET}/br0"))
    await hald.modify(udi, "net.address", "s", "52:54:00:00:00:02")
    await listener.until((Action.CHANGE, f"{NET}/br0"))
    await hald.modify(udi, "linux.sysfs_path", "s", f"{NET}/br9")
    await listener.until((Action.MOVE, f"{NET}/br9"))
    await hald.remove(udi)
    await listener.until((Action.REMOVE, f"{NET}/br9"))
    assert f"{NET}/br9" not in listener.devices.by_path


async def test_a_device_that_went_before_it_could_be_asked_is_no_device(listener: Listener, hald: Hald) -> None:
    await hald.add(f"{PREFIX}net_br0", interface("br0", f"{NET}/br0"))
    hald.devices.pop(f"{PREFIX}net_br0")
    await hald.add(f"{PREFIX}net_br1", interface("br1", f"{NET}/br1"))
    await listener.until((Action.ADD, f"{NET}/br1"))
    assert listener.source.works


async def test_one_that_went_and_came_between_two_questions_went_and_came(listener: Listener, hald: Hald) -> None:
    udi = f"{PREFIX}net_br0"
    await hald.add(udi, interface("br0", f"{NET}/br0"))
    await listener.until((Action.ADD, f"{NET}/br0"))
    await asyncio.gather(hald.remove(udi), hald.add(udi, interface("br0", f"{NET}/br0")))
    await listener.until((Action.REMOVE, f"{NET}/br0"), (Action.ADD, f"{NET}/br0"))


async def test_an_answer_that_never_comes_leaves_the_device_as_it_was(
    listener: Listener, hald: Hald, monkeypatch: pytest.MonkeyPatch
) -> None:
    udi = f"{PREFIX}net_br0"
    await hald.add(udi, interface("br0", f"{NET}/br0"))
    await listener.until((Action.ADD, f"{NET}/br0"))
    monkeypatch.setattr(client, "REPLY_S", 0.2)
    hald.silent.add(udi)
    await hald.modify(udi, "net.address", "s", "52:54:00:00:00:02")
    await listener.until((Action.CHANGE, f"{NET}/br0"))
    assert listener.devices.by_path[f"{NET}/br0"].text("net.address") == "52:54:00:00:00:01"
    assert listener.source.works


async def test_an_error_that_is_not_about_the_device_leaves_it_as_it_was(listener: Listener, hald: Hald) -> None:
    udi = f"{PREFIX}net_br0"
    await hald.add(udi, interface("br0", f"{NET}/br0"))
    await listener.until((Action.ADD, f"{NET}/br0"))
    hald.refused.add(udi)
    await hald.modify(udi, "net.address", "s", "52:54:00:00:00:02")
    await listener.until((Action.CHANGE, f"{NET}/br0"))
    assert f"{NET}/br0" in listener.devices.by_path


async def test_a_device_about_which_hald_did_not_answer_is_asked_about_again(listener: Listener, hald: Hald) -> None:
    udi = f"{PREFIX}net_br0"
    hald.refused.add(udi)
    await hald.add(udi, interface("br0", f"{NET}/br0"))
    await hald.add(f"{PREFIX}net_br1", interface("br1", f"{NET}/br1"))
    await listener.until((Action.ADD, f"{NET}/br1"))
    hald.refused.clear()
    listener.source.check()
    await listener.until((Action.ADD, f"{NET}/br0"))
    hald.asked.clear()
    listener.source.check()
    await hald.add(f"{PREFIX}net_br2", interface("br2", f"{NET}/br2"))
    await listener.until((Action.ADD, f"{NET}/br2"))
    assert hald.asked == [f"{PREFIX}net_br2"]


async def test_an_old_hald_that_is_silent_about_a_device_in_its_list_does_not_remove_it(bus: str) -> None:
    listener, udi = Listener(bus), f"{PREFIX}net_br0"
    devices = recorded("lab-vm") | {udi: interface("br0", f"{NET}/br0")}
    async with Hald(bus, devices, old=True) as hald:
        await listener.start()
        hald.refused.add(udi)
        await hald.ready()
        await listener.until_gap(STARTED)
        assert f"{NET}/br0" in listener.devices.by_path
        listener.source.close()


async def test_a_hald_that_cannot_be_asked_for_its_list_is_a_failed_source_until_it_can(bus: str) -> None:
    listener = Listener(bus)
    async with Hald(bus, recorded("lab-vm")) as hald:
        hald.refused.add(MANAGER_PATH)
        await listener.start()
        assert "LimitsExceeded" in (listener.source.why_not or "")
        await hald.ready()
        hald.refused.clear()
        await hald.ready()
        await listener.until_gap(STARTED)
        assert listener.source.works
        listener.source.close()


async def test_what_goes_right_after_a_list_that_was_asked_for_again_is_heard(bus: str) -> None:
    listener, udi = Listener(bus), f"{PREFIX}net_br0"
    async with Hald(bus, recorded("lab-vm") | {udi: interface("br0", f"{NET}/br0")}) as hald:
        hald.refused.add(MANAGER_PATH)
        await listener.start()
        hald.refused.clear()
        hald.going.add(udi)
        listener.source.check()
        await listener.until((Action.REMOVE, f"{NET}/br0"))
        assert f"{NET}/br0" not in listener.devices.by_path
        listener.source.close()


async def test_signals_of_a_program_that_is_no_hald_are_not_heard(listener: Listener, hald: Hald, bus: str) -> None:
    stranger = Bus(bus)
    await stranger.connect()
    left = Message.new_signal("/", BUS, "NameOwnerChanged", "sss", [NAME, ":1.1", ""])
    added = Message.new_signal(MANAGER_PATH, MANAGER, "DeviceAdded", "s", [f"{PREFIX}net_evil"])
    for signal in (left, added):
        for number in range(20):  # who listens is one of these
            signal.destination = f":1.{number}"
            signal.serial = 0
            await stranger.send(signal)
    await stranger.call(Message(destination=BUS, path=BUS_PATH, interface=BUS, member="GetId"))  # all are delivered
    await hald.add(f"{PREFIX}net_br1", interface("br1", f"{NET}/br1"))
    await listener.until((Action.ADD, f"{NET}/br1"))
    assert listener.gaps == []
    assert f"{PREFIX}net_evil" not in hald.asked
    stranger.hang_up()


async def test_a_burst_of_a_thousand_devices_is_heard_whole(listener: Listener, hald: Hald) -> None:
    names = [f"br{number}" for number in range(1000)]
    for name in names:
        await hald.add(f"{PREFIX}net_{name}", interface(name, f"{NET}/{name}"))
    await listener.until(*((Action.ADD, f"{NET}/{name}") for name in names))
    assert listener.gaps == []


async def test_a_hald_that_leaves_is_a_failed_source_and_its_devices_stay(listener: Listener, hald: Hald) -> None:
    before = dict(listener.devices.by_path)
    hald.leave()
    await listener.until_gap(STOPPED)
    assert (listener.source.works, listener.source.why_not) == (False, "hald left the bus")
    assert listener.devices.by_path == before
    assert listener.hints == []


async def test_a_hald_that_comes_back_is_listed_anew(listener: Listener, hald: Hald, bus: str) -> None:
    hald.leave()
    await listener.until_gap(STOPPED)
    async with Hald(bus, recorded("lab-vm")) as again:
        again.devices[f"{PREFIX}net_br7"] = interface("br7", f"{NET}/br7")
        await again.ready()
        await listener.until_gap(STOPPED, STARTED)
        assert listener.source.works
        assert f"{NET}/br7" in listener.devices.by_path


async def test_a_bus_that_goes_is_looked_for_until_it_is_back(tmp_path: Path) -> None:
    async with private_bus(tmp_path) as address, Hald(address, recorded("lab-vm")):
        listener = Listener(address)
        await listener.start()
    await listener.until_gap(STOPPED)
    listener.source.check()
    async with private_bus(tmp_path) as address, Hald(address, recorded("lab-vm")):
        while not listener.source.works:
            listener.source.check()
            await asyncio.sleep(0)
        await listener.until_gap(STOPPED, STARTED)
        listener.source.close()


async def test_nobody_at_the_address_is_said_and_nothing_is_raised(tmp_path: Path) -> None:
    listener = Listener(f"unix:path={tmp_path}/nothing")
    await listener.start()
    assert not listener.source.works
    assert "No such file" in (listener.source.why_not or "")


async def test_a_bus_that_hangs_up_while_we_sign_in_is_no_bus(tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_unix_server(hang_up, tmp_path / "bus"):
        listener = Listener(f"unix:path={tmp_path}/bus")
        await listener.start()
        assert not listener.source.works


async def test_a_udi_that_is_no_object_path_is_left_out(listener: Listener, hald: Hald) -> None:
    await hald.add(f"{PREFIX}block_QEMU HARDDISK-QM00001", interface("br0", f"{NET}/br0"))
    await hald.add(f"{PREFIX}net_br1", interface("br1", f"{NET}/br1"))
    await listener.until((Action.ADD, f"{NET}/br1"))


async def test_a_hald_that_is_still_starting_is_waited_for(bus: str) -> None:
    half = recorded("lab-vm")
    computer = half.pop(f"{PREFIX}computer")
    async with Hald(bus, half) as hald:
        listener = Listener(bus)
        await listener.start()
        assert (listener.source.works, listener.source.why_not) == (False, "hald is still starting")
        assert listener.devices.by_path == {}
        hald.devices[f"{PREFIX}computer"] = computer
        await hald.ready()
        await listener.until_gap(STARTED)
        assert listener.source.works
        listener.source.close()


async def test_a_hald_that_is_cut_off_in_mid_burst_is_a_failed_source_and_removes_nothing(
    listener: Listener, hald: Hald
) -> None:
    """The bus does that to who sends text that is not UTF-8."""
    before = dict(listener.devices.by_path)
    for number in range(50):
        await hald.add(f"{PREFIX}net_br{number}", interface(f"br{number}", f"{NET}/br{number}"))
    hald.leave()
    await listener.until_gap(STOPPED)
    assert before.keys() <= listener.devices.by_path.keys()
    assert {action for action, _ in listener.hints} <= {"add"}


async def test_signals_out_of_order_come_to_the_truth(listener: Listener, hald: Hald) -> None:
    udi = f"{PREFIX}net_br0"
    hald.devices[udi] = interface("br0", f"{NET}/br0")
    await hald.modify(udi, "net.address", "s", "52:54:00:00:00:02")  # of a device that nobody said is there
    await listener.until((Action.ADD, f"{NET}/br0"))
    await hald.add(udi, hald.devices[udi])
    await listener.until((Action.CHANGE, f"{NET}/br0"))
    await hald.remove(f"{PREFIX}net_nobody_knows")
    await hald.remove(udi)
    await listener.until((Action.REMOVE, f"{NET}/br0"))


async def test_values_of_the_wrong_type_cost_their_facts_and_no_device(listener: Listener, hald: Hald) -> None:
    wrong = interface("br0", f"{NET}/br0") | {"net.address": ["i", 7], "net.interface": ["as", ["br0"]]}
    await hald.add(f"{PREFIX}net_br0", wrong)
    await hald.add(f"{PREFIX}net_br1", interface("br1", f"{NET}/br1") | {"linux.sysfs_path": ["u", 1]})
    await listener.until((Action.ADD, f"{NET}/br0"))
    devices = {one.name: one.device for one in Enumerator(NO_SYSFS, (), listener.devices).everything().devices}
    assert devices["net_br0"].capabilities == (Net(interface="br0"),)
    assert "net_br1" not in devices


async def test_an_error_of_our_own_while_following_is_a_failed_source_that_comes_back(
    listener: Listener, hald: Hald, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(listener.devices, "take", None)
        await hald.add(f"{PREFIX}net_br0", interface("br0", f"{NET}/br0"))
        await listener.until_gap(STOPPED)
    listener.source.check()
    await listener.until_gap(STOPPED, STARTED)
    assert f"{NET}/br0" in listener.devices.by_path


async def test_a_path_that_leads_out_of_sysfs_is_no_path(listener: Listener, hald: Hald) -> None:
    await hald.add(f"{PREFIX}net_br0", interface("br0", "/sys/devices/../../etc"))
    await hald.add(f"{PREFIX}net_br1", interface("br1", f"{NET}/br1"))
    await listener.until((Action.ADD, f"{NET}/br1"))


@pytest.mark.parametrize(
    "group, leads", [("kernel", "hal"), ("kernel", "udev"), ("udev", "udev")], ids=["hald", "neither", "udevd"]
)
async def test_by_itself_udev_leads_where_it_runs_and_hal_where_only_that_does(
    bus: str, monkeypatch: pytest.MonkeyPatch, group: str, leads: str
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
    monkeypatch.setattr(lead, "SYSTEM_BUS", (Path(bus.partition("path=")[2].partition(",")[0]),))
    monkeypatch.setattr(lead, "wanted_group", lambda: group)
    devices = HalDevices()
    async with AsyncExitStack() as running:
        if (group, leads) != ("kernel", "udev"):
            await running.enter_async_context(Hald(bus, recorded("lab-vm")))
        found = await lead.find_lead(CensusSettings(), devices)
        assert (found.name, bool(devices.by_path)) == (leads, leads == "hal")
        found.close()


async def listing(*words: str) -> tuple[int, str, str]:
    """What `hwcensus-agent list` says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hwcensus_agent.main", "list", *words,
        env=program_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_functional_devices_are_listed_below_their_pci_or_usb_device(bus: str) -> None:
    async with Hald(bus, recorded("desktop")):
        code, shown, _ = await listing("--tree", "--source", "hal", "--hal-address", bus, "--sysroot", "none")
    assert code == 0
    assert re.search(r"pci_0000_02_00_0 .*\n.* └─ net_eth0", shown)
    assert re.search(r"pci_0000_03_00_0 .*\n(.*ieee80211.*\n)?.* [├└]─ net_wlan0", shown)
    assert re.search(r"usb_5_1 .*\n.* └─ usb_5_1_1_0.*\n.* └─ scsi_host6", shown)


async def test_a_source_that_was_asked_for_and_is_not_there_is_said(bus: str) -> None:
    code, shown, error = await listing("--source", "hal", "--hal-address", bus, "--sysroot", "none")
    assert (code, shown) == (4, "")
    assert error.startswith("hwcensus-agent: source-unavailable: no hald is reachable (no hald on the bus)")


async def test_another_hosts_bus_with_this_hosts_sysfs_is_refused(bus: str) -> None:
    code, _, error = await listing("--source", "hal", "--hal-address", bus)
    assert code == 2
    assert "census.sysroot" in error
