"""USB devices let go of by their drivers and offered again: every refusal, each interface, and what a crash leaves."""

from pathlib import Path

import pytest

from hwcensus.errors import HwcensusError, Refused
from hwcensus.names import device_name
from hwcensus_agent.commands.census_port import Target
from hwcensus_agent.commands.executors import usb_binder
from hwcensus_agent.commands.executors.executor import InUse, KernelRefused
from hwcensus_agent.commands.executors.usb_binder import UsbBinder
from hwcensus_agent.commands.executors.way_keeper import WayKeeper
from tests.unit.driver_core import Agent, DriverCore, FakeWay, Killed, order
from tests.unit.sysfs_tree import Tree

KEYBOARD, MODEM = "1-1", "1-2"
BUS = "devices/pci0000:00/0000:00:14.0/usb1"


def target(kernel_name: str, path: str = BUS) -> Target:
    return Target(
        identity=f"usb/place/{kernel_name}", name=device_name("usb", kernel_name),
        syspath=f"/sys/{path}/{kernel_name}", subsystem="usb",
    )  # fmt: skip


DEVICE, SERIAL = target(KEYBOARD), target(MODEM)
INTERFACE, HUB = target("1-1:1.0", f"{BUS}/1-1"), target("usb1", "devices/pci0000:00/0000:00:14.0")


