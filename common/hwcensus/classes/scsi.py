"""SCSI logical units: disks, tapes, changers, enclosures … (SPC-4), and the generic device node of each."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Bus, Capability, State
from hwcensus.fact import NUMBER, WORD, optional, required


@dataclass(frozen=True, kw_only=True)
class ScsiBus(Bus):
    """Where a logical unit is, and who made it by its own word (INQUIRY)."""

    type_: ClassVar[str] = "scsi"

    vendor: str | None = optional("vendor")
    model: str | None = optional("model")
    host: int = required("address@host", NUMBER, label="host", handle=True)
    bus: int = required("address@bus", NUMBER, label="bus")
    target: int = required("address@target", NUMBER, label="target")
    lun: int = required("address@lun", NUMBER, label="lun")


@dataclass(frozen=True, kw_only=True)
class ScsiState(State):
    """What the kernel thinks of it: running, blocked, offline, …"""

    device: str | None = optional("@device", WORD)


@dataclass(frozen=True, kw_only=True)
class Scsi(Capability):
    """Facts of a logical unit beyond maker and address."""

    type_: ClassVar[str] = "scsi"
    state_class: ClassVar[type[State]] = ScsiState

    device_type: str | None = optional("type", WORD, doc="disk, tape, changer, enclosure, … (SPC-4)")
    revision: str | None = optional("revision")


@dataclass(frozen=True, kw_only=True)
class ScsiGeneric(Capability):
    """The node for commands to a logical unit of any type (kernel's sg.c)."""

    type_: ClassVar[str] = "scsi_generic"

    device: str = required("device", WORD, handle=True)
