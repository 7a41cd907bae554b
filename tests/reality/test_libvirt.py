"""libvirt's form of every recorded host and of this machine: by libvirt's own schema, and beside libvirt itself."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from hwcensus.libvirt import translate
from hwcensus_agent.enumerate import enumerate_host
from tests.fixtures import libvirt
from tests.fixtures.require import require
from tests.reality.recordings import ALL, sysroot_of

#: Where libvirt's schema is narrower than devices are: an element, what may stand in it, and an example of that.
#: (Addresses of InfiniBand, which it has no room for either, we leave out.)
TOO_NARROW: Mapping[str, tuple[str, str]] = {
    "block": (r"/[a-zA-Z0-9_+\-/%]+", "/dev/sda"),  # /dev/cciss/c0d0 may be, /dev/mapper/a.b may not
}


#: What we say otherwise than libvirt 9, by purpose: facts of its documents by their paths, and why.
OTHERWISE: Mapping[str, str] = {
    "pci/product": "names are those of udev's hwdb, which names the product of the subsystem too",
    "pci/vendor": "the same; a recording has those that it was made with",
    "pci/pci-express/link*": "libvirt reads configuration space, we read sysfs, which old kernels lack",
    "net/feature*": "asked of the running kernel by ioctl, which knows nothing of a recorded interface",
    "net/link@speed": "libvirt writes the kernel's -1 as 4294967295",
    "net/capability@type": "an interface is wireless if it has a phy, not by its DEVTYPE alone",
    "storage/size": "zero where the block size is not known; eight times too large where it is 4,096",
    "storage/num_blocks": "in units of 512 bytes whatever the block size",
    "storage/vendor": "not where it is a number (virtio) or says ATA",
    "storage/bus": "by sysfs, not ID_BUS: behind a SATA port is ata, whatever is spoken there",
    "storage/serial": "made from what sysfs has, where udev asked the drive itself",
    "storage/name": "the same",
    "system/hardware/uuid": "libvirt makes one up where the host has none",
}

#: Devices that a recording shows in part only: without its link to the drive, a drive is not known for one.
CUT = {"/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sr0": "ghw-8581cf3a"}


#: By sysfs path; the computer has none.
Documents = Mapping[str | None, etree._Element]


def translated(sysroot: Path) -> Documents:
    devices = translate([one.device for one in enumerate_host(sysroot=str(sysroot)).devices])
    return {device.findtext("path"): device for device in devices.values()}


@cache
def both(recording: str) -> tuple[Documents, Documents]:
    """libvirt's own documents of a recorded host, and ours in its form."""
    sysroot = sysroot_of(recording)
    return libvirt.node_devices(sysroot).devices, translated(sysroot)


@cache
def schema() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(libvirt.SCHEMA))


@pytest.mark.parametrize("recording", [*ALL, "this machine"])
def test_every_device_is_valid_by_libvirts_own_schema(recording: str) -> None:
    require(libvirt.SCHEMA.exists(), "libvirt0 is not installed")
    devices = translated(Path("/sys") if recording == "this machine" else sysroot_of(recording))
    assert None in devices
    for device in devices.values():
        for element in device.iter(*TOO_NARROW):
            allowed, example = TOO_NARROW[str(element.tag)]
            if element.text is not None and not re.fullmatch(allowed, element.text):
                element.text = example
        assert schema().validate(device), f"{etree.tostring(device).decode()}: {schema().error_log}"


@pytest.mark.parametrize("recording", ALL)
def test_libvirt_itself_says_the_same_of_every_device(recording: str) -> None:
    theirs, ours = both(recording)
    missing = theirs.keys() - ours.keys()
    assert not [path for path in missing if CUT.get(str(path)) != recording]
    for path in theirs.keys() & ours.keys():
        said = Counter(facts_of(theirs[path])) - Counter(facts_of(ours[path]))
        assert not [fact for fact in said if not any(fnmatch(fact[0], known) for known in OTHERWISE)], path


@pytest.mark.parametrize("recording", ALL)
def test_a_device_is_below_the_one_that_libvirt_has_it_below(recording: str) -> None:
    """Where both know it: libvirt drops a PCI function without configuration space, and what is below it moves up."""
    theirs, ours = both(recording)
    known = [{device.findtext("name") for device in devices.values()} for devices in (theirs, ours)]
    for path in theirs.keys() & ours.keys():
        parents = {theirs[path].findtext("parent"), ours[path].findtext("parent")}
        assert len(parents) == 1 or not (parents <= known[0] and parents <= known[1]), path


def kind_of(device: etree._Element) -> str:
    capability = device.find("capability")
    assert capability is not None
    return str(capability.get("type"))


def facts_of(device: etree._Element) -> Iterator[tuple[str, str]]:
    """Path and value of every text and attribute, but of links in /dev, which are udev's, and of the parent."""
    for child in device:
        if child.get("type") == "link" or child.tag == "parent":
            continue
        yield from _below(child, kind_of(device) + ("" if child.tag == "capability" else f"/{child.tag}"))


def _below(element: etree._Element, path: str) -> Iterator[tuple[str, str]]:
    for name, value in element.items():
        yield f"{path}@{name!s}", str(value)
    if element.text is not None and element.text.strip():
        yield path, element.text
    for child in element:
        yield from _below(child, f"{path}/{child.tag}")
