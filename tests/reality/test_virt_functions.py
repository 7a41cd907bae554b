"""Orders for a number of virtual functions, against a sysfs made for the test: what is refused, and what is expected.

That a real kernel makes them is in tests/lab/test_creatable.py.
"""

import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.command import Command
from hwcensus.errors import Refused
from hwcensus.instant import now
from hwcensus_agent.commands.census_port import Effect, Target
from hwcensus_agent.commands.executors.executor import InUse, KernelRefused
from hwcensus_agent.commands.executors.virt_functions import VirtFunctionsExecutor
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.way import Way
from tests.unit.sysfs_tree import Tree

CARD, FOLDER = "0000:05:1f.6", "devices/pci0000:00/0000:05:1f.6"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    tree.device("bus/pci/devices", FOLDER, sriov_totalvfs="8", sriov_numvfs="0", sriov_offset="2", sriov_stride="2")
    tree.device("bus/pci/devices", "devices/pci0000:00/0000:00:01.0")
    return tree


@pytest.fixture
def executor(tree: Tree) -> VirtFunctionsExecutor:
    return VirtFunctionsExecutor(Way([]), str(tree.sys))


def order(number: int, parent: str = "pci_0000_05_1f_6") -> Command:
    state = f"<state virt_functions='{number}'/>"
    raw = f"<device><parent>{parent}</parent><capability type='pci'>{state}</capability></device>"
    return Command(id="0192e7aa", type="create", expires=now() + timedelta(days=1), device=document.parse(raw.encode()))


def have(tree: Tree, number: int) -> None:
    """As the kernel shows so many."""
    (tree.sys / FOLDER / "sriov_numvfs").write_text(f"{number}\n")
    for n in range(number):
        address = f"0000:06:00.{n}"
        tree.device("bus/pci/devices", f"devices/pci0000:00/{address}")
        tree.link(f"{FOLDER}/virtfn{n}", f"devices/pci0000:00/{address}")
        tree.link(f"devices/pci0000:00/{address}/physfn", FOLDER)


def number_of(tree: Tree) -> int:
    return int((tree.sys / FOLDER / "sriov_numvfs").read_text())


@pytest.mark.parametrize(
    "command, code, said",
    [
        (order(1, "pci_0000_07_00_0"), "parent-unknown", "there is no pci_0000_07_00_0 here"),
        (order(1, "pci_0000_00_01_0"), "no-sriov", "0000:00:01.0 has no SR-IOV"),
        (order(9), "bad-vf-count", "0000:05:1f.6 takes 0 to 8 virtual functions, not 9"),
        (order(3), "vfs-in-use", "has 2 virtual functions, and .*: order 0, then 3"),
    ],
)
def test_what_the_host_alone_knows_is_refused_by_its_own_code(
    tree: Tree, executor: VirtFunctionsExecutor, command: Command, code: str, said: str
) -> None:
    have(tree, 2)
    with pytest.raises(Refused, match=said) as refusal:
        executor.check(command)
    assert refusal.value.code == code
    assert number_of(tree) == 2


def test_new_functions_are_expected_where_offset_and_stride_put_them(executor: VirtFunctionsExecutor) -> None:
    command = order(3)
    expected = executor.expected(command, executor.check(command))
    # 05:1f.6 is 0x5fe; + 2, + 4, + 6 on the next bus.
    assert [one.kernel_name for one in expected] == ["0000:06:00.0", "0000:06:00.2", "0000:06:00.4"]
    assert {one.effect for one in expected} == {Effect.ADD}


def test_functions_that_are_taken_away_are_those_that_are_there(tree: Tree, executor: VirtFunctionsExecutor) -> None:
    have(tree, 2)
    command = order(0)
    expected = executor.expected(command, executor.check(command))
    assert [(one.effect, one.kernel_name) for one in expected] == [
        (Effect.REMOVE, "0000:06:00.0"), (Effect.REMOVE, "0000:06:00.1"),
    ]  # fmt: skip