class Host:
    """A keyboard of two interfaces, and a modem whose driver has both of its, or none."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tree = Tree(root)
        self.kernel = DriverCore(self.tree, monkeypatch)
        self.way = FakeWay()
        self._device("usb1", BUS, bDeviceClass="09")
        for name, driver in ((KEYBOARD, "usbhid"), (MODEM, "cdc_acm")):
            path = f"{BUS}/{name}"
            self._device(name, path, idVendor="0627", idProduct="0001", devnum="2", bDeviceClass="00")
            for interface in (f"{name}:1.0", f"{name}:1.1"):
                self._device(interface, f"{path}/{interface}", modalias="usb:v0627")
                self.has_driver(interface, driver)
                self.kernel.wants[interface] = driver
        self.kernel.together = {f"{MODEM}:1.0": f"{MODEM}:1.1", f"{MODEM}:1.1": f"{MODEM}:1.0"}

    def agent(self) -> Agent:
        binder = WayKeeper(UsbBinder(str(self.tree.sys)), self.way)
        return Agent(self.tree, binder, self.targets())

    def targets(self) -> list[Target]:
        interfaces = [target(f"{name}:1.{n}", f"{BUS}/{name}") for name in (KEYBOARD, MODEM) for n in (0, 1)]
        return [DEVICE, SERIAL, HUB, *interfaces]

    def has_driver(self, interface: str, driver: str | None) -> None:
        path = f"{BUS}/{interface.partition(':')[0]}/{interface}/driver"
        (self.tree.sys / path).unlink(missing_ok=True)
        if driver is not None:
            self.tree.link(path, f"bus/usb/drivers/{driver}")

    def has(self, device: str = KEYBOARD) -> list[str | None]:
        links = [self.tree.sys / BUS / device / f"{device}:1.{n}/driver" for n in (0, 1)]
        return [link.resolve().name if link.exists() else None for link in links]

    def _device(self, name: str, path: str, **attributes: str) -> None:
        self.tree.device("bus/usb/devices", path, **attributes)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


async def test_a_detached_device_has_no_drivers_and_a_reattached_one_its_own(host: Host) -> None:
    agent = host.agent()
    assert (await agent.does(order("detach", DEVICE))).state == "succeeded"
    assert host.has() == [None, None]
    answer = await agent.does(order("reattach", DEVICE))
    assert (answer.state, answer.text) == ("succeeded", None)
    assert host.has() == ["usbhid", "usbhid"]


async def test_a_driver_that_lets_go_of_two_interfaces_at_once_is_asked_for_one(host: Host) -> None:
    agent = host.agent()
    assert (await agent.does(order("detach", SERIAL))).state == "succeeded"
    assert host.has(MODEM) == [None, None]
    assert host.kernel.orders == ["unbind 1-2:1.0"]
    assert host.has(KEYBOARD) == ["usbhid", "usbhid"]


async def test_an_interface_that_no_driver_wants_is_named(host: Host) -> None:
    agent = host.agent()
    await agent.does(order("detach", DEVICE))
    del host.kernel.wants["1-1:1.1"]
    answer = await agent.does(order("reattach", DEVICE))
    assert (answer.state, answer.text) == ("succeeded", "no driver of this host takes 1-1:1.1")
    assert host.has() == ["usbhid", None]


async def test_what_a_guest_has_is_detached_and_taken_from_it_by_reattach(host: Host) -> None:
    for interface in ("1-1:1.0", "1-1:1.1"):
        host.has_driver(interface, "usbfs")
    agent = host.agent()
    with pytest.raises(Refused) as refused:
        await agent.does(order("detach", DEVICE))
    assert refused.value.code == "already-detached"
    assert (await agent.does(order("reattach", DEVICE))).state == "succeeded"
    assert host.has() == ["usbhid", "usbhid"]


@pytest.mark.parametrize(
    "device, code, said",
    [
        (HUB, "is-hub", "usb_usb1 is a hub: name what is plugged into it"),
        (INTERFACE, "not-detachable", "usb_1_1_1_0 is no USB device: its interfaces are detached together"),
    ],
)
@pytest.mark.parametrize("type_", ["detach", "reattach"])
async def test_hubs_and_single_interfaces_stay_even_by_force(
    host: Host, type_: str, device: Target, code: str, said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        await host.agent().does(order(type_, device, force=True))
    assert refused.value.code == code
    assert host.kernel.orders == []


async def test_who_is_not_detached_is_told_so(host: Host) -> None:
    with pytest.raises(Refused, match=r"usb_1_1 is not detached: usbhid has 1-1:1\.0") as refused:
        await host.agent().does(order("reattach", DEVICE))
    assert refused.value.code == "not-detached"


async def test_a_usb_device_is_given_to_no_driver(host: Host) -> None:
    with pytest.raises(HwcensusError, match="given to no driver") as refused:
        await host.agent().does(order("detach", DEVICE, driver="vfio-pci"))
    assert refused.value.code == "bad-driver"


async def test_a_network_adapter_that_carries_the_way_to_kafka_stays_unless_forced(host: Host) -> None:
    host.way = FakeWay(DEVICE.syspath)
    agent = host.agent()
    with pytest.raises(Refused) as refused:
        await agent.does(order("detach", DEVICE))
    assert refused.value.code == "carries-kafka"
    host.way.is_lost = True
    with pytest.raises(Refused) as refused:
        await agent.does(order("detach", DEVICE, force=True))
    assert refused.value.code == "way-lost"
    assert host.has() == ["usbhid", "usbhid"]


async def test_a_stick_that_is_mounted_stays_unless_forced(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb_binder, "holders", lambda *_: ("/dev/sda is mounted at /mnt",))
    agent = host.agent()
    with pytest.raises(InUse, match="/dev/sda is mounted at /mnt"):
        await agent.does(order("detach", DEVICE))
    assert (await agent.does(order("detach", DEVICE, force=True))).state == "succeeded"


async def test_a_device_whose_driver_comes_back_at_once_is_not_detached(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = host.kernel.write

    def stubborn(path: str, text: str) -> None:
        write(path, text)
        if path.endswith("unbind"):
            host.has_driver(text, "usbhid")

    monkeypatch.setattr("hwcensus_agent.commands.executors.drivers.write", stubborn)
    with pytest.raises(KernelRefused, match="usb_1_1 did not stay without drivers: usbhid has 1-1:1"):
        await host.agent().does(order("detach", DEVICE))


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("type_", ["detach", "reattach"])
async def test_killed_at_any_interface_it_is_done_whole_or_undone_whole(host: Host, type_: str, number: int) -> None:
    agent = host.agent()
    if type_ == "reattach":
        await agent.does(order("detach", DEVICE))
    before = host.has()
    host.kernel.kill_at(number)
    with pytest.raises(Killed):
        await agent.does(order(type_, DEVICE))
    host.kernel.kill_at(None)
    (answer,) = await agent.starts_again()
    if number < 3:
        assert (answer.state, answer.code) == ("failed", "interrupted")
        assert host.has() == before
    else:
        assert answer.state == "succeeded"
        assert host.has() == ([None, None] if type_ == "detach" else ["usbhid", "usbhid"])


async def test_another_device_in_its_port_after_a_crash_is_left_alone(host: Host) -> None:
    agent = host.agent()
    host.kernel.kill_at(1)
    with pytest.raises(Killed):
        await agent.does(order("detach", DEVICE))
    host.kernel.kill_at(None)
    (host.tree.sys / BUS / KEYBOARD / "devnum").write_text("3\n")
    (answer,) = await agent.starts_again()
    assert (answer.code, host.has()) == ("interrupted", [None, "usbhid"])
