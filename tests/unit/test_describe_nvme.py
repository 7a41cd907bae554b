"""NVMe controllers and what their namespaces say of themselves."""

from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.document import Identifier
from tests.unit.sysfs_tree import Tree, facts, look

CONTROLLER = "devices/pci0000:00/0000:04:00.0/nvme/nvme0"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def controller(tree: Tree, path: str = CONTROLLER, **attributes: str) -> None:
    common = {"model": "Samsung SSD 970 PRO 512GB               ", "serial": "S680HF8N190894I     "}
    tree.device("class/nvme", path, uevent="MAJOR=241\nMINOR=0\nDEVNAME=nvme0\n", **{**common, **attributes})


def test_a_controller_says_what_it_is_and_is_its_serial_with_its_model(tree: Tree) -> None:
    controller(tree, firmware_rev="1B2QEXP7", state="live", transport="pcie", subsysnqn="nqn.2014.08.org.nvmexpress:1")
    found = facts(tree, "nvme_nvme0")
    assert {path: value for path, value in found.items() if path.startswith(("nvme.", "devnode"))} == {
        "devnode": ["/dev/nvme0"], "nvme.model": "Samsung SSD 970 PRO 512GB", "nvme.serial": "S680HF8N190894I",
        "nvme.firmware": "1B2QEXP7", "nvme.transport": "pcie", "nvme.nqn": "nqn.2014.08.org.nvmexpress:1",
        "nvme.controller": "live",
    }  # fmt: skip
    assert look(tree)["nvme_nvme0"].identity == "nvme/serial/Samsung%20SSD%20970%20PRO%20512GB:S680HF8N190894I"


@pytest.mark.parametrize(
    "path, owned", [(CONTROLLER, True), ("devices/virtual/nvme-fabrics/ctl/nvme0", False)], ids=["PCI", "fabric"]
)
def test_a_controller_reached_over_a_fabric_does_not_own_its_serial(tree: Tree, path: str, owned: bool) -> None:
    controller(tree, path)
    found = look(tree)["nvme_nvme0"]
    identifiers = document.survey(found.element).identifiers
    assert identifiers == [Identifier(kind="serial", value="S680HF8N190894I", own=owned)]
    assert facts(tree, "nvme_nvme0").get("nvme.serial.san") is (None if owned else True)
    assert found.identity == "nvme/serial/Samsung%20SSD%20970%20PRO%20512GB:S680HF8N190894I"


def test_two_paths_to_one_subsystem_are_two_places(tree: Tree) -> None:
    for number in "01":
        controller(tree, f"devices/virtual/nvme-fabrics/ctl/nvme{number}", transport="tcp")
    assert sorted(one.identity for one in look(tree).values()) == [
        "computer", "nvme/place/virtual%2Fnvme-fabrics%2Fctl%2Fnvme", "nvme/place/virtual%2Fnvme-fabrics%2Fctl%2Fnvme~2"
    ]  # fmt: skip


def test_a_controller_that_says_nothing_yet_is_there(tree: Tree) -> None:
    tree.device("class/nvme", CONTROLLER)
    assert facts(tree, "nvme_nvme0")["name"] == "nvme_nvme0"
