"""By what a device is described anew: the class devices beside it, come, changed or gone, and other devices' events."""

import shutil
from pathlib import Path

import pytest

from hwcensus_agent.describe import is_candidate
from hwcensus_agent.describe.feeding import FEEDS, fed_by
from hwcensus_agent.enumerate import Enumerator
from hwcensus_agent.host import HostView
from tests.unit.sysfs_tree import Tree

HBA = "devices/pci0000:00/0000:00:03.0"
PORT = f"{HBA}/host6"
VIRTUAL = f"{PORT}/vport-6:0-0/host7"
REMOTE = f"{VIRTUAL}/rport-7:0-1"
TARGET = f"{REMOTE}/target7:0:0"
UNIT = f"{TARGET}/7:0:0:0"
INPUT = f"{HBA}/input/input4"
CONTROLLERS = "devices/virtual/nvme-fabrics/ctl"
HEAD = "devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"
ENCLOSURE = f"{HBA}/host0/target0:0:9/0:0:9:0/enclosure/0:0:9:0"
CPUS = "devices/system/cpu"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    made.device("bus/pci/devices", HBA, vendor="0x1077", device="0x2532", sriov_totalvfs="2")
    for path in (PORT, VIRTUAL, TARGET, UNIT):
        made.device("bus/scsi/devices", path)
    made.device("class/block", f"{UNIT}/block/sda", uevent="DEVTYPE=disk\n", dev="8:0", size="8")
    made.device("class/input", INPUT, name="Keys")
    made.device("class/block", HEAD, uevent="DEVTYPE=disk\n")
    made.device("class/nvme-subsystem", HEAD.rpartition("/")[0])
    (made.sys / f"{CPUS}/cpu0/topology").mkdir(parents=True)
    (made.sys / f"{CPUS}/cpu0/topology/physical_package_id").write_text("0\n")
    return made


ROWS = [
    ("scsi_host", f"{PORT}/scsi_host/host6", {PORT}),
    ("scsi_device", f"{UNIT}/scsi_device/7:0:0:0", {UNIT}),
    ("scsi_disk", f"{UNIT}/scsi_disk/7:0:0:0", {UNIT, f"{UNIT}/block/sda"}),
    ("scsi", UNIT, {f"{UNIT}/block/sda"}),
    ("fc_host", f"{PORT}/fc_host/host6", {PORT}),
    ("fc_host", f"{VIRTUAL}/fc_host/host7", {VIRTUAL, PORT}),
    ("fc_vports", f"{PORT}/vport-6:0-0/fc_vports/vport-6:0-0", {VIRTUAL, PORT}),
    ("fc_remote_ports", f"{REMOTE}/fc_remote_ports/rport-7:0-1", {TARGET, UNIT}),
    ("fc_transport", f"{TARGET}/fc_transport/target7:0:0", {TARGET}),
    ("iscsi_host", f"{PORT}/iscsi_host/host6", {PORT}),
    ("sas_host", f"{PORT}/sas_host/host6", {PORT}),
    ("spi_host", f"{PORT}/spi_host/host6", {PORT}),
    ("spi_transport", f"{TARGET}/spi_transport/target7:0:0", {TARGET}),
    ("nvme", f"{CONTROLLERS}/nvme1", {HEAD}),
    ("input", f"{INPUT}/event3", {INPUT}),
    ("pci", f"{HBA[:-1]}1", {HBA}),
    ("cpu", f"{CPUS}/cpu3", {f"{CPUS}#0"}),
    ("memory", "devices/system/memory/memory12", {"devices"}),
]


def test_every_line_of_the_table_is_in_the_table_of_this_test() -> None:
    assert {subsystem for subsystem, _, _ in ROWS} | {"enclosure"} == set(FEEDS)


@pytest.mark.parametrize("subsystem, path, fed", ROWS)
@pytest.mark.parametrize("present", [True, False], ids=["there", "gone"])
def test_what_a_device_feeds_is_known_by_its_path_though_it_be_gone(
    tree: Tree, subsystem: str, path: str, fed: set[str], *, present: bool
) -> None:
    if present:
        tree.device(f"bus/{subsystem}/devices" if subsystem == "pci" else f"class/{subsystem}", path)
        if subsystem == "pci":
            tree.link(f"{path}/physfn", HBA)
        if subsystem == "nvme":
            (tree.sys / path / "nvme0c1n1").mkdir()
    assert {f"/sys/{one}" for one in fed} == set(fed_by(HostView(str(tree.sys)), f"/sys/{path}"))


def test_an_enclosure_feeds_the_disks_in_its_bays_and_none_when_it_is_gone(tree: Tree) -> None:
    tree.device("class/enclosure", ENCLOSURE, id="0x5000c5001234abcd")
    for slot in ("Slot 01", "Slot 02"):
        tree.device("class/enclosure", f"{ENCLOSURE}/{slot}")
    tree.link(f"{ENCLOSURE}/Slot 02/device", UNIT)
    host = HostView(str(tree.sys))
    assert fed_by(host, f"/sys/{ENCLOSURE}") == [f"/sys/{UNIT}/block/sda"]
    shutil.rmtree(tree.sys / ENCLOSURE)
    assert fed_by(host, f"/sys/{ENCLOSURE}") == []


def test_what_feeds_nothing_has_no_path_to_offer(tree: Tree) -> None:
    host = HostView(str(tree.sys))
    for path in (HBA, INPUT, f"{UNIT}/block/sda", PORT, TARGET):
        assert fed_by(host, f"/sys/{path}") == []


def test_a_feeder_of_an_old_kernel_is_followed_by_its_link(tree: Tree) -> None:
    (tree.sys / "class/fc_host/host6").mkdir(parents=True)
    tree.link("class/fc_host/host6/device", PORT)
    host = HostView(str(tree.sys))
    assert fed_by(host, "/sys/class/fc_host/host6") == [f"/sys/{PORT}"]
    shutil.rmtree(tree.sys / "class/fc_host")
    assert fed_by(host, "/sys/class/fc_host/host6") == []


def test_a_hint_of_a_class_that_is_not_in_the_census_makes_a_look_at_what_it_feeds(tree: Tree) -> None:
    disk = f"/sys/{UNIT}/block/sda"
    feeder = f"/sys/{UNIT}/scsi_disk/7:0:0:0"
    assert not is_candidate("scsi_disk", ())
    names = {disk: "block_sda"}
    looked = Enumerator(str(tree.sys)).some([feeder], {disk: "block/place/x"}, names)
    assert disk in (looked.paths or ())
    assert [one.name for one in looked.devices if one.subsystem == "block"] == ["block_sda"]


@pytest.mark.parametrize("present", [True, False], ids=["there", "gone"])
def test_a_function_feeds_those_of_its_iommu_group(tree: Tree, *, present: bool) -> None:
    functions = [f"{HBA[:-1]}{number}" for number in (1, 2)]
    for path in functions:
        tree.device("bus/pci/devices", path)
        tree.link(f"{path}/iommu_group", "kernel/iommu_groups/7")
        tree.link(f"kernel/iommu_groups/7/devices/{path[-12:]}", path)
    (tree.sys / HBA / "sriov_totalvfs").unlink()
    if not present:
        shutil.rmtree(tree.sys / functions[0])
    assert fed_by(HostView(str(tree.sys)), f"/sys/{functions[0]}") == [f"/sys/{functions[1]}"]
