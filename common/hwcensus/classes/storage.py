"""Whole disks and drives (kernel ABI sysfs-block; the size file counts 512-byte units whatever the block size)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import NUMBER, WORD, YES_NO, optional


@dataclass(frozen=True, kw_only=True)
class Storage(Capability):
    """What kind of storage it is, who made it, how large it is (bytes)."""

    type_: ClassVar[str] = "storage"

    bus: str | None = optional("bus", WORD)
    drive_type: str | None = optional("drive_type", WORD, doc="disk, ssd, cdrom, floppy, tape, sd, mmc")
    vendor: str | None = optional("vendor")
    model: str | None = optional("model")
    firmware: str | None = optional("firmware")
    serial: str | None = optional("serial", identifier="serial")
    wwid: str | None = optional("wwid", identifier="wwid")
    size: int | None = optional("size", NUMBER, doc="bytes; absent while a removable medium is out")
    logical_block: int | None = optional("block_size@logical", NUMBER, doc="bytes")
    physical_block: int | None = optional("block_size@physical", NUMBER, doc="bytes")
    rotational: bool | None = optional("rotational", YES_NO)


@dataclass(frozen=True, kw_only=True)
class RemovableState(State):
    """The medium in the drive."""

    media: bool | None = optional("@media", YES_NO)
    label: str | None = optional("@label")
    size: int | None = optional("@size", NUMBER, doc="bytes")


@dataclass(frozen=True, kw_only=True)
class Removable(Capability):
    """A drive whose medium can be taken out."""

    type_: ClassVar[str] = "removable"
    within: ClassVar[tuple[str, ...]] = ("storage",)
    state_class: ClassVar[type[State]] = RemovableState


@dataclass(frozen=True, kw_only=True)
class Cdrom(Capability):
    """An optical drive."""

    type_: ClassVar[str] = "cdrom"
    within: ClassVar[tuple[str, ...]] = ("storage",)
