"""The sources on the real kernel, each test in a network namespace of its own; udevd where the test starts it."""

import asyncio
import os
import resource
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest

from hwcensus_agent.live import Live
from hwcensus_agent.look import HostLook
from hwcensus_agent.netlink import connection
from hwcensus_agent.netlink.frame import Message, messages
from hwcensus_agent.netlink.uevent import NETLINK_KOBJECT_UEVENT, UDEV
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources import SOURCES, Action, Hint, RtnetlinkSource, Source, UdevSource, Watch, walk
from hwcensus_agent.sources.udev import LOOK_EVERY
from hwcensus_agent.spool import Spool
from tests.fixtures.require import require
from tests.reality.test_sources_namespace import in_namespace
from tests.unit.test_uevent import MALFORMED

LIMIT = 20.0  # seconds, to wait for what must come
UDEVD = Path("/usr/lib/systemd/systemd-udevd")


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)


def ip(arguments: str) -> None:
    run(f"ip link {arguments}")


def net(name: str) -> str:
    return f"/sys/devices/virtual/net/{name}"


class Ear:
    """Remembers what a source says."""

    def __init__(self, source: Source) -> None:
        self.hints: list[Hint] = []
        self.gaps: list[str] = []
        self._news = asyncio.Event()
        source.attach(asyncio.get_running_loop(), self._hint, self._gap)

    def _hint(self, hint: Hint) -> None:
        self.hints.append(hint)
        self._news.set()

    def _gap(self, reason: str) -> None:
        self.gaps.append(reason)
        self._news.set()

    def said(self, action: Action, name: str) -> bool:
        return any(hint.action is action and hint.syspath == net(name) for hint in self.hints)

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT):
            while not enough():
                self._news.clear()
                await self._news.wait()

    def forget(self) -> None:
        self.hints.clear()


@contextmanager
def udevd() -> Iterator[None]:
    """A udevd of this namespace, ready for events; it is gone at the end."""
    require(UDEVD.exists(), "systemd-udevd is not installed")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind("/run/ready")
        ready.settimeout(LIMIT)
        environment = os.environ | {"NOTIFY_SOCKET": "/run/ready"}
        with subprocess.Popen([UDEVD, "--resolve-names=never"], env=environment, stderr=subprocess.DEVNULL) as process:
            try:
                while b"READY=1" not in ready.recv(4096):
                    pass
                yield
            finally:
                process.terminate()
                process.wait(LIMIT)
                Path("/run/ready").unlink()


@in_namespace
def test_a_bridge_comes_and_goes_in_the_kernels_own_events_where_no_udevd_runs() -> None:
    async def body() -> None:
        source = UdevSource()
        source.start()
        assert (source.works, source.group, source.why_kernel) == (
            True,
            "kernel",
            "no udevd runs here (nobody listens at /run/udev/control)",
        )
        ear = Ear(source)
        ip("add hwc0 type bridge")
        ip("del hwc0")
        await ear.until(lambda: ear.said(Action.REMOVE, "hwc0"))
        added = next(hint for hint in ear.hints if hint.syspath == net("hwc0") and hint.action is Action.ADD)
        assert (added.source, added.subsystem) == ("udev", "net")
        assert ear.gaps == []
        source.close()

    asyncio.run(body())


@in_namespace
def test_where_udevd_runs_its_events_are_heard_which_come_when_its_rules_have_run() -> None:
    async def body() -> None:
        source = UdevSource()
        source.start()
        assert (source.works, source.group, source.why_kernel) == (True, "udev", None)
        ear = Ear(source)
        ip("add hwc0 type bridge")
        await ear.until(lambda: ear.said(Action.ADD, "hwc0"))
        index = Path("/sys/class/net/hwc0/ifindex").read_text().strip()
        assert Path(f"/run/udev/data/n{index}").exists()
        ip("del hwc0")
        await ear.until(lambda: ear.said(Action.REMOVE, "hwc0"))
        source.close()

    with udevd():
        asyncio.run(body())


