"""PCI functions detached for guests and given back: every refusal, each step, and what a crash between two leaves."""

from pathlib import Path

import pytest

from hwcensus.errors import Refused
from hwcensus.names import device_name
from hwcensus_agent.commands.census_port import Target
from hwcensus_agent.commands.executors import pci_holders
from hwcensus_agent.commands.executors.executor import InUse, KernelRefused
from hwcensus_agent.commands.executors.pci_binder import PciBinder
from hwcensus_agent.commands.executors.way_keeper import WayKeeper
from hwcensus_agent.way import WayLost
from tests.unit.driver_core import Agent, DriverCore, FakeWay, Killed, order
from tests.unit.sysfs_tree import Tree

NIC, OTHER = "0000:00:03.0", "0000:00:03.1"


class Host:
    """A network card of two functions, each in a group of its own, and vfio-pci."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tree = Tree(root)
        self.kernel = DriverCore(self.tree, monkeypatch)
        self.way = FakeWay()
        for address, group in ((NIC, 7), (OTHER, 8)):
            self.function(address, group=group)
        (self.tree.sys / "bus/pci/drivers/vfio-pci").mkdir(parents=True)

    def function(
        self, address: str, *, group: int | None, driver: str | None = "e1000e", class_: str = "0x020000", **more: str
    ) -> None:
        path = f"devices/pci0000:00/{address}"
        self.tree.device("bus/pci/devices", path, **{
            "class": class_, "modalias": f"pci:{address}", "driver_override": "(null)", **more,
        })  # fmt: skip
        if group is not None:
            self.tree.link(f"{path}/iommu_group", f"kernel/iommu_groups/{group}")
            self.tree.link(f"kernel/iommu_groups/{group}/devices/{address}", path)
        if driver is not None:
            self.tree.link(f"{path}/driver", f"bus/pci/drivers/{driver}")
            self.kernel.wants[address] = driver

    def binder(self) -> WayKeeper:
        return WayKeeper(PciBinder(str(self.tree.sys)), self.way)

    def agent(self) -> Agent:
        return Agent(self.tree, self.binder(), map(target, (NIC, OTHER)))

    def folder(self, address: str = NIC) -> Path:
        return self.tree.sys / "devices/pci0000:00" / address

    def has(self, address: str = NIC) -> tuple[str | None, str]:
        """Driver and override."""
        driver = self.folder(address) / "driver"
        override = (self.folder(address) / "driver_override").read_text().strip()
        return driver.resolve().name if driver.exists() else None, override


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def target(address: str) -> Target:
    return Target(
        identity=f"pci/place/{address}", name=device_name("pci", address),
        syspath=f"/sys/devices/pci0000:00/{address}", subsystem="pci",
    )  # fmt: skip


FUNCTION = target(NIC)
AS_BEFORE, DETACHED = ("e1000e", "(null)"), ("vfio-pci", "vfio-pci")


async def test_a_detached_function_is_vfios_and_kept_for_it_and_a_reattached_one_anybodys(host: Host) -> None:
    agent = host.agent()
    assert (await agent.does(order("detach", FUNCTION))).state == "succeeded"
    assert host.has() == DETACHED
    assert host.kernel.orders == ["driver_override vfio-pci", f"unbind {NIC}", f"drivers_probe {NIC}"]

    host.kernel.orders.clear()
    answer = await agent.does(order("reattach", FUNCTION))
    assert (answer.state, answer.text) == ("succeeded", None)
    assert host.has() == AS_BEFORE
    assert host.kernel.orders == [f"unbind {NIC}", "driver_override", f"drivers_probe {NIC}"]


@pytest.mark.parametrize("driver", ["pci-stub", "mlx5_vfio_pci"])
async def test_a_function_is_given_to_the_driver_that_the_command_names(host: Host, driver: str) -> None:
    host.kernel.modules[driver] = driver
    await host.agent().does(order("detach", FUNCTION, driver=driver))
    assert host.has() == (driver, driver)


async def test_a_module_that_is_not_loaded_is_loaded_first_for_the_guest_and_for_the_host(host: Host) -> None:
    (host.tree.sys / "bus/pci/drivers/vfio-pci").rmdir()
    host.kernel.modules = {"vfio-pci": "vfio-pci"}
    agent = host.agent()
    await agent.does(order("detach", FUNCTION))
    assert host.has() == DETACHED
    await agent.does(order("reattach", FUNCTION))
    assert host.has() == AS_BEFORE


async def test_a_driver_that_this_host_lacks_is_told_with_modprobes_words_and_nothing_is_touched(host: Host) -> None:
    (host.tree.sys / "bus/pci/drivers/vfio-pci").rmdir()
    with pytest.raises(Refused, match="no driver vfio-pci: modprobe: FATAL: Module vfio-pci not found") as refused:
        await host.agent().does(order("detach", FUNCTION))
    assert refused.value.code == "driver-missing"
    assert host.kernel.orders == []


async def test_a_function_that_vfio_does_not_take_gets_its_driver_back(host: Host) -> None:
    host.kernel.fails = {"vfio-pci"}
    with pytest.raises(KernelRefused, match="vfio-pci does not take pci_0000_00_03_0"):
        await host.agent().does(order("detach", FUNCTION))
    assert host.has() == AS_BEFORE


async def test_a_function_that_no_driver_of_the_host_wants_is_free_and_the_answer_says_so(host: Host) -> None:
    agent = host.agent()
    await agent.does(order("detach", FUNCTION))
    host.kernel.wants.clear()
    answer = await agent.does(order("reattach", FUNCTION))
    assert (answer.state, answer.text) == (
        "succeeded", "no driver of this host takes pci_0000_00_03_0: it has none now",
    )  # fmt: skip
    assert host.has() == (None, "(null)")


@pytest.mark.parametrize(
    "code, said, made",
    [
        ("is-bridge", "pci_0000_00_03_0 is a bridge", {"class_": "0x060400"}),
        ("boot-vga", "the graphics card that the host started with", {"class_": "0x030000", "boot_vga": "1"}),
        ("no-iommu", "pci_0000_00_03_0 is in no IOMMU group, without which vfio-pci gives it to no guest", {}),
    ],
)
async def test_what_speaks_against_it_is_named_and_force_does_it_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str, made: dict[str, str]
) -> None:
    host = Host(tmp_path, monkeypatch)
    if code == "no-iommu":
        (host.folder() / "iommu_group").unlink()
    host.function(NIC, group=None, **made)
    agent = host.agent()
    with pytest.raises(Refused, match=said) as refused:
        await agent.does(order("detach", FUNCTION))
    assert refused.value.code == code
    assert host.kernel.orders == []
    assert (await agent.does(order("detach", FUNCTION, force=True))).state == "succeeded"


BEHIND = "0000:00:1f.3"


async def test_who_shares_its_iommu_group_with_a_function_of_the_hosts_stays_unless_forced(host: Host) -> None:
    host.function(BEHIND, group=7, driver="i801_smbus")
    host.function("0000:00:1f.4", group=7, driver=None)
    host.function("0000:00:1c.0", group=7, driver="pcieport", class_="0x060400")
    agent = host.agent()
    with pytest.raises(Refused, match="its IOMMU group 7 with pci_0000_00_1f_3, which i801_smbus has; they") as refused:
        await agent.does(order("detach", FUNCTION))
    assert refused.value.code == "iommu-group-shared"
    host.kernel.wants[BEHIND] = "vfio-pci"
    (host.folder(BEHIND) / "driver").unlink()
    host.tree.link(f"devices/pci0000:00/{BEHIND}/driver", "bus/pci/drivers/vfio-pci")
    assert (await agent.does(order("detach", FUNCTION))).state == "succeeded"


async def test_of_all_that_force_overcomes_who_uses_it_is_told_first(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first function of a shared group, or the card of the way, is detached by force: not over somebody unknown."""
    monkeypatch.setattr(pci_holders, "holders", lambda *_: ("/dev/sda is mounted at /",))
    host.function(BEHIND, group=7, driver="i801_smbus")
    host.way = FakeWay(FUNCTION.syspath)
    with pytest.raises(InUse, match="/dev/sda is mounted at /"):
        await host.agent().does(order("detach", FUNCTION))


