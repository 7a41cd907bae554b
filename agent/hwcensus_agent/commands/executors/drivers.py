"""The files by which the kernel's driver core moves devices of one bus between drivers (kernel ABI sysfs-bus-pci and
sysfs-bus-usb; binding and unbinding by hand: LWN 143397).

Each write is an order, and blocks as long as the driver takes. Whether it should be given is not asked here.
"""

import os
from dataclasses import dataclass

from hwcensus_agent import sysfs
from hwcensus_agent.commands.census_port import Target
from hwcensus_agent.commands.executors.executor import DeviceChanged, KernelRefused

SYS = "/sys"


def write(path: str, text: str) -> None:
    """One write, as the kernel wants it. Raises KernelRefused, with the file and the kernel's own words."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise KernelRefused.by(error, path) from error


def read(folder: str, attribute: str) -> str | None:
    """An attribute's text. Raises Unreadable."""
    found = sysfs.read(f"{folder}/{attribute}")
    return None if found is None else found.decode("ascii", "replace").strip() or None


@dataclass(frozen=True, kw_only=True)
class Bus:
    """One bus and its devices; `root` is what serves as /sys, without symlinks."""

    name: str
    root: str = SYS

    def place(self, syspath: str) -> str:
        """The folder of a sysfs path."""
        return self.root + syspath.removeprefix(SYS)

    def folder(self, target: Target) -> str:
        """Where the device is. Raises DeviceChanged where it is not."""
        folder = self.place(target.syspath)
        if not os.path.isdir(folder):  # noqa: PTH112 - as sysfs does
            raise DeviceChanged(f"{target.name} is not there any more")
        return folder

    def driver_of(self, folder: str) -> str | None:
        """Who has the device in this folder."""
        found = sysfs.target(f"{folder}/driver", self.root)
        return None if found is None else found.rpartition("/")[2]

    def knows(self, driver: str) -> bool:
        """Whether the driver is there, be it a module or built in."""
        return os.path.isdir(f"{self._folder}/drivers/{driver}")  # noqa: PTH112

    def release(self, folder: str) -> None:
        """Takes the device from its driver, if it has one. Raises KernelRefused."""
        if self.driver_of(folder) is None:
            return
        try:
            write(f"{folder}/driver/unbind", _name(folder))
        except KernelRefused:
            if self.driver_of(folder) is not None:  # else another did: one driver may hold several interfaces
                raise

    def offer(self, folder: str) -> None:
        """Offers the device to all drivers, if it has none. Raises KernelRefused."""
        write(f"{self._folder}/drivers_probe", _name(folder))

    def give(self, folder: str, driver: str) -> None:
        """Gives it to this driver. Raises KernelRefused."""
        write(f"{self._folder}/drivers/{driver}/bind", _name(folder))

    @property
    def _folder(self) -> str:
        return f"{self.root}/bus/{self.name}"


def _name(folder: str) -> str:
    return folder.rpartition("/")[2]
