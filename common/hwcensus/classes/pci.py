"""PCI and PCI Express functions: the `<bus type="pci">` and the facts beyond it (kernel ABI sysfs-bus-pci)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Bus, Capability, State
from hwcensus.fact import DECIMAL, HEX1, HEX2, HEX4, HEX6, NUMBER, TEXT, WORD, YES_NO, optional, repeated, required


@dataclass(frozen=True, kw_only=True)
class PciBus(Bus):
    """Ids decimal, as the proposal has them; address parts in the kernel's hexadecimal."""

    type_: ClassVar[str] = "pci"

    vendor: int = required("vendor@id", NUMBER, label="vendor")
    vendor_name: str | None = optional("vendor", label="vendor_name", doc="hwdb ID_VENDOR_FROM_DATABASE")
    product: int = required("product@id", NUMBER, label="product")
    product_name: str | None = optional("product", label="product_name", doc="hwdb ID_MODEL_FROM_DATABASE")
    subsystem_vendor: int | None = optional("subsystem@vendor", NUMBER)
    subsystem_product: int | None = optional("subsystem@product", NUMBER)
    subsystem_vendor_name: str | None = optional("subsystem@vendor_name")
    subsystem_name: str | None = optional("subsystem", label="subsystem_name", doc="the board, as pci.ids has it")
    device_class: str | None = optional("class", HEX6, doc="class, subclass, programming interface")
    revision: int | None = optional("revision", NUMBER)
    domain: str = required("address@domain", HEX4, handle=True)
    bus: str = required("address@bus", HEX2, handle=True)
    slot: str = required("address@slot", HEX2, handle=True)
    function: str = required("address@function", HEX1, handle=True)
    physical_slot: str | None = optional("physical_slot", doc="as the hot-plug or slot driver labels it")


@dataclass(frozen=True, kw_only=True)
class PciState(State):
    """The link as it runs now, the virtual functions switched on, and who shares the IOMMU group."""

    link_speed: str | None = optional("@link_speed", DECIMAL, doc="GT/s")
    link_width: int | None = optional("@link_width", NUMBER, doc="lanes")
    virt_functions: int | None = optional("@virt_functions", NUMBER, doc="sriov_numvfs")
    driver_override: str | None = optional("@driver_override", doc="the only driver that may take it")
    members: tuple[str, ...] = repeated("member", WORD, doc="functions of its IOMMU group, itself too")
    functions: tuple[str, ...] = repeated("virt_function", WORD, doc="its virtual functions")


@dataclass(frozen=True, kw_only=True)
class Pci(Capability):
    """Facts of a PCI function beyond vendor, product and address."""

    type_: ClassVar[str] = "pci"
    state_class: ClassVar[type[State]] = PciState

    iommu_group: int | None = optional("iommu_group", NUMBER, handle=True)
    numa_node: int | None = optional("numa_node", NUMBER)
    link_speed: str | None = optional("link@speed", DECIMAL, doc="GT/s, the most the function can do")
    link_width: int | None = optional("link@width", NUMBER, doc="lanes")
    link_port: int | None = optional("link@port", NUMBER, doc="the port of the link, as the hardware numbers it")
    phys_function: str | None = optional("phys_function", WORD, handle=True, doc="name of the physical function")
    virt_functions: int | None = optional("virt_functions@max", NUMBER)
    boot_vga: bool | None = optional("boot_vga", YES_NO)
    reset_methods: str | None = optional("reset_methods", TEXT, doc="as the kernel lists them, blank-separated")
    bridge: str | None = optional("bridge@type", WORD, doc="`pci` or `cardbus`")
    secondary: str | None = optional("bridge@secondary", HEX2, handle=True, doc="the bus below it")
    subordinate: str | None = optional("bridge@subordinate", HEX2, handle=True, doc="the last bus below it")
    vpd_name: str | None = optional("vpd@name", doc="vital product data (PCI Local Bus 3.0, appendix I)")
    part_number: str | None = optional("vpd@part")
    serial: str | None = optional("vpd@serial", identifier="serial", beside=("part_number",))
    change_level: str | None = optional("vpd@change_level", doc="EC")
    manufacture_id: str | None = optional("vpd@manufacturer", doc="MN")
    asset: str | None = optional("vpd@asset", doc="YA")
