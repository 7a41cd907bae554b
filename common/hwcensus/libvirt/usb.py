"""USB devices, which libvirt calls `usb_device`, and their interfaces, which it calls `usb`: numbers are decimal."""

from lxml import etree

from hwcensus.classes.usb import UsbBus, UsbInterface
from hwcensus.libvirt.element import capability, element, leaf


def write_device(bus: UsbBus) -> etree._Element:
    return capability(
        "usb_device",
        [
            leaf("bus", int(bus.bus)),
            leaf("device", int(bus.dev)),
            element("product", text=bus.product_name, id=f"0x{bus.product:04x}"),
            element("vendor", text=bus.vendor_name, id=f"0x{bus.vendor:04x}"),
        ],
    )


def write_interface(interface: UsbInterface) -> etree._Element:
    return capability(
        "usb",
        [
            leaf("number", interface.number),
            leaf("class", int(interface.device_class, 16)),
            leaf("subclass", int(interface.subclass, 16)),
            leaf("protocol", int(interface.protocol, 16)),
            leaf("description", interface.description),
        ],
    )
