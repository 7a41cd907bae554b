"""PCI functions that are many: a physical one and its virtual ones (kernel ABI sysfs-bus-pci; SR-IOV 1.1)."""

import os
import re
from dataclasses import dataclass
from typing import Self

from hwcensus.names import device_name
from hwcensus_agent import sysfs

#: Domain, bus, device, function, as the kernel writes them.
ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")


@dataclass(frozen=True, kw_only=True)
class PciFunction:
    """One function that is there; `folder` is its own in sysfs."""

    address: str
    folder: str

    @classmethod
    def named(cls, name: str, sysroot: str) -> Self | None:
        """The one that the census calls so."""
        devices = f"{sysroot}/bus/pci/devices"
        address = next((one for one in sysfs.children(devices, "") if device_name("pci", one) == name), None)
        return None if address is None else cls(address=address, folder=os.path.realpath(f"{devices}/{address}"))

    @property
    def is_virtual(self) -> bool:
        return os.path.islink(f"{self.folder}/physfn")  # noqa: PTH114 - as sysfs does

    @property
    def total(self) -> int:
        """How many it can have; 0 where it has no SR-IOV. Raises Unreadable."""
        return self._number("sriov_totalvfs") or 0

    @property
    def present(self) -> int:
        """How many it has. Raises Unreadable."""
        return self._number("sriov_numvfs") or 0

    def functions(self) -> dict[str, str]:
        """Those that it has: address → folder."""
        links = sysfs.children(self.folder, "virtfn")
        folders = [os.path.realpath(f"{self.folder}/{link}") for link in sorted(links, key=_of_link)]
        return {folder.rpartition("/")[2]: folder for folder in folders}

    def places(self, number: int) -> list[str] | None:
        """The addresses that so many will have; None where the kernel does not tell (before 4.15)."""
        offset, stride = self._number("sriov_offset"), self._number("sriov_stride")
        found = ADDRESS.fullmatch(self.address)
        if offset is None or stride is None or found is None:
            return None
        domain = found[1]
        own = int(found[2], 16) << 8 | int(found[3], 16) << 3 | int(found[4])
        ids = (own + offset + stride * n for n in range(number))
        return [f"{domain}:{id_ >> 8:02x}:{id_ >> 3 & 0x1F:02x}.{id_ & 7}" for id_ in ids]

    def set_number(self, number: int) -> None:
        """From none to some, or to none: nothing else the kernel takes. Raises OSError."""
        descriptor = os.open(f"{self.folder}/sriov_numvfs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, f"{number}\n".encode())
        finally:
            os.close(descriptor)

    def _number(self, attribute: str) -> int | None:
        found = sysfs.read(f"{self.folder}/{attribute}")
        text = "" if found is None else found.decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() else None


def _of_link(name: str) -> int:
    number = name.removeprefix("virtfn")
    return int(number) if number.isdecimal() else 0
