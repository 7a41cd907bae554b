"""Whole disks and drives (kernel ABI sysfs-block; the size file counts 512-byte units whatever the block size)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import HEX16, HEX32, NUMBER, TEXT, WORD, YES_NO, optional, repeated


@dataclass(frozen=True, kw_only=True)
class StorageState(State):
    """`controller` are the names of the NVMe controllers that the namespace is reached through now."""

    controller: tuple[str, ...] = repeated("controller", WORD)


@dataclass(frozen=True, kw_only=True)
class Storage(Capability):
    """What kind of storage it is, who made it, how large it is (bytes).

    What is reached over a SAN is no part of the host: its identifiers are `seen`.
    """

    type_: ClassVar[str] = "storage"
    state_class: ClassVar[type[State]] = StorageState

    bus: str | None = optional("bus", WORD)
    drive_type: str | None = optional("drive_type", WORD, doc="disk, ssd, cdrom, floppy, tape, sd, mmc")
    vendor: str | None = optional("vendor")
    model: str | None = optional("model")
    firmware: str | None = optional("firmware")
    serial_san: bool | None = optional("serial@san", YES_NO)
    serial: str | None = optional("serial", identifier="serial", seen_if="san")
    wwid_san: bool | None = optional("wwid@san", YES_NO)
    wwid: str | None = optional("wwid", identifier="wwid", seen_if="san")
    namespace_san: bool | None = optional("namespace@san", YES_NO)
    nguid: str | None = optional("namespace@nguid", HEX32, identifier="nguid", seen_if="san", doc="of NVMe")
    eui: str | None = optional("namespace@eui", HEX16, identifier="eui", seen_if="san", doc="EUI-64, of NVMe")
    size: int | None = optional("size", NUMBER, doc="bytes; absent while a removable medium is out")
    logical_block: int | None = optional("block_size@logical", NUMBER, doc="bytes")
    physical_block: int | None = optional("block_size@physical", NUMBER, doc="bytes")
    rotational: bool | None = optional("rotational", YES_NO)
    enclosure: str | None = optional("bay@enclosure", WORD, handle=True, doc="name of the enclosure it sits in")
    bay: str | None = optional("bay", TEXT)


@dataclass(frozen=True, kw_only=True)
class RemovableState(State):
    """The medium in the drive."""

    media: bool | None = optional("@media", YES_NO)
    label: str | None = optional("@label")
    size: int | None = optional("@size", NUMBER, doc="bytes")
    block_size: int | None = optional("@block_size", NUMBER, doc="bytes; of an optical medium")


@dataclass(frozen=True, kw_only=True)
class Removable(Capability):
    """A drive whose medium can be taken out."""

    type_: ClassVar[str] = "removable"
    within: ClassVar[tuple[str, ...]] = ("storage",)
    state_class: ClassVar[type[State]] = RemovableState


@dataclass(frozen=True, kw_only=True)
class Hotpluggable(Capability):
    """A drive that is plugged in and out while the host runs, by its bus."""

    type_: ClassVar[str] = "hotpluggable"
    within: ClassVar[tuple[str, ...]] = ("storage",)


@dataclass(frozen=True, kw_only=True)
class Cdrom(Capability):
    """An optical drive."""

    type_: ClassVar[str] = "cdrom"
    within: ClassVar[tuple[str, ...]] = ("storage",)

    discs: str | None = optional("discs", TEXT, doc="that it reads or writes besides CDs, as HAL calls them")
