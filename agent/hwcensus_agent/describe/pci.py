"""PCI and PCI Express functions (kernel ABI sysfs-bus-pci), their configuration space and vital product data.

Both are read once while a function is there, and not from one that sleeps (`hwcensus_agent.once`). No ROM is read.
"""

import re
from collections.abc import Callable

from hwcensus.classes.pci import Pci, PciBus, PciState
from hwcensus.fact import Value
from hwcensus.names import device_name
from hwcensus_agent import pci_config, sysfs, vpd
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import (
    Facts,
    From,
    first,
    flag,
    hal,
    hexadecimal,
    in_name,
    number,
    stated,
    text,
    worked_out,
)
from hwcensus_agent.host import HostView
from hwcensus_agent.once import once
from hwcensus_agent.pci_config import Config, Link
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

#: Class and subclass of bridges (PCI Code and ID Assignment 1.11, 1.7) → their kind.
BRIDGES = {"0604": "pci", "0609": "pci", "0607": "cardbus"}

#: The kernel's name of a function: domain, bus, slot, function.
ADDRESS = r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])"


def product(key: str) -> From:
    """Maker or product as pci.ids has it."""
    return stated(
        lambda view, host: host.product(view, view.uevent("MODALIAS"), key), udev=f"`{key}`, of its hwdb, else pci.ids"
    )


@worked_out(udev="its hwdb, else pci.ids, by `subsystem_vendor`")
def subsystem_vendor_name(view: View, host: HostView) -> str | None:
    vendor = int(view.text("subsystem_vendor") or "0", 16)
    return host.listed(f"pci:v{vendor:08X}", "ID_VENDOR_FROM_DATABASE") if vendor else None


@worked_out(udev="its hwdb, else pci.ids: what it has behind the product, in brackets")
def subsystem_name(view: View, host: HostView) -> str | None:
    modalias = view.uevent("MODALIAS") or ""
    whole = host.listed(modalias, "ID_MODEL_FROM_DATABASE")
    plain = host.listed(modalias.partition("sv")[0], "ID_MODEL_FROM_DATABASE")
    if whole is None or plain is None or not whole.startswith(f"{plain} (") or not whole.endswith(")"):
        return None
    return whole[len(plain) + 2 : -1]


def speed(attribute: str) -> From:
    """`8.0 GT/s PCIe` → `8`; `Unknown` is none."""

    def read(view: View, _: HostView) -> str | None:
        found = re.match(r"([0-9]+)(\.[0-9]*[1-9])?", view.text(attribute) or "")
        return None if found is None else found[0]

    return stated(read, sysfs=f"`{attribute}`")


def width(attribute: str) -> From:
    """Lanes. 0 and 255 are how the kernel says that it does not know, 63 how a function that is switched off does."""

    def read(view: View, _: HostView) -> int | None:
        found = int(view.text(attribute) or 0)
        return found if found in pci_config.WIDTHS else None

    return stated(read, sysfs=f"`{attribute}`")


@worked_out(sysfs="`class`", hal="`pci.device_class`, `pci.device_subclass`, `pci.device_protocol`")
def device_class(view: View, _: HostView) -> str | None:
    return _class_code(view)


def _class_code(view: View) -> str | None:
    found = view.text("class")
    if found is not None:
        return f"{int(found, 16):06x}"
    said = [view.hal(f"pci.device_{part}") for part in ("class", "subclass", "protocol")]
    return "".join(f"{part:02x}" for part in said if isinstance(part, int)) or None


@worked_out(sysfs="name of the folder in `bus/pci/slots` whose `address` it has")
def physical_slot(view: View, host: HostView) -> str | None:
    return host.slots.get(view.kernel_name.partition(".")[0])


@worked_out(sysfs="link `iommu_group`")
def iommu_group(view: View, _: HostView) -> int | None:
    found = view.link_name("iommu_group")
    return None if found is None else int(found)


@worked_out(sysfs="links in `iommu_group/devices`")
def members(view: View, host: HostView) -> tuple[str, ...]:
    group = view.link("iommu_group")
    folder = "" if group is None else f"{host.folder(group)}/devices"
    return () if group is None else _named(host, folder, sysfs.children(folder, ""))


@worked_out(sysfs="links `virtfn*`, where `sriov_numvfs` is not 0")
def functions(view: View, host: HostView) -> tuple[str, ...]:
    some = (view.text("sriov_numvfs") or "0") != "0"
    return _named(host, view.path("."), view.children("virtfn")) if some else ()


def _named(host: HostView, folder: str, links: list[str]) -> tuple[str, ...]:
    """What functions that these links lead to are called: some are new, and not in the census yet."""
    paths = (sysfs.target(f"{folder}/{link}", host.root) for link in links)
    return tuple(sorted(host.name_of(path) or device_name("pci", path.rpartition("/")[2]) for path in paths if path))


@worked_out(sysfs="link `physfn`")
def phys_function(view: View, host: HostView) -> str | None:
    return host.name_of(view.link("physfn"))


