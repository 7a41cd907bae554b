"""PCI functions beside what lspci reads of them: of a recorded host, of this machine, of made vital product data."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus_agent import hwdb, ids
from hwcensus_agent.enumerate import enumerate_host
from tests.fixtures.lspci import SHOWN, shown
from tests.fixtures.process import ROOT
from tests.fixtures.require import require
from tests.reality.recordings import unpack
from tests.unit.sysfs_tree import Tree
from tests.unit.test_vpd import written

T60 = ROOT / "tests/data/recordings/systemd-thinkpad-t60.tree.tar.xz"
PATH = "devices/pci0000:00/0000:00:03.0"


def lspci(sysroot: Path, *options: str) -> list[str]:
    """What it says of each function."""
    require(shutil.which("lspci") is not None, "there is no lspci (package pciutils)")
    bus = f"sysfs.path={sysroot.resolve()}/bus/pci"
    command = ["lspci", "-A", "linux-sysfs", "-O", bus, "-D", *options]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return said.strip().split("\n\n")


def ours(sysroot: Path) -> dict[str, Mapping[str, object]]:
    """Address → facts."""
    found: dict[str, Mapping[str, object]] = {}
    for one in enumerate_host(sysroot=str(sysroot)).devices:
        if one.subsystem == "pci":
            found[one.key.rpartition("/")[2]] = document.survey(one.element).facts
    return found


def test_link_revision_and_buses_of_every_function_are_lspcis(tmp_path: Path) -> None:
    sysroot = unpack(T60, tmp_path)
    functions, links = ours(sysroot), 0
    for said in lspci(sysroot, "-vv"):
        facts = functions.pop(said.split()[0])
        assert {fact: facts[fact] for fact in SHOWN if fact in facts} == shown(said)
        links += "LnkCap" in said
    assert functions == {}
    assert links == 8


def test_names_are_lspcis_where_udev_has_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwdb, "_database", lambda: None)
    require(any((folder / "pci.ids").exists() for folder in ids.FOLDERS), "there is no pci.ids")
    looked_up, boards = hwdb.lookup.__wrapped__, 0
    for said in lspci(unpack(T60, tmp_path), "-vmmnn"):
        fields = _fields(said)
        vendor, product = fields["Vendor"], fields["Device"]
        modalias = f"pci:v0000{vendor[1]}d0000{product[1]}"
        assert looked_up(modalias, ids.VENDOR) == vendor[0]
        assert looked_up(modalias, ids.MODEL) == product[0]
        board = fields.get("SDevice")
        if board is not None and board[0] not in ("Device", product[0]):
            boards += 1
            of_board = f"{modalias}sv0000{fields['SVendor'][1]}sd0000{board[1]}bc02sc00i00"
            assert looked_up(of_board, ids.MODEL) == f"{product[0]} ({board[0]})"
    assert boards > 5


@pytest.mark.parametrize("name, prefix", [("pci.ids", "pci:v0000{}d0000{}"), ("usb.ids", "usb:v{}p{}")])
def test_a_whole_list_is_read_as_udevs_database_was_made_of_it(name: str, prefix: str) -> None:
    path = next((folder / name for folder in ids.FOLDERS if (folder / name).exists()), None)
    require(path is not None, f"there is no {name}")
    database = hwdb._database()
    require(database is not None, "there is no hwdb.bin")
    assert path is not None
    assert database is not None
    vendor, compared, same = "", 0, 0
    for number, line in enumerate(path.read_text(errors="replace").splitlines()):
        if re.match(r"C [0-9a-f]{2}  ", line):
            break
        vendor = line[:4].upper() if re.match(r"[0-9a-f]{4}  ", line) else vendor
        if number % 11 == 0 and (product := re.match(r"\t([0-9a-f]{4})  (.*)", line)) is not None:
            modalias = prefix.format(vendor, product[1].upper())
            assert ids.lookup(modalias, ids.MODEL) == product[2].strip()
            compared += 1
            same += database.properties(modalias).get(ids.MODEL) == product[2].strip()
    assert compared > 1000
    assert same > compared * 0.8  # the two are packaged apart, and of different years


def _fields(said: str) -> dict[str, tuple[str, str]]:
    """Field → name and number in upper case."""
    found = re.findall(r"^(\w+):\t(.*) \[([0-9a-f]{4})\]$", said, re.M)
    return {field: (name, number.upper()) for field, name, number in found}


def test_vital_product_data_are_read_as_lspci_reads_them(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    attributes = {"class": "0x020000", "resource": "0x0 0x0 0x0", "irq": "0"}
    folder = tree.device("bus/pci/devices", PATH, vendor="0x15b3", device="0x1019", **attributes)
    config = bytearray(256)
    config[0:4], config[0x06], config[0x34] = b"\xb3\x15\x19\x10", 0x10, 0x40
    config[0x40] = 0x03  # the capability that says that there are such data
    (folder / "config").write_bytes(config)
    fields = {"PN": "MCX556A-EDAT", "EC": "AC", "SN": "MT2043K01234"}
    (folder / "vpd").write_bytes(written("ConnectX-5 Ex", fields, {"YA": "IT-0815"}).ljust(256, b"\0"))
    (said,) = lspci(tree.sys, "-vv")
    (facts,) = ours(tree.sys).values()
    for label, path in (("Product Name", "name"), (r"\[PN\] Part number", "part"), (r"\[SN\] Serial number", "serial"),
                        (r"\[EC\] Engineering changes", "change_level"), (r"\[YA\] Asset tag", "asset")):  # fmt: skip
        shown = re.search(rf"{label}: (.*)", said)
        assert shown is not None, said
        assert facts[f"pci.vpd.{path}"] == shown[1]


def test_this_machines_functions_are_those_that_lspci_lists() -> None:
    sysroot = Path("/sys")
    require((sysroot / "bus/pci/devices").is_dir(), "this machine has no PCI bus")
    listed = {said.split()[0]: said for said in lspci(sysroot, "-n")[0].splitlines()}
    found = ours(sysroot)
    assert found.keys() == listed.keys()
    for address, facts in found.items():
        assert f" {facts['pci.vendor']:04x}:{facts['pci.product']:04x}" in listed[address]
        assert f" {str(facts['pci.class'])[:4]}:" in listed[address]