@in_namespace
def test_a_udevd_that_comes_and_goes_is_followed_and_each_change_is_a_gap() -> None:
    async def body() -> None:
        source = UdevSource()
        source.start()
        ear = Ear(source)
        source.check()
        assert (source.recheck(), ear.gaps) == (False, [])
        with udevd():
            assert source.recheck()
            source.check()
            assert (source.group, source.recheck(), ear.gaps) == ("udev", False, ["udevd-started"])
            ip("add hwc0 type bridge")
            await ear.until(lambda: ear.said(Action.ADD, "hwc0"))
        assert Path("/run/udev/control").exists(), "the file tells nothing"
        for _ in range(LOOK_EVERY):
            source.check()
        assert (source.group, ear.gaps) == ("kernel", ["udevd-started", "udevd-stopped"])
        ip("del hwc0")
        await ear.until(lambda: ear.said(Action.REMOVE, "hwc0"))
        source.close()

    asyncio.run(body())


@in_namespace
def test_a_udevd_that_was_started_anew_is_a_gap_for_it_missed_what_happened_meanwhile() -> None:
    async def body() -> None:
        source = UdevSource()
        with udevd():
            source.start()
            ear = Ear(source)
        with udevd():
            source.check()
            source.check()
            assert (source.group, ear.gaps) == ("udev", ["udevd-started"])
            ip("add hwc0 type bridge")
            await ear.until(lambda: ear.said(Action.ADD, "hwc0"))
        source.close()

    asyncio.run(body())


@in_namespace
def test_a_socket_that_could_not_be_had_is_asked_for_until_it_can() -> None:
    async def body() -> None:
        source = UdevSource()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            source.start()
            ear = Ear(source)
            source.check()
            assert (source.works, source.why_not, ear.gaps) == (False, "[Errno 24] Too many open files", [])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        source.check()
        assert (source.works, ear.gaps) == (True, ["udevd-stopped"])
        ip("add hwc0 type bridge")
        await ear.until(lambda: ear.said(Action.ADD, "hwc0"))
        source.close()

    asyncio.run(body())


@in_namespace
def test_what_happened_between_start_and_attach_is_told() -> None:
    async def body() -> None:
        sources = [make(Watch()) for name, make in SOURCES.items() if name != "clock"]
        for source in sources:
            source.start()
        ip("add hwc0 type bridge")
        assert net("hwc0") in {found.syspath for found in walk()}
        for source in sources:
            ear = Ear(source)
            await ear.until(lambda ear=ear: any(hint.syspath == net("hwc0") for hint in ear.hints))  # type: ignore[misc]
            source.close()

    asyncio.run(body())


@in_namespace
def test_a_rename_carries_where_the_device_was() -> None:
    async def body() -> None:
        ip("add hwc0 type bridge")
        for source in (UdevSource(), RtnetlinkSource()):
            source.start()
            ear = Ear(source)
            old, new = ("hwc0", "hwc1") if source.name == "udev" else ("hwc1", "hwc2")
            ip(f"set {old} name {new}")
            await ear.until(lambda ear=ear, new=new: ear.said(Action.MOVE, new))  # type: ignore[misc]
            move = next(hint for hint in ear.hints if hint.action is Action.MOVE and hint.syspath == net(new))
            assert move.old_syspath == net(old)
            source.close()

    asyncio.run(body())


@in_namespace
@pytest.mark.parametrize("make", [UdevSource, RtnetlinkSource])
def test_an_overflow_makes_one_gap_and_the_source_goes_on(make: type[UdevSource] | type[RtnetlinkSource]) -> None:
    async def body() -> None:
        source = make(receive_buffer=4096)
        source.start()
        ear = Ear(source)
        for number in range(40):
            ip(f"add b{number} type bridge")
        await ear.until(lambda: bool(ear.gaps))
        ip("del b39")
        await ear.until(lambda: ear.said(Action.REMOVE, "b39"))
        ip("add hwc0 type bridge")
        await ear.until(lambda: any(hint.syspath == net("hwc0") for hint in ear.hints))
        assert ear.gaps == ["netlink-overflow"]
        assert source.overflows == 1
        source.close()

    asyncio.run(body())


