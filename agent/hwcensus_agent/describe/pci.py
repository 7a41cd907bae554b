"""PCI and PCI Express functions (kernel ABI sysfs-bus-pci). It reads no configuration space, VPD or ROM."""

import re

from hwcensus.classes.pci import Pci, PciBus, PciState
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, From, flag, hexadecimal, number, stated, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])")


def address(part: int) -> From:
    """One part of the address that is the kernel's name of a function: domain, bus, slot, function."""

    def read(view: View, _: HostView) -> str | None:
        found = ADDRESS.fullmatch(view.kernel_name)
        return None if found is None else found[part]

    return stated(read, path="the kernel's name")


def product(key: str) -> From:
    """Maker or product as pci.ids has it."""
    return stated(lambda view, host: host.product(view, view.uevent("MODALIAS"), key), udev=f"`{key}`, of its hwdb")


def speed(attribute: str) -> From:
    """`8.0 GT/s PCIe` → `8`; `Unknown` is none."""

    def read(view: View, _: HostView) -> str | None:
        found = re.match(r"([0-9]+)(\.[0-9]*[1-9])?", view.text(attribute) or "")
        return None if found is None else found[0]

    return stated(read, sysfs=f"`{attribute}`")


def width(attribute: str) -> From:
    """Lanes; 0 and 255 are how the kernel says that it does not know."""

    def read(view: View, _: HostView) -> int | None:
        found = int(view.text(attribute) or 0)
        return found if 0 < found < 255 else None

    return stated(read, sysfs=f"`{attribute}`")


@worked_out(sysfs="`class`")
def device_class(view: View, _: HostView) -> str | None:
    found = view.text("class")
    return None if found is None else f"{int(found, 16):06x}"


@worked_out(sysfs="link `iommu_group`")
def iommu_group(view: View, _: HostView) -> int | None:
    found = view.link_name("iommu_group")
    return None if found is None else int(found)


@worked_out(sysfs="link `physfn`")
def phys_function(view: View, host: HostView) -> str | None:
    return host.name_of(view.link("physfn"))


BUS = Facts(
    PciBus,
    vendor=hexadecimal("vendor"),
    vendor_name=product("ID_VENDOR_FROM_DATABASE"),
    product=hexadecimal("device"),
    product_name=product("ID_MODEL_FROM_DATABASE"),
    subsystem_vendor=hexadecimal("subsystem_vendor", least=1),
    subsystem_product=hexadecimal("subsystem_device", least=1),
    device_class=device_class,
    revision=hexadecimal("revision"),
    domain=address(1),
    bus=address(2),
    slot=address(3),
    function=address(4),
)

PCI = Facts(
    Pci,
    iommu_group=iommu_group,
    numa_node=number("numa_node"),
    link_speed=speed("max_link_speed"),
    link_width=width("max_link_width"),
    phys_function=phys_function,
    virt_functions=number("sriov_totalvfs", least=1),
    boot_vga=flag("boot_vga"),
    reset_methods=text("reset_method"),
)

STATE = Facts(
    PciState,
    Pci,
    link_speed=speed("current_link_speed"),
    link_width=width("current_link_width"),
    virt_functions=number("sriov_numvfs", least=1),
)


def describe(view: View, host: HostView) -> Description:
    capability = PCI.of(view, host, state=STATE.of(view, host))
    return Description(bus=BUS.of(view, host), capabilities=() if capability is None else (capability,))
