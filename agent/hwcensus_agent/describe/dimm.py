"""Memory modules, by SMBIOS (DMTF DSP0134 3.7, section 7.18). A slot that nothing is in is no device."""

from collections.abc import Callable

from hwcensus.classes.dimm import Dimm
from hwcensus.fact import Value
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, From, stated
from hwcensus_agent.host import HostView
from hwcensus_agent.smbios import Structure
from hwcensus_agent.view import View

KIB, MIB = 1 << 10, 1 << 20
EXTENDED, UNKNOWN, IN_KIB = 0x7FFF, 0xFFFF, 0x8000

#: Memory types (7.18.2) that say what it is.
TYPES = {0x03: "DRAM", 0x04: "EDRAM", 0x05: "VRAM", 0x06: "SRAM", 0x07: "RAM", 0x08: "ROM", 0x09: "Flash",
         0x0A: "EEPROM", 0x0B: "FEPROM", 0x0C: "EPROM", 0x0D: "CDRAM", 0x0E: "3DRAM", 0x0F: "SDRAM", 0x10: "SGRAM",
         0x11: "RDRAM", 0x12: "DDR", 0x13: "DDR2", 0x14: "DDR2 FB-DIMM", 0x18: "DDR3", 0x19: "FBD2", 0x1A: "DDR4",
         0x1B: "LPDDR", 0x1C: "LPDDR2", 0x1D: "LPDDR3", 0x1E: "LPDDR4", 0x1F: "Logical non-volatile device",
         0x20: "HBM", 0x21: "HBM2", 0x22: "DDR5", 0x23: "LPDDR5", 0x24: "HBM3"}  # fmt: skip

#: Those of them that are none for programs.
NO_MEMORY = frozenset({0x05, 0x08, 0x09, 0x0A, 0x0B, 0x0C})


def is_empty(slot: Structure) -> bool:
    return slot.number(0x0C, 2) in (0, None)


def is_memory(module: Structure) -> bool:
    """Whether it adds to what programs have: not ROM, flash and the like, nor what a graphics card has."""
    return module.number(0x12, 1) not in NO_MEMORY


def size_of(module: Structure) -> int | None:
    """Bytes; None where the firmware does not know."""
    size = module.number(0x0C, 2)
    if size in (0, UNKNOWN, None):
        return None
    if size == EXTENDED:
        return ((module.number(0x1C, 4) or 0) & 0x7FFFFFFF) * MIB or None
    return (size & 0x7FFF) * KIB if size & IN_KIB else size * MIB


def speed_of(module: Structure) -> int | None:
    """Megatransfers a second."""
    speed = module.number(0x15, 2)
    return (module.number(0x54, 4) if speed == UNKNOWN else speed) or None


def field(read: Callable[[Structure], Value | None], said: str) -> From:
    def found(view: View, host: HostView) -> Value | None:
        module = _module(view, host)
        return None if module is None else read(module)

    return stated(found, firmware=f"SMBIOS type 17: {said}")


def text(offset: int, said: str) -> From:
    return field(lambda module: module.text(offset), said)


def _module(view: View, host: HostView) -> Structure | None:
    """What is in the slot. Raises Unreadable."""
    number = int(view.kernel_name)
    slots = host.memory_devices
    return None if number >= len(slots) or is_empty(slots[number]) else slots[number]


DIMM = Facts(
    Dimm,
    locator=text(0x10, "device locator"),
    bank=text(0x11, "bank locator"),
    size=field(size_of, "size, extended size"),
    memory_type=field(lambda module: TYPES.get(module.number(0x12, 1) or 0), "memory type"),
    speed=field(speed_of, "speed, extended speed"),
    manufacturer=text(0x17, "manufacturer"),
    part=text(0x1A, "part number"),
    serial=text(0x18, "serial number"),
)


def describe(view: View, host: HostView) -> Description | None:
    return None if _module(view, host) is None else Description(capabilities=(DIMM.of(view, host) or Dimm(),))
