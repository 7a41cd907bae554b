"""What decides whether a guest can have a device, said before it is taken from its driver or given back."""

from collections.abc import Iterable, Iterator

from hwcensus.client import Device


def facts(device: Device, devices: Iterable[Device]) -> Iterator[str]:
    """What decides whether a guest can have it: its IOMMU group, how it is reset, what it is for the host."""
    if device.bus != "pci":
        return
    group = device.facts.get("pci.iommu_group")
    if group is None:
        yield "IOMMU group: none, so no guest can have it (intel_iommu=on, amd_iommu=on)"
    else:
        yield f"IOMMU group {group}, which goes as a whole: {_members(device, devices)}"
    yield f"reset: {device.facts.get('pci.reset_methods') or 'none known, so a guest may find it as another left it'}"
    for path, meaning in (("pci.boot_vga", "it shows the console"), ("pci.bridge.type", "it is a bridge")):
        if device.facts.get(path):
            yield meaning
    if override := device.state.get("pci.driver_override"):
        yield f"only the driver {override} may have it now"


def _members(device: Device, devices: Iterable[Device]) -> str:
    told = device.state.get("pci.member")
    names = told if isinstance(told, list) else [device.name]
    drivers = {one.name: one.driver or "no driver" for one in devices if one.name in names}
    return ", ".join(f"{name} ({drivers.get(name, 'unknown')})" for name in names)
