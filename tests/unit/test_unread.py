"""Nothing unread closes an identifier or looks like removed hardware, in whatever look, before a reboot and after."""

from collections.abc import Collection, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwcensus_agent.census import Census, Glance
from hwcensus_agent.look import HostLook
from hwcensus_agent.news import News
from hwcensus_agent.settings import CensusSettings
from tests.unit.sysfs_tree import Tree

CARD = "devices/pci0000:00/0000:02:00.0"
DISK = f"{CARD}/host0/target0:0:0/0:0:0:0/block/sda"
TWIN = f"{CARD}/host0/target0:0:1/0:0:1:0/block/sdb"
NIC = f"{CARD}/net/eth0"
CONTROLLER = "devices/pci0000:00/0000:04:00.0/nvme/nvme0"
STICK = "devices/pci0000:00/usb1/1-1"
ATTRIBUTES = [
    *(f"{CARD}/{name}" for name in ("vendor", "device", "uevent", "class")),
    *(f"{disk}/{name}" for disk in (DISK, TWIN) for name in ("serial", "size", "removable", "ro", "uevent")),
    *(f"{NIC}/{name}" for name in ("address", "addr_assign_type", "type", "operstate")),
    *(f"{CONTROLLER}/{name}" for name in ("model", "serial", "state", "uevent")),
    *(f"{STICK}/{name}" for name in ("serial", "idVendor", "idProduct", "busnum", "devnum", "uevent")),
]


class Machine:
    """A made host, and the census of an agent on it."""

    def __init__(self, root: Path) -> None:
        self.tree = tree = Tree(root)
        tree.device("bus/pci/devices", CARD, vendor="0x8086", device="0x109a")
        self.disk(DISK, "5VE12345")
        self.disk(TWIN, "5VE99999")
        tree.device(
            "class/net", NIC, type="1", addr_assign_type="0", address="52:54:00:12:34:56", operstate="up"
        )  # fmt: skip
        tree.device("class/nvme", CONTROLLER, model="P4510", serial="PHLJ8430", state="live")
        tree.device(
            "bus/usb/devices", STICK, uevent="DEVTYPE=usb_device\n", idVendor="0483", idProduct="2016",
            serial="A0123", busnum="1", devnum="5",
        )  # fmt: skip
        self.census = Census({})
        self.start()

    def disk(self, path: str, serial: str) -> None:
        self.tree.device("class/block", path, uevent="DEVTYPE=disk\n", size="8", serial=serial, removable="1", ro="0")
        self.tree.link(f"{path}/device", path.rpartition("/block/")[0])

    def start(self, *, same_boot: bool = True) -> list[News]:
        """What a start of the agent finds new."""
        look = HostLook(CensusSettings(sysroot=str(self.tree.sys)))
        known, names = self.census.identities(), self.census.names()
        if same_boot:
            looked = look(None, known, names, self.census.sight)
        else:
            looked = look(None, {}, {}, self.census.sight, known)
        seen, paths = looked.seen, looked.paths
        return self.census.see(
            Glance(seen=seen, paths=paths, same_boot=same_boot, hinted={}, gone={}, moved={})
        )  # fmt: skip

    def identifiers(self) -> set[tuple[str, str, str]]:
        sights = [self.census.sight(identity) for identity in self.census.identities().values()]
        return {
            (sight.identity, one.kind, one.value) for sight in sights if sight for one in sight.survey().identifiers
        }


@settings(max_examples=40, deadline=None)
@given(unread=st.sets(st.sampled_from(ATTRIBUTES), min_size=1), same_boot=st.booleans())
def test_what_cannot_be_read_takes_nothing_away(
    tmp_path_factory: pytest.TempPathFactory, unread: set[str], same_boot: bool
) -> None:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    before, identifiers = set(machine.census.identities().values()), machine.identifiers()
    assert {"block/serial/5VE12345", "net/mac/52:54:00:12:34:56", "usb/serial/1155:8214:A0123"} <= before
    for attribute in unread:
        machine.tree.unreadable(attribute)
    news = machine.start(same_boot=same_boot)
    assert [(one.type, one.kind, one.was) for one in news if one.kind != "state"] == []
    assert set(machine.census.identities().values()) == before
    assert machine.identifiers() == identifiers
    assert machine.start(same_boot=same_boot) == []


@pytest.mark.parametrize("same_boot", [True, False])
def test_a_controller_whose_model_cannot_be_read_stays_the_one_that_it_was(tmp_path: Path, same_boot: bool) -> None:
    machine = Machine(tmp_path)
    machine.tree.unreadable(f"{CONTROLLER}/model")
    assert [(one.type, one.kind) for one in machine.start(same_boot=same_boot) if one.kind != "state"] == []
    assert machine.census.identities_by_path[f"/sys/{CONTROLLER}"] == "nvme/serial/P4510:PHLJ8430"


def told(news: Iterable[News], types: Collection[str] = ("add", "remove")) -> list[str]:
    return sorted(f"{one.type} {one.sight.identity}" for one in news if one.type in types)


def test_after_a_reboot_a_disk_that_shows_its_serial_elsewhere_is_itself_whoever_is_unread_at_its_place(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path)
    machine.disk(TWIN, "5VE12345")
    machine.tree.unreadable(f"{DISK}/serial")
    news = machine.start(same_boot=False)
    assert "block/serial/5VE12345" in machine.census.identities_by_path.values()
    assert machine.census.identities_by_path[f"/sys/{TWIN}"] == "block/serial/5VE12345"
    assert machine.census.identities_by_path[f"/sys/{DISK}"].startswith("block/place/")
    assert "remove block/serial/5VE99999" in told(news)


def test_after_a_reboot_an_identifier_that_contradicts_tells_another_disk(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.tree.sys / DISK / "device").resolve().joinpath("wwid").write_text("naa.5000c5001234abcd\n")
    machine.census = Census({})
    machine.start()
    assert machine.census.identities_by_path[f"/sys/{DISK}"] == "block/wwid/naa.5000c5001234abcd"
    machine.tree.unreadable(f"{DISK.rpartition('/block/')[0]}/wwid")
    (machine.tree.sys / DISK / "serial").write_text("OTHER1\n")
    assert told(machine.start(same_boot=False)) == [
        "add block/serial/OTHER1",
        "remove block/wwid/naa.5000c5001234abcd",
    ]


def test_after_a_reboot_a_serial_that_is_not_there_any_more_is_another_device(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.tree.sys / STICK / "serial").unlink()
    assert "remove usb/serial/1155:8214:A0123" in told(machine.start(same_boot=False))
