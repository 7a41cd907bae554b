"""SCSI targets, logical units and their generic nodes."""

import re

from lxml import etree

from hwcensus.classes.scsi import Scsi, ScsiBus, ScsiGeneric
from hwcensus.classes.scsi_target import FcRemotePort, ScsiTarget
from hwcensus.device import Device
from hwcensus.libvirt.element import capability, leaf

#: Types of logical units (SPC-4) that libvirt has a word for. It has ours.
_TYPES = frozenset({"disk", "tape", "processor", "worm", "cdrom", "scanner", "mod", "changer", "raid", "enclosure"})


def write_unit(bus: ScsiBus, device: Device) -> etree._Element:
    more = device.capability("scsi")
    type_ = more.device_type if isinstance(more, Scsi) and more.device_type in _TYPES else None
    address = [leaf(part, getattr(bus, part)) for part in ("host", "bus", "target", "lun")]
    return capability("scsi", [*address, leaf("type", type_)])


def write_target(target: ScsiTarget, device: Device) -> etree._Element:
    port = target.find("fc_remote_port")
    remote = _remote_port(port, device) if isinstance(port, FcRemotePort) else None
    return capability("scsi_target", [leaf("target", f"target{target.host}:{target.bus}:{target.target}"), remote])


def write_generic(generic: ScsiGeneric) -> etree._Element:
    return capability("scsi_generic", [leaf("char", generic.device)])


def _remote_port(port: FcRemotePort, device: Device) -> etree._Element | None:
    """libvirt keeps the kernel's `0x` here, and here only."""
    name = re.search(r"/(rport-\d+:\d+-\d+)/", device.key or "")
    if name is None or port.wwpn is None:
        return None
    return capability("fc_remote_port", [leaf("rport", name[1]), leaf("wwpn", f"0x{port.wwpn}")])
