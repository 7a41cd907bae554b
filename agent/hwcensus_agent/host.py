"""What describers may ask about the host beyond the device they describe: links, names of other devices, the hwdb.

One a look: what it read once holds for the whole look.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from hwcensus.errors import HwcensusError
from hwcensus.fact import original, printable
from hwcensus_agent import board, hwdb, processors, smbios, sysfs
from hwcensus_agent.ethtool import Ethtool
from hwcensus_agent.hal.device import HalDevice
from hwcensus_agent.processors import Topology
from hwcensus_agent.rtnetlink import Link, RouteSocket
from hwcensus_agent.smbios import Structure
from hwcensus_agent.sources.udev import wanted_group
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.udev_database import UdevDatabase
from hwcensus_agent.view import View

SYS = "/sys"
#: Said for `sysroot` where HAL's host has its sysfs nowhere in reach, and a place below which nothing is found.
NO_SYSFS, NOWHERE = "none", "/dev/null"


def key_of(syspath: str) -> str:
    """A sysfs path as documents have it: text that XML can carry, whatever bytes the kernel's names are made of."""
    return printable(os.fsencode(syspath))


def path_of(key: str) -> str:
    """The sysfs path of a key."""
    return os.fsdecode(original(key))


def above(path: str) -> Iterator[str]:
    """The folders that a device is below, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


class HostView:
    """One host at one moment: the running one, or the one that a sysfs tree was recorded on."""

    def __init__(self, sysroot: str = SYS, hal: Mapping[str, HalDevice] | None = None) -> None:
        """`hal` are the devices that a hald has, by sysfs path, where HAL leads."""
        self.has_sysfs = sysroot != NO_SYSFS
        self.root = os.path.realpath(sysroot) if self.has_sysfs else NOWHERE
        self.hal = hal or {}
        #: Whether this is the running kernel's own sysfs, so that netlink, /proc and the hwdb speak of the same host.
        self.live = self.root == SYS
        self.database = self._open_database()
        #: Key → name, of every device in the census; the caller fills it before anything is described.
        self.names: Mapping[str, str] = {}
        #: WWPN of an adapter → those of the virtual ports that are wanted on it.
        self.wanted: Callable[[str], tuple[str, ...]] = lambda _: ()
        self._links: dict[str, Link] | Unreadable | None = None
        self._drivers: dict[int, Ethtool] = {}

    def view(self, syspath: str, subsystem: str) -> View:
        said = self.hal.get(syspath)
        if said is None:
            part = board.part_at(syspath)
            return View(root=self.root, syspath=syspath, subsystem=subsystem, database=self.database, part=part)
        return View(
            root=self.root, syspath=syspath, subsystem=subsystem, database=self.database,
            hal=said.properties, devtype=said.kind[1],
        )  # fmt: skip

    def device_key(self, syspath: str) -> str:
        """What the document has as the device's key: HAL's udi where HAL has one, else the sysfs path."""
        said = self.hal.get(syspath)
        return key_of(syspath) if said is None else said.udi

    def subsystem(self, syspath: str) -> str:
        """The kernel's subsystem; empty where there is no such device any more. Kernels before 2.6.25 say `bus`."""
        if (part := board.part_at(syspath)) is not None:
            return part.subsystem
        if not self.has_sysfs:
            return self.hal[syspath].kind[0] if syspath in self.hal else ""
        folder = self.folder(syspath)
        found = sysfs.target(f"{folder}/subsystem", self.root) or sysfs.target(f"{folder}/bus", self.root)
        return "" if found is None else os.path.basename(found)  # noqa: PTH119 - never a Path in a loop over devices

    def name_of(self, syspath: str | None) -> str | None:
        """The name in the census of another device."""
        return None if syspath is None else self.names.get(key_of(syspath))

    def folder(self, syspath: str) -> str:
        """Where the device's folder is in this file system."""
        part = board.part_at(syspath)
        return self.root + (syspath if part is None else part.folder).removeprefix(SYS)

    def is_there(self, key: str) -> bool:
        if not self.has_sysfs:
            return path_of(key) in self.hal
        return os.path.isdir(self.folder(path_of(key)))  # noqa: PTH112 - a Path for each device adds up

    def link(self, view: View) -> Link | None:
        """What rtnetlink tells of an interface; None for a recording, and where the two are not of one namespace.

        Raises Unreadable where the kernel does not answer.
        """
        if not self.live:
            return None
        if self._links is None:
            self._links = _dump()
        if isinstance(self._links, Unreadable):
            raise self._links
        link = self._links.get(view.kernel_name)
        return link if link is not None and str(link.index) == view.text("ifindex") else None

    def name_of_link(self, index: int) -> str | None:
        """The name in the census of the interface of this number, which a link tells."""
        links = self._links if isinstance(self._links, dict) else {}
        found = next((link.name for link in links.values() if link.index == index), None)
        return None if found is None else self.name_of(sysfs.target(f"{self.root}/class/net/{found}", self.root))

    def ethtool(self, view: View) -> Ethtool | None:
        """Whom to ask about an interface; None where `link` is."""
        link = self.link(view)
        return None if link is None else self._drivers.setdefault(link.index, Ethtool(link.name))

    def product(self, view: View, modalias: str | None, key: str) -> str | None:
        """A property of udev's hardware database: as udev's rules found it, else looked up."""
        return view.udev(key) or self.listed(modalias, key)

    def listed(self, modalias: str | None, key: str) -> str | None:
        """The same for what is not the device itself. The lists are this machine's: of a recording they say nothing."""
        return hwdb.lookup(modalias, key) if modalias is not None and self.live else None

    @cached_property
    def topology(self) -> Topology:
        """Packages and their CPUs. Raises Unreadable."""
        return processors.topology(self.root)

    @cached_property
    def cpuinfo(self) -> Mapping[int, Mapping[str, str]]:
        """Package → what /proc/cpuinfo says of one of its CPUs; nothing of a recording. Raises Unreadable."""
        return processors.cpuinfo(self.topology.packages) if self.live else {}

    @cached_property
    def memory_devices(self) -> Sequence[Structure]:
        """SMBIOS's memory devices, empty slots too, in the firmware's order. Raises Unreadable."""
        return smbios.of_type(self.root, smbios.MEMORY_DEVICE)

    @cached_property
    def slots(self) -> Mapping[str, str]:
        """Domain, bus and device of a PCI function → what the slot that it sits in is called."""
        folder = f"{self.root}/bus/pci/slots"
        found: dict[str, str] = {}
        for name in sysfs.children(folder, ""):
            address = sysfs.read(f"{folder}/{name}/address")
            if address is not None:
                found.setdefault(address.decode("ascii", "replace").strip(), printable(os.fsencode(name)))
        return found

    def _open_database(self) -> UdevDatabase | None:
        if self.live:
            return UdevDatabase() if wanted_group() == "udev" else None
        recorded = Path(self.root).parent / "run" / "udev" / "data"
        return UdevDatabase(recorded) if recorded.is_dir() else None


def _dump() -> dict[str, Link] | Unreadable:
    try:
        with RouteSocket() as route:
            return {link.name: link for link in route.dump_links()}
    except (OSError, HwcensusError) as error:
        return Unreadable(f"rtnetlink: {error}")