def test_functions_that_a_guest_has_are_not_taken_away_unless_forced(
    tree: Tree, executor: VirtFunctionsExecutor
) -> None:
    have(tree, 2)
    for n in range(2):
        tree.link(f"devices/pci0000:00/0000:06:00.{n}/iommu_group", "kernel/iommu_groups/7")
    # /dev/full stands for the group's file: who has it open here is the one who does it for the test.
    tree.device("class/vfio", "devices/virtual/vfio/7", dev="1:7", uevent="DEVNAME=vfio/7\n")
    tree.link("dev/char/1:7", "devices/virtual/vfio/7")
    script = "exec 3</dev/full; echo ready; read _"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guest:
        assert guest.stdout is not None
        guest.stdout.readline()
        with pytest.raises(InUse) as refusal:
            executor.check(order(0))
        assert str(refusal.value) == f"/dev/vfio/7 is open in sh (pid {guest.pid})"
        assert executor.expected(order(0), executor.check(replace(order(0), force=True)))
        guest.communicate(b"\n")
    executor.check(order(0))


def test_the_number_that_there_is_wants_no_change(tree: Tree, executor: VirtFunctionsExecutor) -> None:
    have(tree, 2)
    command = order(2)
    mark = executor.check(command)
    assert executor.expected(command, mark) == ()
    executor.create(command)
    executor.undo(command, mark)
    assert executor.was_created(command, mark) is True
    health = executor.health(command)
    assert health is not None
    assert (health.text, number_of(tree)) == ("2 of 8 virtual functions", 2)


def test_undoing_gives_back_the_number_that_was_and_leaves_anybody_elses(
    tree: Tree, executor: VirtFunctionsExecutor
) -> None:
    command = order(3)
    mark = executor.check(command)
    executor.create(command)
    assert (number_of(tree), executor.was_created(command, mark)) == (3, True)
    executor.undo(command, mark)
    assert (number_of(tree), executor.was_created(command, mark)) == (0, False)
    have(tree, 5)
    executor.undo(command, mark)
    assert number_of(tree) == 5


def test_of_a_function_that_went_meanwhile_nothing_is_known(tree: Tree, executor: VirtFunctionsExecutor) -> None:
    command = order(3)
    mark = executor.check(command)
    (tree.sys / "bus/pci/devices" / CARD).unlink()
    assert executor.was_created(command, mark) is None
    executor.undo(command, mark)
    assert (executor.subject(command), executor.health(command)) == (Subject(name="pci_0000_05_1f_6"), None)


def test_the_policy_is_asked_about_the_function_by_the_kernels_name(executor: VirtFunctionsExecutor) -> None:
    assert executor.subject(order(3)) == Subject(name=CARD)


def target(address: str) -> Target:
    name = "pci_" + address.replace(":", "_").replace(".", "_")
    syspath = f"/sys/devices/pci0000:00/{address}"
    return Target(identity=f"pci/place/{address}", name=name, syspath=syspath, subsystem="pci")


def test_a_virtual_function_is_not_destroyed_alone_and_others_are_none_of_ours(
    tree: Tree, executor: VirtFunctionsExecutor
) -> None:
    have(tree, 1)
    with pytest.raises(Refused, match="pci_0000_06_00_0 does not go alone: order 0") as refusal:
        executor.mark_of(target("0000:06:00.0"))
    assert refusal.value.code == "virtual-function"
    assert executor.mark_of(target(CARD)) is None


def test_a_kernel_that_does_not_tell_where_they_will_be_is_not_tried(
    tree: Tree, executor: VirtFunctionsExecutor
) -> None:
    (tree.sys / FOLDER / "sriov_stride").unlink()
    with pytest.raises(Refused, match="does not tell where"):
        executor.check(order(3))


def test_the_kernels_refusal_is_told_in_its_own_words(tree: Tree, executor: VirtFunctionsExecutor) -> None:
    attribute = tree.sys / FOLDER / "sriov_numvfs"
    attribute.unlink()
    attribute.symlink_to("/proc/version")  # which even root may read, not write
    with pytest.raises(KernelRefused, match=r"EIO \(5\): Input/output error"):
        executor.create(order(3))
