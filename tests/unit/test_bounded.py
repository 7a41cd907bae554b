"""Reads that hang, really: a FIFO that nobody writes to blocks whoever opens it, as sysfs does on sick hardware."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.device import Device
from hwcensus_agent import bounded
from hwcensus_agent.bounded import Bounded, Describe, Outcome
from hwcensus_agent.enumerate import Described, Enumeration, Enumerator
from hwcensus_agent.view import View
from tests.unit.sysfs_tree import Tree
from tests.unit.test_describe_whole import BRIDGE, CARD, PCI, Host

LIMIT_S = 0.25
SPEED, SUBVENDOR = f"{CARD}/current_link_speed", f"{CARD}/subsystem_vendor"


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    made = Tree(tmp_path)
    made.device(PCI, BRIDGE, vendor="0x8086", device="0x27d0")
    made.device(PCI, CARD, vendor="0x8086", device="0x109a", subsystem_vendor="0x17aa", current_link_speed="5.0 GT/s")
    made.device("class/net", f"{CARD}/net/eth0", type="1", addr_assign_type="0", address="52:54:00:12:34:56")
    yield made
    for fifo in [path for path in tmp_path.rglob("*") if path.is_fifo()]:
        answer(fifo, "")
    settle()


def hang(tree: Tree, attribute: str) -> Path:
    """Whoever reads it from now on waits."""
    fifo = tree.sys / attribute
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)
    return fifo


def answer(fifo: Path, text: str) -> None:
    """What hangs at it reads this, and whoever comes later too."""
    writer = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    fifo.unlink()
    fifo.write_text(text)
    os.write(writer, text.encode())
    os.close(writer)


def settle() -> None:
    """All that hung has been answered."""
    for thread in hanging():
        thread.join(20)
        assert not thread.is_alive()


def hanging() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "describe"]


class PatientHost(Host):
    """Whose enumerator waits for a moment only."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self._enumerator = Enumerator(str(tree.sys), read_limit=LIMIT_S)

    def answered(self) -> list[str]:
        return self._enumerator.answered()

    @property
    def hangs(self) -> int:
        return self._enumerator._bounded.hangs

    def card(self) -> document.Survey:
        return document.survey(self.devices[f"/sys/{CARD}"].element)


def test_a_read_that_hangs_costs_its_device_that_fact_and_no_other_device_anything(tree: Tree) -> None:
    host = PatientHost(tree)
    host.everything()
    (tree.sys / SUBVENDOR).write_text("0x1028\n")
    hang(tree, SPEED)
    tree.device(PCI, BRIDGE, vendor="0x8086", device="0x27d2")
    host.everything()
    card = host.card()
    assert (card.facts["pci.subsystem.vendor"], card.state["pci.link_speed"]) == (0x1028, "5")
    assert card.state["device.unread"] == "pci.link_speed"
    assert document.survey(host.devices[f"/sys/{BRIDGE}"].element).facts["pci.product"] == 0x27D2
    assert len(host.devices) == 4


def test_a_device_that_hangs_is_not_read_again_until_it_answers_and_then_is_worth_a_look(tree: Tree) -> None:
    host = PatientHost(tree)
    fifo = hang(tree, SPEED)
    for _ in range(3):
        host.everything()
        host.some(CARD)
    assert (len(hanging()), host.hangs) == (1, 1)
    assert (host.answered(), "pci.link_speed" in host.card().state) == ([], False)
    answer(fifo, "8.0 GT/s\n")
    settle()
    assert (host.answered(), host.answered()) == ([f"/sys/{CARD}"], [])
    host.some(CARD)
    assert host.card().state == {"pci.link_speed": "8"}


def test_a_device_that_hangs_from_the_first_look_on_is_there_with_what_is_certain(tree: Tree) -> None:
    hang(tree, SPEED)
    host = PatientHost(tree)
    host.everything()
    card = host.card()
    assert (card.facts["pci.vendor"], card.frame["parent"]) == (0x8086, "pci_0000_00_1c_0")


