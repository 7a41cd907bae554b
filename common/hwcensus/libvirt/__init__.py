"""libvirt's node-device XML, as `virsh nodedev-dumpxml` prints it: a second form of our documents.

Pure: devices of one host → `<device>` elements in libvirt's order, words and number bases. The facts are ours: where
libvirt gets one wrong (sizes on disks of 4,096-byte blocks) the true value stands in libvirt's place. Links in /dev,
which we do not keep, are left out, and so are devices that libvirt has no capability for. A class that libvirt knows is
a module here and a line in the table below.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lxml import etree

from hwcensus.classes import CAPABILITIES
from hwcensus.classes.ccw import CcwBus
from hwcensus.classes.net import Net
from hwcensus.classes.pci import PciBus
from hwcensus.classes.scsi import ScsiBus, ScsiGeneric
from hwcensus.classes.scsi_target import ScsiTarget
from hwcensus.classes.scsihost import ScsiHost
from hwcensus.classes.storage import Storage
from hwcensus.classes.system import System
from hwcensus.classes.usb import UsbBus, UsbInterface
from hwcensus.device import Device, Part
from hwcensus.libvirt import net, pci, scsi, scsihost, storage, system, tail, usb
from hwcensus.libvirt.element import element, leaf
from hwcensus.libvirt.facts import facts_now
from hwcensus.libvirt.host import Host
from hwcensus.libvirt.names import libvirt_name
from hwcensus.names import COMPUTER

Writer = Callable[[Any, Device, Host], etree._Element | None]

#: Class of a bus or capability → who writes it as libvirt's.
WRITERS: Mapping[type[Part], Writer] = {
    System: lambda part, *_: system.write(part),
    PciBus: pci.write,
    UsbBus: lambda part, *_: usb.write_device(part),
    UsbInterface: lambda part, *_: usb.write_interface(part),
    Net: lambda part, *_: net.write(part),
    ScsiHost: lambda part, *_: scsihost.write(part),
    ScsiTarget: lambda part, device, _: scsi.write_target(part, device),
    ScsiBus: lambda part, device, _: scsi.write_unit(part, device),
    ScsiGeneric: lambda part, *_: scsi.write_generic(part),
    Storage: lambda part, device, _: storage.write(part, device),
    CcwBus: lambda part, *_: tail.write_ccw(part),
    CAPABILITIES["drm"]: lambda part, *_: tail.write_drm(part),
    CAPABILITIES["mdev"]: tail.write_mdev,
}

#: Classes whose names libvirt makes longer.
_LONGER = (Net, Storage)


def translate(devices: Iterable[Device]) -> dict[str, etree._Element]:
    """Our name → libvirt's document, of the devices of one host that libvirt has a capability for."""
    host = Host(devices)
    written = {name: _capability(device, host) for name, device in host.devices.items()}
    names = {name: _name(host.devices[name]) for name, capability in written.items() if capability is not None}
    return {
        name: _frame(host, host.devices[name], names, capability)
        for name, capability in written.items()
        if capability is not None
    }


def _capability(device: Device, host: Host) -> etree._Element | None:
    """Of a device's parts the first that libvirt knows: it writes one capability a device."""
    parts: list[Part] = [*([] if device.bus is None else [device.bus]), *device.capabilities]
    known = next((part for part in parts if type(part) in WRITERS), None)
    return None if known is None else WRITERS[type(known)](known, device, host)


def _name(device: Device) -> str:
    if not any(isinstance(part, _LONGER) for part in device.capabilities):
        return device.name
    return libvirt_name(device.name, facts_now(device), device.key)


def _frame(host: Host, device: Device, names: Mapping[str, str], capability: etree._Element) -> etree._Element:
    is_computer = device.name == COMPUTER
    return element(
        "device",
        leaf("name", names[device.name]),
        None if is_computer else leaf("path", device.key),
        *(element("devnode", text=node, type="dev") for node in device.devnode[:1]),
        leaf("parent", _parent(host, device, names)),
        None if device.driver is None else element("driver", leaf("name", device.driver)),
        capability,
    )


def _parent(host: Host, device: Device, names: Mapping[str, str]) -> str | None:
    """libvirt's name of the nearest device above that libvirt knows."""
    seen = {device.name}
    above = device.parent
    while above is not None and above not in names and above not in seen:
        seen.add(above)
        parent = host.devices.get(above)
        above = None if parent is None else parent.parent
    return None if device.parent is None else names.get(above or COMPUTER, COMPUTER)
