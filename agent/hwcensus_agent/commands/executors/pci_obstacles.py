"""What speaks against taking a PCI function from the host: then only `force` does it. Nothing is changed here."""

from collections.abc import Iterator

from hwcensus.errors import Refused
from hwcensus.names import device_name
from hwcensus_agent import sysfs
from hwcensus_agent.commands.executors.drivers import Bus, read
from hwcensus_agent.commands.executors.guest_drivers import holds_for_guests, is_vfio

#: Class of bridges of all kinds (PCI Code and ID Assignment 1.11, 1.7).
_BRIDGE = "0x06"


def obstacles(bus: Bus, folder: str, driver: str) -> Iterator[Refused]:
    """Each with its code, for a function that is to get this driver. Raises Unreadable."""
    name = _name(folder)
    if _is_bridge(folder):
        yield Refused(f"{name} is a bridge, all that is behind it would go", code="is-bridge")
    if read(folder, "boot_vga") == "1":
        yield Refused(f"{name} is the graphics card that the host started with: its console would go", code="boot-vga")
    if not holds_for_guests(driver):
        text = f"{driver} is not known to hold devices for guests: it would drive {name}, made for it or not"
        yield Refused(text, code="host-driver")
    group = sysfs.target(f"{folder}/iommu_group", bus.root)
    if group is None and is_vfio(driver):
        text = f"{name} is in no IOMMU group, without which {driver} gives it to no guest"
        yield Refused(f"{text}; is the IOMMU on, in the firmware and for the kernel?", code="no-iommu")
    held = [] if group is None else list(_held_by_the_host(bus, bus.place(group), folder))
    if held:
        text = f"{name} shares its IOMMU group {_last(group or '')} with {', '.join(held)}"
        yield Refused(f"{text}; they go to a guest together", code="iommu-group-shared")


def _held_by_the_host(bus: Bus, group: str, folder: str) -> Iterator[str]:
    """Functions of a group that the host's drivers have, in words. Bridges may stay: their drivers touch no memory of a
    guest's (drivers with `driver_managed_dma`, Linux 5.19; before, whatever had a bridge's header)."""
    for address in sysfs.children(f"{group}/devices", ""):
        path = sysfs.target(f"{group}/devices/{address}", bus.root)
        other = None if path is None else bus.place(path)
        driver = None if other is None or other == folder or _is_port(other) else bus.driver_of(other)
        if driver is not None and not holds_for_guests(driver):
            yield f"{device_name(bus.name, address)}, which {driver} has"


def _is_bridge(folder: str) -> bool:
    return (read(folder, "class") or "").startswith(_BRIDGE)


def _is_port(folder: str) -> bool:
    """Whether it is a bridge to another PCI bus (class code 0604)."""
    return (read(folder, "class") or "").startswith(f"{_BRIDGE}04")


def _name(folder: str) -> str:
    return device_name("pci", _last(folder))


def _last(path: str) -> str:
    return path.rpartition("/")[2]
