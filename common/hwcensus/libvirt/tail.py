"""Graphics nodes, mediated devices and channel-attached devices."""

from typing import Any

from lxml import etree

from hwcensus.classes.ccw import CcwBus
from hwcensus.device import Device
from hwcensus.libvirt.element import capability, element, leaf
from hwcensus.libvirt.host import Host


def write_drm(drm: Any) -> etree._Element | None:
    """`primary`, `control` or `render`, or nothing."""
    return None if drm.type is None else capability("drm", [leaf("type", drm.type)])


def write_mdev(mdev: Any, device: Device, host: Host) -> etree._Element | None:
    """A mediated device whose type is not known yet has no form."""
    if mdev.mdev_type is None:
        return None
    above = host.devices.get(device.parent or "")
    parent = None if above is None or above.key is None else above.key.rpartition("/")[2]
    group = None if mdev.iommu_group is None else element("iommuGroup", number=mdev.iommu_group)
    return capability(
        "mdev", [element("type", id=mdev.mdev_type), leaf("uuid", mdev.uuid), leaf("parent_addr", parent), group]
    )


def write_ccw(bus: CcwBus) -> etree._Element:
    return capability(
        "ccw", [leaf("cssid", f"0x{bus.cssid}"), leaf("ssid", f"0x{bus.ssid}"), leaf("devno", f"0x{bus.number}")]
    )
