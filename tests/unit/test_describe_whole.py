"""Enumerations of a made host: who is whose parent, what is kept when it cannot be read, what a partial look sees."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from hwcensus import codec, document
from hwcensus.classes.net import Net, NetState
from hwcensus.classes.pci import Pci, PciBus
from hwcensus.classes.system import System
from hwcensus.device import Device, State
from hwcensus_agent import describe
from hwcensus_agent.carry import carry_over
from hwcensus_agent.describe import pci
from hwcensus_agent.enumerate import Described, Enumeration, Enumerator
from hwcensus_agent.host import HostView, key_of, path_of
from hwcensus_agent.sources.walk import NoSysfs
from hwcensus_agent.view import View
from tests.unit.devices import devices
from tests.unit.sysfs_tree import Tree

BRIDGE = "devices/pci0000:00/0000:00:1c.0"
CARD = f"{BRIDGE}/0000:02:00.0"
PCI = "bus/pci/devices"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    made.device(PCI, BRIDGE, vendor="0x8086", device="0x27d0")
    made.device(PCI, CARD, vendor="0x8086", device="0x109a")
    made.device("class/net", f"{CARD}/net/eth0", type="1", addr_assign_type="0", address="52:54:00:12:34:56")
    return made


class Host:
    """An enumerator with the memory that a census gives it."""

    def __init__(self, tree: Tree, *include: str) -> None:
        self._enumerator = Enumerator(str(tree.sys), include)
        self.devices: dict[str, Described] = {}

    def everything(self) -> Enumeration:
        return self._remember(self._enumerator.everything(self._identities, self._names, self._former))

    def some(self, *paths: str) -> Enumeration:
        keys = [f"/sys/{path}" for path in paths]
        return self._remember(self._enumerator.some(keys, self._identities, self._names, self._former))

    def _remember(self, found: Enumeration) -> Enumeration:
        for key in list(self.devices) if found.paths is None else found.paths:
            self.devices.pop(key, None)
        self.devices |= {one.key: one for one in found.devices}
        return found

    @property
    def _identities(self) -> dict[str, str]:
        return {one.key: one.identity for one in self.devices.values()}

    @property
    def _names(self) -> dict[str, str]:
        return {one.key: one.name for one in self.devices.values()}

    def _former(self, identity: str) -> Device | None:
        return next((one.device for one in self.devices.values() if one.identity == identity), None)

    def parents(self) -> dict[str, str | None]:
        return {one.name: one.device.parent for one in self.devices.values()}


WHOLE = {"computer": None, "pci_0000_00_1c_0": "computer", "pci_0000_02_00_0": "pci_0000_00_1c_0",
         "net_eth0": "pci_0000_02_00_0"}  # fmt: skip


def test_a_parent_is_the_nearest_ancestor_in_the_census(tree: Tree) -> None:
    host = Host(tree)
    host.everything()
    assert host.parents() == WHOLE


def test_children_get_another_parent_when_a_nearer_one_comes_or_goes(tree: Tree) -> None:
    (tree.sys / PCI / "0000:02:00.0").rename(tree.sys / "hidden")
    link = (tree.sys / CARD / "subsystem").readlink()
    (tree.sys / CARD / "subsystem").unlink()
    host = Host(tree)
    host.everything()
    assert host.parents()["net_eth0"] == "pci_0000_00_1c_0"
    (tree.sys / CARD / "subsystem").symlink_to(link)
    found = host.some(CARD)
    assert {one.name for one in found.devices} == {"pci_0000_02_00_0", "net_eth0"}
    assert host.parents() == WHOLE


def test_what_is_gone_takes_what_was_below_it_along(tree: Tree) -> None:
    host = Host(tree)
    host.everything()
    (tree.sys / CARD).rename(tree.sys / "pulled")
    found = host.some(CARD)
    assert found.devices == ()
    assert found.paths == frozenset({f"/sys/{CARD}", f"/sys/{CARD}/net/eth0"})


def test_what_leaves_the_census_and_stays_in_sysfs_takes_along_what_went_from_below_it(tree: Tree) -> None:
    loop = "devices/virtual/block/loop0"
    tree.device("class/block", loop, uevent="DEVTYPE=disk", dev="7:0", size="32768")
    tree.device("class/block", f"{loop}/loop0p1", uevent="DEVTYPE=partition", dev="259:0", size="8192", partition="1")
    host = Host(tree)
    host.everything()
    shutil.rmtree(tree.sys / loop / "loop0p1")
    (tree.sys / loop / "size").write_text("0\n")
    found = host.some(loop)
    assert found.devices == ()
    assert found.paths == frozenset({f"/sys/{loop}", f"/sys/{loop}/loop0p1"})


def test_a_look_at_one_device_gives_what_a_look_at_all_gives(tree: Tree) -> None:
    host = Host(tree)
    whole = {one.key: document.to_bytes(one.element) for one in host.everything().devices}
    for key, written in whole.items():
        (one,) = host.some(key.removeprefix("/sys/")).devices
        assert (one.key, document.to_bytes(one.element)) == (key, written)


def test_without_a_sysfs_nothing_is_enumerated_rather_than_no_device(tmp_path: Path) -> None:
    with pytest.raises(NoSysfs):
        Enumerator(str(tmp_path)).everything()


def test_a_fact_that_cannot_be_read_keeps_its_last_value_and_is_named(tree: Tree) -> None:
    host = Host(tree)
    tree.device(PCI, CARD, subsystem_vendor="0x17aa", current_link_speed="2.5 GT/s PCIe")
    host.everything()
    tree.unreadable(f"{CARD}/subsystem_vendor")
    tree.unreadable(f"{CARD}/current_link_speed")
    for _ in range(2):
        (device,) = [one.device for one in host.everything().devices if one.name == "pci_0000_02_00_0"]
        survey = document.survey(codec.write_device(device))
        assert (survey.facts["pci.subsystem.vendor"], survey.state["pci.link_speed"]) == (0x17AA, "2.5")
        assert device.state == State(unread="pci.link_speed pci.subsystem.vendor pci.subsystem.vendor_name")


def test_a_fact_that_is_not_there_any_more_is_gone(tree: Tree) -> None:
    host = Host(tree)
    folder = tree.device(PCI, CARD, subsystem_vendor="0x17aa")
    host.everything()
    (folder / "subsystem_vendor").unlink()
    host.some(CARD)
    survey = document.survey(host.devices[f"/sys/{CARD}"].element)
    assert "pci.subsystem.vendor" not in survey.facts
    assert survey.state == {}


def test_a_device_whose_ids_cannot_be_read_stays_as_it_was(tree: Tree) -> None:
    host = Host(tree)
    host.everything()
    former = host.devices[f"/sys/{CARD}"]
    tree.unreadable(f"{CARD}/vendor")
    host.everything()
    unread = State(unread="pci.vendor")
    assert host.devices[f"/sys/{CARD}"] == replace(former, device=replace(former.device, state=unread))


def test_of_one_that_cannot_be_read_nor_taken_as_another_version_told_it_is_said_that_it_is_there(tree: Tree) -> None:
    enumerator = Enumerator(str(tree.sys))
    devices = enumerator.everything().devices
    identities, names = {one.path: one.identity for one in devices}, {one.path: one.name for one in devices}
    tree.unreadable(f"{CARD}/vendor")
    for found in (enumerator.everything(identities, names), enumerator.some([f"/sys/{CARD}"], identities, names)):
        assert found.untold == {f"/sys/{CARD}"}
        assert f"/sys/{CARD}" not in {one.path for one in found.devices}


def test_a_describer_that_fails_costs_its_device_the_new_facts_and_nobody_else(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host(tree)
    host.everything()
    former = dict(host.devices)

    def fails(view: View, host: HostView) -> describe.Description:
        if view.kernel_name == "0000:02:00.0":
            raise ZeroDivisionError("a mistake of ours")
        return pci.describe(view, host)

    monkeypatch.setattr(describe, "DESCRIBERS", {**describe.DESCRIBERS, ("pci", "*"): fails})
    with caplog.at_level(logging.WARNING):
        host.everything()
        host.some(CARD)
        host.some(f"{CARD}/net/eth0")
    assert host.devices == former
    assert [record.__dict__["device"] for record in caplog.records] == [f"/sys/{CARD}"] * 2


def test_an_event_node_that_comes_changes_what_it_is_of(tree: Tree) -> None:
    tree.device("class/input", f"{CARD}/input/input4", name="x")
    host = Host(tree)
    host.everything()
    tree.device("class/input", f"{CARD}/input/input4/event3", uevent="DEVNAME=input/event3\n")
    found = host.some(f"{CARD}/input/input4/event3")
    assert {one.name for one in found.devices} == {"input_input4", "input_event3"}


def test_a_virtual_function_that_comes_changes_its_physical_one(tree: Tree) -> None:
    host = Host(tree)
    host.everything()
    tree.device(PCI, f"{BRIDGE}/0000:02:00.1", vendor="0x8086", device="0x109b")
    tree.link(f"{BRIDGE}/0000:02:00.1/physfn", CARD)
    assert {one.name for one in host.some(f"{BRIDGE}/0000:02:00.1").devices} == {"pci_0000_02_00_0", "pci_0000_02_00_1"}


def disk(tree: Tree, host: int, name: str, serial: str) -> str:
    path = f"{CARD}/host{host}/target{host}:0:0/{host}:0:0:0/block/{name}"
    tree.device("class/block", path, uevent="DEVTYPE=disk\n", size="8", serial=serial)
    tree.link(f"{path}/device", f"{CARD}/host{host}/target{host}:0:0/{host}:0:0:0")
    return path


def test_two_paths_to_one_disk_are_neither_and_nor_is_a_third_that_comes_later(tree: Tree) -> None:
    host = Host(tree)
    for number, name in enumerate(("sda", "sdb")):
        disk(tree, number, name, "5VE12345")
    host.everything()
    third = disk(tree, 7, "sdc", "5VE12345")
    host.some(third)
    assert len({one.identity for one in host.devices.values()}) == len(host.devices) == 7
    assert not [one for one in host.devices.values() if "serial" in one.identity]


def test_a_disk_that_moved_is_the_same_though_its_going_was_not_heard_of_yet(tree: Tree) -> None:
    host = Host(tree)
    old = disk(tree, 0, "sda", "5VE12345")
    host.everything()
    (tree.sys / old).rename(tree.sys / "pulled")
    new = disk(tree, 1, "sdb", "5VE12345")
    host.some(new)
    assert host.devices[f"/sys/{new}"].identity == "block/serial/5VE12345"


@pytest.mark.parametrize("name", [b"br\xff0", b"\xc3\xa4\x01", b"plain"])
def test_names_of_any_bytes_come_and_go_as_keys_and_paths(tree: Tree, name: bytes) -> None:
    folder = tree.sys / "devices/virtual/net"
    folder.mkdir(parents=True)
    path = bytes(folder) + b"/" + name
    Path(path.decode("utf-8", "surrogateescape")).mkdir()
    text = name.decode("utf-8", "surrogateescape")
    tree.link(f"class/net/{text}", f"devices/virtual/net/{text}")
    tree.link(f"devices/virtual/net/{text}/subsystem", "class/net")
    host = Host(tree)
    host.everything()
    syspath = f"/sys/devices/virtual/net/{text}"
    assert path_of(key_of(syspath)) == syspath
    (one,) = host.some(key_of(syspath).removeprefix("/sys/")).devices
    assert one == host.devices[key_of(syspath)]
    assert document.survey(one.element).facts["net.interface"] == key_of(text)


def net(**more: object) -> Callable[[str | None], Device]:
    def device(unread: str | None) -> Device:
        state = None if unread is None else State(unread=unread)
        return Device(name="n", capabilities=(Net(interface="e", **more),), state=state)  # type: ignore[arg-type]

    return device


def test_only_what_is_unread_is_carried_over() -> None:
    former = net(address="00:11", port_name="p0", state=NetState(mtu=1500, speed=1000))(None)
    fresh = net(state=NetState(mtu=9000))("net.address net.speed")
    expected = net(address="00:11", state=NetState(mtu=9000, speed=1000))("net.address net.speed")
    assert carry_over(former, fresh) == expected


def test_a_fact_of_another_class_is_not_carried_over() -> None:
    former = Device(name="n", capabilities=(System(serial="x"),))
    fresh = Device(
        name="n",
        bus=PciBus(vendor=1, product=2, domain="0000", bus="00", slot="00", function="0"),
        capabilities=(Pci(),),
        state=State(unread="system.hardware.serial"),
    )
    assert carry_over(former, fresh) == fresh


@given(devices(), devices())
def test_where_all_was_read_nothing_is_carried_over(former: Device, fresh: Device) -> None:
    read = replace(fresh, state=None)
    assert carry_over(former, read) == read


def test_one_device_whose_uevent_cannot_be_read_costs_no_other_its_look(tree: Tree) -> None:
    host = Host(tree)
    host.everything()
    tree.unreadable(f"{CARD}/uevent")
    host.everything()
    assert host.parents() == WHOLE
