"""Processors: which CPUs are of one package, what they are, and what becomes of it when some are switched off."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus.document import JsonValue
from hwcensus_agent import processors
from hwcensus_agent.board import part_at
from hwcensus_agent.describe import processor
from hwcensus_agent.enumerate import Enumerator
from hwcensus_agent.host import HostView
from tests.unit.sysfs_tree import Tree, facts, look

KEY = "/sys/devices/system/cpu#{}"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Two packages of two cores with two threads each; the threads of a core are 4 apart, the packages take turns."""
    made = Tree(tmp_path)
    (made.sys / "class/net").mkdir()
    for number in range(8):
        cpu(made, number, package=number % 2, siblings=f"{number % 4},{number % 4 + 4}")
    for node, cpus in enumerate(("0,4", "2,6", "1,3,5,7")):
        folder = made.sys / f"devices/system/node/node{node}"
        folder.mkdir(parents=True)
        (folder / "cpulist").write_text(f"{cpus}\n")
    return made


def cpu(tree: Tree, number: int, *, package: int, siblings: str, khz: int = 3200000) -> Path:
    folder = tree.sys / f"devices/system/cpu/cpu{number}"
    attributes = {"topology/physical_package_id": package, "topology/thread_siblings_list": siblings,
                  "cpufreq/cpuinfo_max_freq": khz, "microcode/version": "0xf0"}  # fmt: skip
    for name, value in attributes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{value}\n")
    return folder


def switch_off(tree: Tree, number: int) -> None:
    """As the kernel does: the CPU's folder stays, its topology goes."""
    folder = tree.sys / f"devices/system/cpu/cpu{number}"
    shutil.rmtree(folder / "topology")
    (folder / "online").write_text("0\n")


def test_a_package_is_a_device_of_the_computers(tree: Tree) -> None:
    cpu(tree, 2, package=0, siblings="2,6", khz=3600000)
    assert facts(tree, "processor_0") == {
        "name": "processor_0", "key": KEY.format(0), "parent": "computer", "processor.package": 0,
        "processor.cores": 2, "processor.threads": 4, "processor.max_mhz": 3600, "processor.numa_node": ["0", "1"],
        "processor.microcode": "0xf0", "processor.online": 4,
    }  # fmt: skip
    second = facts(tree, "processor_1")
    assert second["processor.cores"] == 2
    assert second["processor.numa_node"] == ["2"]
    assert look(tree)["processor_1"].identity == "processor/place/system%2Fcpu%231"


def test_a_board_whose_packages_have_no_numbers_has_one(tree: Tree) -> None:
    shutil.rmtree(tree.sys / "devices/system/cpu")
    for number in range(4):
        cpu(tree, number, package=-1, siblings=str(number))
    assert facts(tree, "processor_0")["processor.cores"] == 4


def test_what_cannot_be_counted_while_a_cpu_is_off_stays_as_it_was(tree: Tree) -> None:
    enumerator = Enumerator(str(tree.sys))
    devices = {one.key: one for one in enumerator.everything().devices}
    before = {one.identity: one.device for one in devices.values()}
    switch_off(tree, 5)
    looked = enumerator.some(
        ["/sys/devices/system/cpu/cpu5"],
        {key: one.identity for key, one in devices.items()},
        {key: one.name for key, one in devices.items()},
        before.get,
    )
    (package,) = [one.device.capabilities[0] for one in looked.devices if one.name == "processor_1"]
    assert (package.cores, package.threads, package.state.online) == (2, 4, 3)  # type: ignore[attr-defined, union-attr]


def test_cores_can_be_counted_where_only_their_second_threads_are_off(tree: Tree) -> None:
    for number in (4, 5, 6, 7):
        switch_off(tree, number)
    (tree.sys / "devices/system/cpu/smt").mkdir()
    (tree.sys / "devices/system/cpu/smt/control").write_text("off\n")
    found = facts(tree, "processor_0")
    assert (found["processor.cores"], found["processor.online"]) == (2, 2)
    assert "processor.threads" not in found


def test_a_package_whose_last_cpu_went_goes_with_the_next_look_at_everything(tree: Tree) -> None:
    enumerator = Enumerator(str(tree.sys))
    devices = enumerator.everything().devices
    for number in (1, 3, 5, 7):
        shutil.rmtree(tree.sys / f"devices/system/cpu/cpu{number}")
    identities, names = {one.key: one.identity for one in devices}, {one.key: one.name for one in devices}
    assert {one.name for one in enumerator.everything(identities, names).devices} == {"computer", "processor_0"}
    assert enumerator.some([KEY.format(1)], identities, names).devices == ()