async def test_a_driver_that_would_drive_it_is_no_driver_for_guests(host: Host) -> None:
    with pytest.raises(Refused, match="nvme is not known to hold devices for guests") as refused:
        await host.agent().does(order("detach", FUNCTION, driver="nvme"))
    assert refused.value.code == "host-driver"


async def test_without_an_iommu_a_driver_that_needs_none_takes_it(host: Host) -> None:
    (host.folder() / "iommu_group").unlink()
    host.kernel.modules["pci-stub"] = "pci-stub"
    assert (await host.agent().does(order("detach", FUNCTION, driver="pci-stub"))).state == "succeeded"


@pytest.mark.parametrize("driver", ["../../../etc", "a b", "", "vfio-pci\nx", "x" * 61])
async def test_what_is_no_name_of_a_driver_is_not_written_anywhere(host: Host, driver: str) -> None:
    if driver:
        with pytest.raises(Exception, match="is no name of a driver"):
            await host.agent().does(order("detach", FUNCTION, driver=driver))
        assert host.kernel.orders == []


async def test_the_way_to_kafka_is_kept_unless_forced_and_given_back_where_it_is_lost(host: Host) -> None:
    host.way = FakeWay(FUNCTION.syspath)
    agent = host.agent()
    with pytest.raises(Refused, match=r"hwcway0 carries the way to Kafka, to 192\.0\.2\.1:9092") as refused:
        await agent.does(order("detach", FUNCTION))
    assert refused.value.code == "carries-kafka"
    host.way.is_lost = True
    with pytest.raises(WayLost, match=r"192\.0\.2\.1:9092"):
        await agent.does(order("detach", FUNCTION, force=True))
    assert host.has() == AS_BEFORE
    host.way.is_lost = False
    assert (await agent.does(order("detach", FUNCTION, force=True))).state == "succeeded"


