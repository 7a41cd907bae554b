"""Memory modules: what SMBIOS says of each (DMTF DSP0134 3.7, type 17)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability
from hwcensus.fact import NUMBER, optional


@dataclass(frozen=True, kw_only=True)
class Dimm(Capability):
    """One module in its slot; the empty slots are the computer's state."""

    type_: ClassVar[str] = "dimm"

    locator: str | None = optional("locator", doc="the slot, as printed on the board")
    bank: str | None = optional("bank")
    size: int | None = optional("size", NUMBER, doc="bytes")
    memory_type: str | None = optional("memory_type", doc="DDR4, …")
    speed: int | None = optional("speed", NUMBER, doc="MT/s, the most the module can do")
    manufacturer: str | None = optional("manufacturer")
    part: str | None = optional("part")
    serial: str | None = optional("serial", identifier="serial", beside=("manufacturer", "part"))