@pytest.mark.parametrize("attributes", [["uevent"], ["vendor"], ["uevent", "device"]])
def test_where_nothing_can_be_told_without_the_read_all_that_is_known_stays(tree: Tree, attributes: list[str]) -> None:
    host = PatientHost(tree)
    host.everything()
    before = host.card()
    for attribute in attributes:
        hang(tree, f"{CARD}/{attribute}")
    for _ in range(3):
        host.everything()
        after = host.card()
        assert (after.facts, after.frame, after.identifiers) == (before.facts, before.frame, before.identifiers)
        assert "device.unread" in after.state


def test_of_a_device_of_which_much_hangs_two_threads_are_left_and_what_was_read_once(tree: Tree) -> None:
    host = PatientHost(tree)
    host.everything()
    for attribute in (SPEED, SUBVENDOR, f"{CARD}/class", f"{CARD}/revision", f"{CARD}/numa_node"):
        hang(tree, attribute)
    for _ in range(3):
        host.everything()
    assert len(hanging()) == 2
    assert (host.card().facts["pci.vendor"], host.card().facts["pci.subsystem.vendor"]) == (0x8086, 0x17AA)


def test_a_device_that_goes_while_it_hangs_is_gone(tree: Tree) -> None:
    host = PatientHost(tree)
    hang(tree, SPEED)
    host.everything()
    (tree.sys / CARD).rename(tree.sys / "pulled")
    assert host.some(CARD).devices == ()


def test_what_comes_to_the_place_of_one_that_hangs_is_read_anew(tree: Tree) -> None:
    host = PatientHost(tree)
    hang(tree, SPEED)
    host.everything()
    (tree.sys / CARD).rename(tree.sys / "pulled")
    tree.device(PCI, CARD, vendor="0x1234", device="0x109a")
    host.some(CARD)
    assert host.card().facts["pci.vendor"] == 0x1234


def found(enumeration: Enumeration) -> dict[str, Described]:
    return {one.path: one for one in enumeration.devices}


def test_where_many_hang_no_more_is_tried_and_nothing_known_is_lost(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST_STUCK", 2)
    disks = [f"{CARD}/host0/target0:0:{n}/0:0:{n}:0/block/sd{n}" for n in "abcdef"]
    for disk in disks:
        tree.device("class/block", disk, uevent="DEVTYPE=disk\n", size="8", ro="0")
    host = PatientHost(tree)
    before = found(host.everything())
    for disk in disks:
        hang(tree, f"{disk}/ro")
    for _ in range(2):
        after = found(host.everything())
        assert after.keys() == before.keys()
        assert len(hanging()) == 2
        assert {path: one.identity for path, one in after.items()} == {p: one.identity for p, one in before.items()}


def test_a_hang_outside_the_devices_own_attributes_leaves_one_thread_more_and_never_another(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver whose ethtool hangs, say: even what was read before cannot be described without asking it."""
    go_on = threading.Event()
    host = PatientHost(tree)
    before = found(host.everything())
    describe = Bounded.describe

    def hangs(self: Bounded, paths: list[str], open_view: Callable[[str], View], work: Describe) -> list[Outcome]:
        def waits(view: View) -> Device | None:
            if view.syspath == f"/sys/{CARD}":
                go_on.wait(20)
            return work(view)

        return describe(self, paths, open_view, waits)

    monkeypatch.setattr(Bounded, "describe", hangs)
    for _ in range(3):
        assert found(host.everything()).keys() == before.keys()
    assert len(hanging()) == 2
    go_on.set()
    settle()


def test_a_look_that_fails_says_so_to_whoever_asked() -> None:
    def fails(_: View) -> Device | None:
        raise ZeroDivisionError

    def opened(path: str) -> View:
        return View(root="/sys", syspath=path, subsystem="pci")

    with pytest.raises(ZeroDivisionError):
        Bounded(LIMIT_S).describe(["/sys/devices/x"], opened, fails)


def test_vital_product_data_that_take_too_long_cost_the_function_them_alone(tree: Tree) -> None:
    hang(tree, f"{CARD}/vpd")
    host = PatientHost(tree)
    host.everything()
    card = host.card()
    assert (card.facts["pci.subsystem.vendor"], card.state["pci.link_speed"]) == (0x17AA, "5")
    assert "pci.vpd.serial" in str(card.state["device.unread"]).split()