def test_a_package_that_comes_is_found_by_the_event_of_its_cpu(tree: Tree) -> None:
    enumerator = Enumerator(str(tree.sys))
    devices = enumerator.everything().devices
    cpu(tree, 8, package=2, siblings="8")
    identities, names = {one.key: one.identity for one in devices}, {one.key: one.name for one in devices}
    looked = enumerator.some(["/sys/devices/system/cpu/cpu8"], identities, names)
    assert "processor_2" in {one.name for one in looked.devices}


X86 = """processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 25
model		: 17
model name	: AMD EPYC 9354P 32-Core Processor
stepping	: 1
microcode	: 0xa101148

processor	: 1
vendor_id	: AuthenticAMD
cpu family	: 25
model		: 17
model name	: AMD EPYC of another stepping
stepping	: 2

processor	: 2
model name	: never reached
"""

ARM = """processor	: 0
BogoMIPS	: 50.00
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x3
CPU part	: 0xd0c
CPU revision	: 1

"""


@pytest.fixture
def live(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostView:
    """The host, as if it ran here; what /proc/cpuinfo says is for the test to write."""
    monkeypatch.setattr(processors, "CPUINFO", tmp_path / "cpuinfo")
    host = HostView(str(tree.sys))
    host.live = True
    return host


def described(host: HostView, package: int) -> Mapping[str, JsonValue]:
    view = host.view(KEY.format(package), "processor")
    found = processor.PROCESSOR.of(view, host)
    assert found is not None
    return {name: value for name, value in vars(found).items() if value is not None}


def test_what_a_package_is_proc_says_of_its_first_cpu(live: HostView, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(X86)
    found = described(live, 0)
    assert (found["vendor"], found["family"], found["model_number"], found["stepping"]) == ("AuthenticAMD", 25, 17, "1")
    assert found["model"] == "AMD EPYC 9354P 32-Core Processor"
    assert (described(live, 1)["model"], described(live, 1)["stepping"]) == ("AMD EPYC of another stepping", "2")
    view = live.view(KEY.format(0), "processor")
    state = processor.STATE.of(view, live)
    assert state is not None
    assert state.microcode == "0xa101148"


def test_an_arm_processor_has_an_implementer_part_and_revision(live: HostView, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(ARM)
    found = described(live, 0)
    assert (found["vendor"], found["family"], found["model_number"], found["stepping"]) == ("ARM", 8, 0xD0C, "r3p1")
    assert "model" not in found


@pytest.mark.parametrize(
    "said", ["", "\n\n\n", "processor : x\n\n", "no colon\n", "processor: 0\ncpu family: many\n\n"]
)
def test_a_cpuinfo_that_makes_no_sense_costs_its_facts_only(live: HostView, tmp_path: Path, said: str) -> None:
    (tmp_path / "cpuinfo").write_text(said)
    found = described(live, 0)
    assert found["cores"] == 2
    assert "family" not in found


def test_of_a_recording_the_modalias_tells_vendor_family_and_model(tree: Tree) -> None:
    (tree.sys / "devices/system/cpu/modalias").write_text("cpu:type:x86,ven0000fam0006mod005E:feature:,0000,0001\n")
    found = facts(tree, "processor_0")
    assert found["processor.vendor"] == "GenuineIntel"
    assert (found["processor.identification.family"], found["processor.identification.model"]) == (6, 0x5E)


@pytest.mark.parametrize(
    "listed, expected", [("", set()), ("0", {0}), ("0-2,8", {0, 1, 2, 8}), ("3-1", set()), ("0-1,", {0, 1})]
)
def test_a_list_of_cpus_is_what_the_kernel_means(listed: str, expected: set[int]) -> None:
    assert processors.members(listed) == expected


@pytest.mark.parametrize("listed", ["x", "0-4294967295", "-1"])
def test_a_list_of_cpus_that_is_none_is_refused(listed: str) -> None:
    with pytest.raises(ValueError, match=r"list of CPUs|invalid literal"):
        processors.members(listed)


@given(st.text(max_size=60))
def test_only_keys_of_our_own_are_parts(key: str) -> None:
    assert part_at(key) is None
    assert part_at(f"/sys/devices/system/cpu/{key}") is None


def test_a_key_of_our_own_is_a_part_with_a_number() -> None:
    found = [part_at(key) for key in (KEY.format(12), "/sys/firmware/dmi/entries/17-3")]
    assert [(one.subsystem, one.number) for one in found if one is not None] == [("processor", 12), ("dimm", 3)]