@in_namespace
@pytest.mark.parametrize("make", [UdevSource, RtnetlinkSource])
def test_what_an_overflow_lost_is_found_by_looking_and_the_outbox_has_the_gap_once(
    make: type[UdevSource] | type[RtnetlinkSource],
) -> None:
    async def body() -> None:
        source = make(receive_buffer=4096)
        source.start()
        spool = Spool(Path("/run/spool.db"), limit=1 << 24)
        told = asyncio.Event()
        live = Live(CensusSettings(), spool, HostLook(CensusSettings()), "udev", told.set)
        source.attach(asyncio.get_running_loop(), live.hint, partial(live.gap, source.name))
        running = asyncio.create_task(live.run())
        names = {f"b{number}" for number in range(40)}
        for name in names:
            ip(f"add {name} type bridge")
        async with asyncio.timeout(LIMIT):
            while not all(live.census.find(f"net_{name}") for name in names):
                told.clear()
                await told.wait()
        running.cancel()
        rows = spool.next_rows(1000)
        gaps = [(row.detail["source"], row.detail["reason"]) for row in rows if row.type == "gap"]
        assert (gaps, source.overflows) == ([(source.name, "netlink-overflow")], 1)
        added = [row.sight.name for row in rows if row.sight is not None and row.sight.name.startswith("net_b")]
        assert sorted(added) == sorted(f"net_{name}" for name in names)
        source.close()
        spool.close()

    asyncio.run(body())


@in_namespace
def test_no_message_ends_the_udev_source_however_malformed() -> None:
    async def body() -> None:
        source = UdevSource()
        source.start()
        failed: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
        ear = Ear(source)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as sender:
            for message in filter(None, MALFORMED):
                sender.sendto(message, (0, UDEV))
        ip("add hwc0 type bridge")
        await ear.until(lambda: ear.said(Action.ADD, "hwc0"))
        assert failed == []
        assert source.malformed == len(MALFORMED) - 1
        assert set(ear.gaps) == {"netlink-malformed"}
        source.close()

    with udevd():
        asyncio.run(body())


@in_namespace
def test_no_message_ends_the_rtnetlink_source_however_it_was_cut() -> None:
    async def body() -> None:
        source = RtnetlinkSource()
        source.start()
        ear = Ear(source)
        cuts = iter((1, 15, 16, 20, 31, 33, 40))

        def cut(datagram: bytes) -> Iterator[Message]:
            at = next(cuts, None)
            return messages(datagram if at is None else datagram[:at])

        with patch.object(connection, "messages", cut):
            for number in range(7):
                ip(f"add b{number} type bridge")
            ip("add hwc0 type bridge")
            await ear.until(lambda: ear.said(Action.CHANGE, "hwc0"))
        assert source.malformed == 7
        assert set(ear.gaps) == {"netlink-malformed"}
        source.close()

    asyncio.run(body())


@in_namespace
def test_a_port_that_joins_and_leaves_a_bridge_hints_at_both() -> None:
    async def body() -> None:
        for line in ("add hwc0 type bridge", "add hwc1 type bridge", "add i0 type ifb"):
            ip(line)
        source = RtnetlinkSource()
        source.start()
        assert source.works
        ear = Ear(source)
        ip("set i0 master hwc0")
        await ear.until(lambda: ear.said(Action.CHANGE, "i0") and ear.said(Action.CHANGE, "hwc0"))
        ear.forget()
        ip("set i0 master hwc1")
        await ear.until(lambda: all(ear.said(Action.CHANGE, name) for name in ("i0", "hwc0", "hwc1")))
        ear.forget()
        ip("set i0 nomaster")
        await ear.until(lambda: ear.said(Action.CHANGE, "i0") and ear.said(Action.CHANGE, "hwc1"))
        ip("set i0 master hwc0")
        ip("del i0")
        await ear.until(lambda: ear.said(Action.REMOVE, "i0"))
        assert not any(hint.action is Action.REMOVE and hint.syspath != net("i0") for hint in ear.hints)
        source.close()

    asyncio.run(body())