async def test_a_function_below_which_a_disk_is_used_stays_unless_forced(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pci_holders, "holders", lambda *asked: ("/dev/sda is mounted at /",) if FUNCTION.syspath in asked else ()
    )
    (host.folder() / "sriov_numvfs").write_text("2\n")
    agent = host.agent()
    with pytest.raises(InUse, match="/dev/sda is mounted at /; 2 virtual functions of it are there") as refused:
        await agent.does(order("detach", FUNCTION))
    assert refused.value.code == "in-use"
    assert host.kernel.orders == []
    assert (await agent.does(order("detach", FUNCTION, force=True))).state == "succeeded"


async def test_a_function_whose_group_a_guest_has_is_not_taken_from_it_unless_forced(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = host.agent()
    await agent.does(order("detach", FUNCTION))
    for group, number in (("7", "240:0"), ("8", "240:1"), ("noiommu-7", "240:2")):
        node = host.tree.device(
            "class/vfio", f"devices/virtual/vfio/{group}", uevent=f"DEVNAME=vfio/{group}\n", dev=number
        )
        host.tree.link(f"dev/char/{number}", str(node.relative_to(host.tree.sys)))
    monkeypatch.setattr(
        pci_holders, "open_in_processes", lambda nodes: [f"{node.path} is open in qemu" for node in nodes]
    )
    with pytest.raises(InUse, match=r"^/dev/vfio/7 is open in qemu; /dev/vfio/noiommu-7 is open in qemu$"):
        await agent.does(order("reattach", FUNCTION))
    assert (await agent.does(order("reattach", FUNCTION, force=True))).state == "succeeded"


async def test_who_is_detached_or_is_not_is_told_so(host: Host) -> None:
    agent = host.agent()
    with pytest.raises(Refused, match="pci_0000_00_03_0 is not detached: e1000e has it") as refused:
        await agent.does(order("reattach", FUNCTION))
    assert refused.value.code == "not-detached"
    await agent.does(order("detach", FUNCTION))
    with pytest.raises(Refused, match="detached already: vfio-pci has it") as refused:
        await agent.does(order("detach", FUNCTION))
    assert refused.value.code == "already-detached"


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("type_", ["detach", "reattach"])
async def test_killed_before_between_or_after_its_three_writes_it_is_done_whole_or_undone_whole(
    host: Host, type_: str, number: int
) -> None:
    agent = host.agent()
    if type_ == "reattach":
        await agent.does(order("detach", FUNCTION))
    before = host.has()
    host.kernel.kill_at(number)
    with pytest.raises(Killed):
        await agent.does(order(type_, FUNCTION))
    host.kernel.kill_at(None)
    (answer,) = await agent.starts_again()
    if number < 5:
        assert (answer.state, answer.code) == ("failed", "interrupted")
        assert host.has() == before
    else:
        assert answer.state == "succeeded"
        assert host.has() == (DETACHED if type_ == "detach" else AS_BEFORE)


@pytest.mark.parametrize("number", range(6, 12))
async def test_killed_while_it_undoes_it_undoes_the_rest(host: Host, number: int) -> None:
    host.kernel.fails = {"vfio-pci"}
    agent = host.agent()
    host.kernel.kill_at(number)
    with pytest.raises(Killed):
        await agent.does(order("detach", FUNCTION))
    host.kernel.kill_at(None)
    (answer,) = await agent.starts_again()
    assert answer.code == "interrupted"
    assert host.has() == AS_BEFORE


async def test_a_function_that_took_the_way_to_kafka_along_is_given_back_by_an_agent_that_was_killed(
    host: Host,
) -> None:
    host.way = FakeWay(FUNCTION.syspath)
    agent = host.agent()
    host.kernel.kill_at(5)
    with pytest.raises(Killed):
        await agent.does(order("detach", FUNCTION, force=True))
    host.kernel.kill_at(None)
    assert host.has() == DETACHED
    host.way.is_lost = True
    (answer,) = await agent.starts_again()
    assert (answer.code, host.has()) == ("interrupted", AS_BEFORE)


async def test_another_function_in_its_place_after_a_crash_is_left_alone(host: Host) -> None:
    agent = host.agent()

    host.kernel.kill_at(4)
    with pytest.raises(Killed):
        await agent.does(order("detach", FUNCTION))
    host.kernel.kill_at(None)
    (host.folder() / "modalias").write_text("pci:another\n")
    host.kernel.orders.clear()
    (answer,) = await agent.starts_again()
    assert (answer.code, host.kernel.orders) == ("interrupted", [])


async def test_a_function_that_had_no_driver_before_has_none_after_a_failed_detach(host: Host) -> None:
    (host.folder() / "driver").unlink()
    host.kernel.fails = {"vfio-pci"}
    with pytest.raises(KernelRefused):
        await host.agent().does(order("detach", FUNCTION))
    assert host.has() == (None, "(null)")


async def test_a_function_that_went_is_told_gone(host: Host) -> None:
    agent = host.agent()
    host.folder().rename(host.folder("away"))
    with pytest.raises(Refused, match="not there any more") as refused:
        await agent.does(order("detach", FUNCTION))
    assert refused.value.code == "device-changed"
