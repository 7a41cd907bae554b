"""Recorded hosts beside what lspci, lsusb, lsscsi, lsblk and lshw say of them, each run over the same sysfs as /sys."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cache

import pytest

from hwcensus import document
from hwcensus.document import JsonValue
from hwcensus_agent.enumerate import enumerate_host
from tests.fixtures.namespace import run_in_namespace
from tests.fixtures.require import require
from tests.reality.recordings import ALL, TREES, sysroot_of

Facts = Mapping[str, JsonValue]

#: libusb wants the folder of the nodes, which it does not open.
_NODES = "mount -t tmpfs tmpfs /dev; mkdir -p /dev/bus/usb; mknod -m 666 /dev/null c 1 3;"
#: What lshw would ask of this machine rather than of sysfs.
_NOT_SYSFS = ("dmi", "memory", "cpuinfo", "device-tree", "spd", "isapnp", "pcilegacy", "ide", "pcmcialegacy", "scsi")

#: SCSI types as lsscsi and as we have them (SPC-4).
LSSCSI_TYPES = {"disk": "disk", "cd/dvd": "cdrom", "tape": "tape", "mediumx": "changer", "storage": "raid"}


def said(recording: str, tool: str, *options: str) -> str:
    require(shutil.which(tool) is not None, f"there is no {tool}")
    command = ["sh", "-ec", f'{_NODES} exec "$@"', "sh", tool, *options]
    done = run_in_namespace(command, sysroot=sysroot_of(recording))
    assert done.returncode == 0 or not done.stdout, done.stderr  # lsusb says 1 where it has nothing to say
    return done.stdout


@cache
def ours(recording: str) -> Mapping[str, Facts]:
    """Path of the device → its facts."""
    devices = enumerate_host(sysroot=str(sysroot_of(recording))).devices
    surveys = {one.key: document.survey(one.element) for one in devices}
    return {key: {**survey.facts, **survey.state} for key, survey in surveys.items()}


def having(recording: str, fact: str) -> Iterator[tuple[str, Facts]]:
    """The kernel's names, and the facts, of the devices that have this one."""
    return ((key.rpartition("/")[2], facts) for key, facts in ours(recording).items() if fact in facts)


@pytest.mark.parametrize("recording", ALL)
def test_pci_functions_are_lspcis(recording: str) -> None:
    listed = [line.split() for line in said(recording, "lspci", "-A", "linux-sysfs", "-D", "-n").splitlines()]
    theirs = {line[0]: (line[1].rstrip(":"), line[2]) for line in listed}
    found = {
        name: (str(facts["pci.class"])[:4], f"{facts['pci.vendor']:04x}:{facts['pci.product']:04x}")
        for name, facts in having(recording, "pci.vendor")
    }
    assert found == theirs


#: Recordings with all that libusb wants to know of a device.
USB = ("hwloc-40intel64-2g2n4c+pci", "hwloc-2pa-pcidomain32bits", "usbkbd", "canon-powershot-sx200")


@pytest.mark.parametrize("recording", USB)
def test_usb_devices_are_lsusbs(recording: str) -> None:
    lines = re.findall(r"Bus (\d+) Device (\d+): ID ([0-9a-f:]+)", said(recording, "lsusb"))
    found = {
        (facts["usb.address.bus"], facts["usb.address.dev"], f"{facts['usb.vendor']:04x}:{facts['usb.product']:04x}")
        for _, facts in having(recording, "usb.vendor")
    }
    assert found == set(lines)


@pytest.mark.parametrize("recording", ALL)
def test_logical_units_are_lsscsis(recording: str) -> None:
    line = re.compile(r"\[([\d:]+)\] +(\S+) +(.{8}) (.{16}) (.{4}) .*")
    matches = [line.fullmatch(one) for one in said(recording, "lsscsi").splitlines()]
    theirs = {one[1]: tuple(word(text) for text in one.groups()[1:]) for one in matches if one}
    found = {
        name: tuple(facts.get(fact) for fact in ("scsi.type", "scsi.vendor", "scsi.model", "scsi.revision"))
        for name, facts in having(recording, "scsi.host")
    }
    assert found == theirs


def word(text: str) -> str | None:
    """As we have it; lsscsi writes `model?` where there is no such attribute."""
    return None if text.strip().endswith("?") else LSSCSI_TYPES.get(text, text.strip())


@pytest.mark.parametrize("recording", ALL)
def test_scsi_hosts_are_lsscsis(recording: str) -> None:
    theirs = dict(re.findall(r"\[(\d+)\] +(\S+)", said(recording, "lsscsi", "-H")))
    found = {str(facts["scsihost.host"]): name for _, facts in having(recording, "scsihost.proc_name")
             if (name := facts["scsihost.proc_name"])}  # fmt: skip
    assert found == theirs


@pytest.mark.parametrize("recording", ALL)
def test_sizes_of_block_devices_are_lsblks(recording: str) -> None:
    """Of those that it lists: it wants folders that not every recording has."""
    lines = said(recording, "lsblk", "-b", "-n", "-r", "-o", "KNAME,SIZE").splitlines()
    theirs = {name: int(size) for name, size in map(str.split, lines) if not name.startswith("sr")}  # a claim if empty
    found = dict(having(recording, "block.node.major"))
    assert {name: found[name].get("block.size", 0) for name in theirs} == theirs


@pytest.mark.parametrize("recording", TREES)
def test_inputs_and_pci_functions_are_lshws(recording: str) -> None:
    options = [word for one in _NOT_SYSFS for word in ("-disable", one)]
    nodes = list(_nodes(json.loads(said(recording, "lshw", "-json", "-quiet", *options))))
    inputs = {name for node in nodes for name in _names(node) if re.fullmatch(r"input\d+", name)}
    functions = {str(node["businfo"])[4:] for node in nodes if str(node.get("businfo")).startswith("pci@")}
    assert inputs == {name for name, _ in having(recording, "input.name") if name.startswith("input")}
    # It knows no domain of more than four digits.
    assert functions == {name for name, _ in having(recording, "pci.vendor") if len(name) == len("0000:00:00.0")}


def _nodes(tree: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    yield tree
    for child in tree.get("children", ()):  # type: ignore[attr-defined]
        yield from _nodes(child)


def _names(node: Mapping[str, object]) -> list[str]:
    found = node.get("logicalname", [])
    return [str(name) for name in found] if isinstance(found, list) else [str(found)]