@worked_out(sysfs="`driver_override`")
def driver_override(view: View, _: HostView) -> str | None:
    found = view.text("driver_override")
    return None if found == "(null)" else found


@worked_out(firmware="configuration space: revision, where the kernel (before 4.10) does not tell")
def revision(view: View, _: HostView) -> int | None:
    config = once(view, "config", pci_config.read)
    return None if config is None else config.revision


def in_link(read: Callable[[Link], Value | None], said: str) -> From:
    """What the function can do by its configuration space, where the kernel (before 4.13) does not tell."""

    def found(view: View, _: HostView) -> Value | None:
        config = None if view.has("max_link_speed") else once(view, "config", pci_config.read)
        return None if config is None or config.link is None else read(config.link)

    return stated(found, firmware=f"configuration space: {said} of the link capabilities")


@worked_out(firmware="configuration space: port number of the link capabilities")
def link_port(view: View, _: HostView) -> int | None:
    config = once(view, "config", pci_config.read)
    if config is not None and config.hidden and view.has("max_link_speed"):
        raise Unreadable(f"{view.syspath}: capabilities are for root to read")
    return None if config is None or config.link is None else config.link.port


def bus_number(attribute: str, read: Callable[[Config], int | None]) -> From:
    """A bus behind a bridge; by its configuration space where the kernel (before 5.0) does not tell."""

    def in_sysfs(view: View, _: HostView) -> str | None:
        found = view.text(attribute)
        return None if found is None else f"{int(found):02x}"

    def in_config(view: View, _: HostView) -> str | None:
        config = once(view, "config", pci_config.read) if _kind_of_bridge(view) else None
        found = None if config is None else read(config)
        return f"{found:02x}" if found else None

    return first(
        stated(in_sysfs, sysfs=f"`{attribute}`"),
        stated(in_config, firmware="configuration space: bus numbers of a bridge"),
    )


@worked_out(sysfs="`class` 0604, 0609 or 0607", hal="`pci.device_class`, `pci.device_subclass`")
def bridge(view: View, _: HostView) -> str | None:
    return _kind_of_bridge(view)


def _kind_of_bridge(view: View) -> str | None:
    return BRIDGES.get((_class_code(view) or "")[:4])


def vital(read: Callable[[vpd.Vpd], str | None], said: str) -> From:
    """A field of the vital product data."""

    def found(view: View, _: HostView) -> str | None:
        data = once(view, "vpd", vpd.read)
        return None if data is None else read(data)

    return stated(found, firmware=f"vital product data: {said}")


def field(keyword: str) -> From:
    return vital(lambda data: data.fields.get(keyword), keyword)


BUS = Facts(
    PciBus,
    vendor=first(hexadecimal("vendor"), hal("pci.vendor_id")),
    vendor_name=first(product("ID_VENDOR_FROM_DATABASE"), hal("pci.vendor")),
    product=first(hexadecimal("device"), hal("pci.product_id")),
    product_name=first(product("ID_MODEL_FROM_DATABASE"), hal("pci.product")),
    subsystem_vendor=first(hexadecimal("subsystem_vendor", least=1), hal("pci.subsys_vendor_id", least=1)),
    subsystem_product=first(hexadecimal("subsystem_device", least=1), hal("pci.subsys_product_id", least=1)),
    subsystem_vendor_name=first(subsystem_vendor_name, hal("pci.subsys_vendor")),
    subsystem_name=first(subsystem_name, hal("pci.subsys_product")),
    device_class=device_class,
    revision=first(hexadecimal("revision"), revision),
    domain=in_name(ADDRESS, 1),
    bus=in_name(ADDRESS, 2),
    slot=in_name(ADDRESS, 3),
    function=in_name(ADDRESS, 4),
    physical_slot=physical_slot,
)

PCI = Facts(
    Pci,
    iommu_group=iommu_group,
    numa_node=number("numa_node"),
    link_speed=first(speed("max_link_speed"), in_link(lambda link: link.speed, "speed")),
    link_width=first(width("max_link_width"), in_link(lambda link: link.width, "width")),
    link_port=link_port,
    phys_function=phys_function,
    virt_functions=number("sriov_totalvfs", least=1),
    boot_vga=flag("boot_vga"),
    reset_methods=text("reset_method"),
    bridge=bridge,
    secondary=bus_number("secondary_bus_number", lambda config: config.secondary),
    subordinate=bus_number("subordinate_bus_number", lambda config: config.subordinate),
    vpd_name=vital(lambda data: data.name, "name"),
    part_number=field("PN"),
    serial=field("SN"),
    change_level=field("EC"),
    manufacture_id=field("MN"),
    asset=field("YA"),
)

STATE = Facts(
    PciState,
    Pci,
    link_speed=speed("current_link_speed"),
    link_width=width("current_link_width"),
    virt_functions=number("sriov_numvfs", least=1),
    driver_override=driver_override,
    members=members,
    functions=functions,
)


def describe(view: View, host: HostView) -> Description:
    capability = PCI.of(view, host, state=STATE.of(view, host))
    return Description(bus=BUS.of(view, host), capabilities=() if capability is None else (capability,))
