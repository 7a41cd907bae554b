"""USB devices (`<bus type="usb">`) and their interfaces (kernel ABI sysfs-bus-usb; USB 2.0, chapter 9)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Bus, Capability, State
from hwcensus.fact import DEC3, DECIMAL, HEX2, NUMBER, optional, required


@dataclass(frozen=True, kw_only=True)
class UsbState(State):
    """The chosen configuration."""

    configuration: int | None = optional("@configuration", NUMBER)


@dataclass(frozen=True, kw_only=True)
class UsbBus(Bus):
    """A USB device. Bus and device numbers are dealt at every plug."""

    type_: ClassVar[str] = "usb"
    state_class: ClassVar[type[State]] = UsbState

    vendor: int = required("vendor@id", NUMBER, label="vendor")
    vendor_name: str | None = optional("vendor", label="vendor_name")
    product: int = required("product@id", NUMBER, label="product")
    product_name: str | None = optional("product", label="product_name")
    serial: str | None = optional("serial", identifier="serial", beside=("vendor", "product"))
    version: str | None = optional("version", DECIMAL, doc="bcdUSB")
    speed: str | None = optional("speed", DECIMAL, doc="Mb/s")
    bus: str = required("address@bus", DEC3, handle=True)
    dev: str = required("address@dev", DEC3, handle=True)


@dataclass(frozen=True, kw_only=True)
class UsbInterface(Capability):
    """One interface of a USB device: what drivers bind to."""

    type_: ClassVar[str] = "usb_interface"

    number: int = required("number", NUMBER)
    device_class: str = required("class", HEX2)
    subclass: str = required("subclass", HEX2)
    protocol: str = required("protocol", HEX2)
    description: str | None = optional("description")
