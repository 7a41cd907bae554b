"""USB devices and their interfaces (kernel ABI sysfs-bus-usb). No device is asked: sysfs has its descriptors."""

from hwcensus.classes.usb import UsbBus, UsbInterface, UsbState
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, From, first, hexadecimal, number, stated, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View


def product(key: str) -> From:
    """Maker or product as usb.ids has it."""

    def read(view: View, host: HostView) -> str | None:
        vendor, device = view.text("idVendor") or "", view.text("idProduct") or ""
        return host.product(view, f"usb:v{vendor.upper()}p{device.upper()}", key)

    return stated(read, udev=f"`{key}`, of its hwdb")


def three_digits(attribute: str) -> From:
    """A number as /dev/bus/usb has it."""

    def read(view: View, _: HostView) -> str | None:
        found = view.text(attribute)
        return None if found is None else f"{int(found):03d}"

    return stated(read, sysfs=f"`{attribute}`")


def code(attribute: str) -> From:
    """Two hexadecimal digits."""

    def read(view: View, _: HostView) -> str | None:
        found = view.text(attribute)
        return None if found is None else f"{int(found, 16):02x}"

    return stated(read, sysfs=f"`{attribute}`")


@worked_out(sysfs="`serial`, but of a root hub, where the kernel writes the host controller's address")
def serial(view: View, _: HostView) -> str | None:
    return None if view.kernel_name.startswith("usb") else view.text("serial")


BUS = Facts(
    UsbBus,
    vendor=hexadecimal("idVendor"),
    vendor_name=first(product("ID_VENDOR_FROM_DATABASE"), text("manufacturer")),
    product=hexadecimal("idProduct"),
    product_name=first(product("ID_MODEL_FROM_DATABASE"), text("product")),
    serial=serial,
    version=text("version"),
    speed=text("speed"),
    bus=three_digits("busnum"),
    dev=three_digits("devnum"),
)

STATE = Facts(UsbState, UsbBus, configuration=number("bConfigurationValue", least=1))

INTERFACE = Facts(
    UsbInterface,
    number=hexadecimal("bInterfaceNumber"),
    device_class=code("bInterfaceClass"),
    subclass=code("bInterfaceSubClass"),
    protocol=code("bInterfaceProtocol"),
    description=text("interface"),
)


def describe_device(view: View, host: HostView) -> Description:
    return Description(bus=BUS.of(view, host, state=STATE.of(view, host)))


def describe_interface(view: View, host: HostView) -> Description:
    interface = INTERFACE.of(view, host)
    return Description(capabilities=() if interface is None else (interface,))
