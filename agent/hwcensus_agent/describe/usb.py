"""USB devices and their interfaces (kernel ABI sysfs-bus-usb). No device is asked: sysfs has its descriptors."""

from hwcensus.classes.usb import UsbBus, UsbInterface, UsbState
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, From, first, hal, hexadecimal, number, stated, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View


def product(key: str) -> From:
    """Maker or product as usb.ids has it."""

    def read(view: View, host: HostView) -> str | None:
        vendor, device = view.text("idVendor") or "", view.text("idProduct") or ""
        return host.product(view, f"usb:v{vendor.upper()}p{device.upper()}", key)

    return stated(read, udev=f"`{key}`, of its hwdb, else usb.ids")


def three_digits(attribute: str, by_hal: str) -> From:
    """A number as /dev/bus/usb has it."""

    def read(view: View, _: HostView) -> str | None:
        found = view.text(attribute) or view.hal(by_hal)
        return f"{int(found):03d}" if isinstance(found, str | int) else None

    return stated(read, sysfs=f"`{attribute}`", hal=f"`{by_hal}`")


def code(attribute: str, by_hal: str) -> From:
    """Two hexadecimal digits."""

    def read(view: View, _: HostView) -> str | None:
        found = view.text(attribute)
        value = view.hal(by_hal) if found is None else int(found, 16)
        return f"{value:02x}" if isinstance(value, int) else None

    return stated(read, sysfs=f"`{attribute}`", hal=f"`{by_hal}`")


@worked_out(
    sysfs="`serial`, but of a root hub, where the kernel writes the host controller's address",
    hal="`usb_device.serial`, likewise",
)
def serial(view: View, _: HostView) -> str | None:
    if view.kernel_name.startswith("usb"):
        return None
    found = view.text("serial") or view.hal("usb_device.serial")
    return found if isinstance(found, str) else None


@worked_out(sysfs="`version`", hal="`usb_device.version`, before 0.5.9 `usb_device.version_bcd`")
def version(view: View, _: HostView) -> str | None:
    found = view.text("version") or _of_hal(view, "usb_device.version")
    return None if found is None else f"{float(found):.2f}"


@worked_out(sysfs="`speed`", hal="`usb_device.speed`, before 0.5.9 `usb_device.speed_bcd`")
def speed(view: View, _: HostView) -> str | None:
    found = view.text("speed")
    return None if found == "unknown" else found or _of_hal(view, "usb_device.speed")


def _of_hal(view: View, key: str) -> str | None:
    """A number with a fraction; hald before 0.5.9 gives its digits, two of them behind the point, as a number to be
    read in hexadecimal (HAL specification 0.5.8: 0x48000 is 480)."""
    found, digits = view.hal(key), view.hal(f"{key}_bcd")
    if isinstance(found, str):
        return found
    return f"{int(f'{digits:x}') / 100:.2f}".rstrip("0").rstrip(".") if isinstance(digits, int) else None


BUS = Facts(
    UsbBus,
    vendor=first(hexadecimal("idVendor"), hal("usb_device.vendor_id")),
    vendor_name=first(product("ID_VENDOR_FROM_DATABASE"), text("manufacturer"), hal("usb_device.vendor")),
    product=first(hexadecimal("idProduct"), hal("usb_device.product_id")),
    product_name=first(product("ID_MODEL_FROM_DATABASE"), text("product"), hal("usb_device.product")),
    serial=serial,
    version=version,
    speed=speed,
    bus=three_digits("busnum", "usb_device.bus_number"),
    dev=three_digits("devnum", "usb_device.linux.device_number"),
)

STATE = Facts(
    UsbState,
    UsbBus,
    configuration=first(number("bConfigurationValue", least=1), hal("usb_device.configuration_value", least=1)),
)

INTERFACE = Facts(
    UsbInterface,
    number=first(hexadecimal("bInterfaceNumber"), hal("usb.interface.number")),
    device_class=code("bInterfaceClass", "usb.interface.class"),
    subclass=code("bInterfaceSubClass", "usb.interface.subclass"),
    protocol=code("bInterfaceProtocol", "usb.interface.protocol"),
    description=first(text("interface"), hal("usb.interface.description")),
)


def describe_device(view: View, host: HostView) -> Description:
    return Description(bus=BUS.of(view, host, state=STATE.of(view, host)))


def describe_interface(view: View, host: HostView) -> Description:
    interface = INTERFACE.of(view, host)
    return Description(capabilities=() if interface is None else (interface,))
