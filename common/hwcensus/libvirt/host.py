"""What libvirt's document of one device says of others: the relations, read off all devices of a host."""

from collections.abc import Iterable, Iterator

from hwcensus.classes.pci import Pci, PciBus
from hwcensus.device import Device


class Host:
    """All devices of one host, by name, PCI functions also by group and by physical function."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self.devices = {device.name: device for device in devices}
        self._groups: dict[int, list[PciBus]] = {}
        self._virtual: dict[str, list[PciBus]] = {}
        for bus, pci in self._functions():
            if pci.iommu_group is not None:
                self._groups.setdefault(pci.iommu_group, []).append(bus)
            if pci.phys_function is not None:
                self._virtual.setdefault(pci.phys_function, []).append(bus)

    def pci(self, name: str) -> PciBus | None:
        """The function of this name."""
        device = self.devices.get(name)
        return device.bus if device is not None and isinstance(device.bus, PciBus) else None

    def iommu_group(self, number: int) -> list[PciBus]:
        return sorted(self._groups[number], key=_by_address)

    def virtual_functions(self, physical: str) -> list[PciBus]:
        return sorted(self._virtual.get(physical, ()), key=_by_address)

    def _functions(self) -> Iterator[tuple[PciBus, Pci]]:
        for device in self.devices.values():
            pci = device.capability("pci")
            if isinstance(device.bus, PciBus) and isinstance(pci, Pci):
                yield device.bus, pci


def _by_address(bus: PciBus) -> tuple[str, ...]:
    return bus.domain, bus.bus, bus.slot, bus.function
