"""PCI functions. A bridge whose configuration space nobody could read is known by its class."""

import re
from collections.abc import Sequence

from lxml import etree

from hwcensus.classes.pci import Pci, PciBus, PciState
from hwcensus.device import Device
from hwcensus.libvirt.element import capability, element, leaf
from hwcensus.libvirt.host import Host

#: Class and subclass (PCI Code and ID Assignment Specification) → kind of bridge.
_BRIDGES = {"0604": "pci", "0607": "cardbus"}

#: What libvirt's schema takes for a value of vital product data.
_VITAL = re.compile(r"[ -_a-z]{1,255}")


def write(bus: PciBus, device: Device, host: Host) -> etree._Element:
    more = device.capability("pci")
    pci = more if isinstance(more, Pci) else Pci()
    bridge = pci.bridge or _BRIDGES.get((bus.device_class or "")[:4])
    return capability(
        "pci",
        [
            leaf("class", None if bus.device_class is None else f"0x{bus.device_class}"),
            *(leaf(part, int(getattr(bus, part), 16)) for part in ("domain", "bus", "slot", "function")),
            element("product", text=bus.product_name, id=f"0x{bus.product:04x}"),
            element("vendor", text=bus.vendor_name, id=f"0x{bus.vendor:04x}"),
            _phys_function(pci, host),
            _virt_functions(device, pci, host),
            None if bridge is None else capability(f"{bridge}-bridge"),
            _vital_product_data(pci),
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
        None if width is None else element("link", validity=validity, port=port, speed=speed, width=width)
        for validity, port, speed, width in (
            ("cap", pci.link_port, pci.link_speed, pci.link_width),
            ("sta", None, now.link_speed, now.link_width),
        )
    ]
    return element("pci-express", *links) if any(link is not None for link in links) else None


def _vital_product_data(pci: Pci) -> etree._Element | None:
    """None without a name, which libvirt does not do without."""
    named = _field("name", pci.vpd_name)
    if named is None:
        return None
    read_only = [
        _field("change_level", pci.change_level),
        _field("manufacture_id", pci.manufacture_id),
        _field("part_number", pci.part_number),
        _field("serial_number", pci.serial),
    ]
    fields = [_fields("readonly", read_only), _fields("readwrite", [_field("asset_tag", pci.asset)])]
    return capability("vpd", [named, *fields])


def _fields(access: str, those: Sequence[etree._Element | None]) -> etree._Element | None:
    return element("fields", *those, access=access) if any(one is not None for one in those) else None


def _field(tag: str, value: str | None) -> etree._Element | None:
    return leaf(tag, value) if _VITAL.fullmatch(value or "") else None


def _address(bus: PciBus) -> etree._Element:
    return element(
        "address", domain=f"0x{bus.domain}", bus=f"0x{bus.bus}", slot=f"0x{bus.slot}", function=f"0x{bus.function}"
    )
