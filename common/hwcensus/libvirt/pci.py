"""PCI functions. What libvirt reads in configuration space (kind of bridge, link) follows from class and sysfs."""

from lxml import etree

from hwcensus.classes.pci import Pci, PciBus, PciState
from hwcensus.device import Device
from hwcensus.libvirt.element import capability, element, leaf
from hwcensus.libvirt.host import Host

#: Class and subclass (PCI Code and ID Assignment Specification) → libvirt's kind of bridge.
_BRIDGES = {"0604": "pci-bridge", "0607": "cardbus-bridge"}


def write(bus: PciBus, device: Device, host: Host) -> etree._Element:
    more = device.capability("pci")
    pci = more if isinstance(more, Pci) else Pci()
    kind = _BRIDGES.get((bus.device_class or "")[:4])
    return capability(
        "pci",
        [
            leaf("class", None if bus.device_class is None else f"0x{bus.device_class}"),
            *(leaf(part, int(getattr(bus, part), 16)) for part in ("domain", "bus", "slot", "function")),
            element("product", text=bus.product_name, id=f"0x{bus.product:04x}"),
            element("vendor", text=bus.vendor_name, id=f"0x{bus.vendor:04x}"),
            _phys_function(pci, host),
            _virt_functions(device, pci, host),
            None if kind is None else capability(kind),
            _group(pci, host),
            None if pci.numa_node is None else element("numa", node=pci.numa_node),
            _express(pci),
        ],
    )


def _phys_function(pci: Pci, host: Host) -> etree._Element | None:
    functions = [] if pci.phys_function is None else [host.pci(pci.phys_function)]
    addresses = [_address(bus) for bus in functions if bus is not None]
    return capability("phys_function", addresses) if addresses else None


def _virt_functions(device: Device, pci: Pci, host: Host) -> etree._Element | None:
    addresses = [_address(bus) for bus in host.virtual_functions(device.name)]
    if not addresses and not pci.virt_functions:
        return None
    return element("capability", *addresses, type="virt_functions", maxCount=pci.virt_functions)


def _group(pci: Pci, host: Host) -> etree._Element | None:
    if pci.iommu_group is None:
        return None
    return element("iommuGroup", *map(_address, host.iommu_group(pci.iommu_group)), number=pci.iommu_group)


def _express(pci: Pci) -> etree._Element | None:
    now = pci.state if isinstance(pci.state, PciState) else PciState()
    links = [
        None if width is None else element("link", validity=validity, speed=speed, width=width)
        for validity, speed, width in (
            ("cap", pci.link_speed, pci.link_width),
            ("sta", now.link_speed, now.link_width),
        )
    ]
    return element("pci-express", *links) if any(link is not None for link in links) else None


def _address(bus: PciBus) -> etree._Element:
    return element(
        "address", domain=f"0x{bus.domain}", bus=f"0x{bus.bus}", slot=f"0x{bus.slot}", function=f"0x{bus.function}"
    )