@in_namespace
@pytest.mark.parametrize("line", ["set hwc0 address 02:00:00:00:00:09", "set hwc0 mtu 1400", "set hwc0 up"])
def test_what_no_uevent_tells_rtnetlink_does(line: str) -> None:
    async def body() -> None:
        ip("add hwc0 type bridge")
        source = RtnetlinkSource()
        source.start()
        ear = Ear(source)
        ip(line)
        await ear.until(lambda: ear.said(Action.CHANGE, "hwc0"))
        ip("del hwc0")
        await ear.until(lambda: ear.said(Action.REMOVE, "hwc0"))
        source.close()

    asyncio.run(body())


@in_namespace
def test_a_port_that_gets_carrier_hints_at_its_master_too() -> None:
    async def body() -> None:
        for line in ("add hwc0 type bridge", "add v0 type veth peer name v1", "set v0 master hwc0", "set v0 up"):
            ip(line)
        source = RtnetlinkSource()
        source.start()
        ear = Ear(source)
        ip("set v1 up")
        await ear.until(lambda: ear.said(Action.CHANGE, "v0") and ear.said(Action.CHANGE, "hwc0"))
        source.close()

    asyncio.run(body())


@in_namespace
def test_a_link_of_which_the_same_is_said_again_is_no_news() -> None:
    """Setting an alias sends a message each time, whether it is another one or not."""

    async def body() -> None:
        for line in ("add i0 type ifb", "set i0 up", "add i1 type ifb"):
            ip(line)
        source = RtnetlinkSource()
        source.start()
        ear = Ear(source)
        for _ in range(5):
            ip("set i0 alias uplink")
        ip("set i0 alias downlink")
        ip("del i1")
        await ear.until(lambda: ear.said(Action.REMOVE, "i1"))
        assert [hint.action for hint in ear.hints if hint.syspath == net("i0")] == [Action.CHANGE, Action.CHANGE]
        source.close()

    asyncio.run(body())


@in_namespace
def test_a_renamed_bridge_hints_at_its_ports_for_they_name_it() -> None:
    async def body() -> None:
        for line in ("add hwc0 type bridge", "add i0 type ifb", "set i0 master hwc0"):
            ip(line)
        source = RtnetlinkSource()
        source.start()
        ear = Ear(source)
        ip("set hwc0 name hwc1")
        await ear.until(lambda: ear.said(Action.MOVE, "hwc1") and ear.said(Action.CHANGE, "i0"))
        source.close()

    asyncio.run(body())


@in_namespace
def test_links_that_our_sysfs_does_not_show_give_no_hint() -> None:
    """As in a container that sees the host's network but a sysfs of its own."""

    async def body() -> None:
        run("umount /sys")  # the machine's sysfs comes to light: another namespace's links
        source = RtnetlinkSource()
        source.start()
        ear = Ear(source)
        ip("add ifb0 type ifb")  # a name that the machine may have too
        ip("add v0 type veth peer name v1")
        ip("del v0")
        ip("del ifb0")
        run("mount -t sysfs sysfs /sys")
        ip("add i0 type ifb")
        await ear.until(lambda: any(hint.syspath == net("i0") for hint in ear.hints))
        assert {hint.syspath for hint in ear.hints} == {net("i0")}
        source.close()

    asyncio.run(body())


@in_namespace
def test_a_device_whose_path_is_not_text_is_heard_of_like_any_other() -> None:
    latin = os.fsdecode(b"br\xe9")

    async def body() -> None:
        source = UdevSource()
        source.start()
        ear = Ear(source)
        ip(f"add {latin} type bridge")
        await ear.until(lambda: ear.said(Action.ADD, latin))
        assert ear.gaps == []
        assert net(latin) in {found.syspath for found in source.enumerate()}
        source.close()

    asyncio.run(body())


def test_the_walk_finds_what_libudev_finds() -> None:
    pyudev = pytest.importorskip("pyudev")
    theirs = {(device.sys_path, device.subsystem) for device in pyudev.Context().list_devices()}
    ours = {(found.syspath, found.subsystem) for found in walk()}
    assert {path for path, _ in ours ^ theirs if Path(path).exists()} == set()
