"""Block devices: whole ones, partitions, and those that software makes (kernel ABI sysfs-block, sysfs-block-zram)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import NUMBER, TEXT, WORD, YES_NO, optional, repeated


@dataclass(frozen=True, kw_only=True)
class BlockState(State):
    """What is on it, as udev's blkid found it; `slave` are the names of the block devices that it is made of."""

    filesystem: str | None = optional("@filesystem", WORD)
    label: str | None = optional("@label")
    uuid: str | None = optional("@uuid")
    slave: tuple[str, ...] = repeated("slave", WORD)


@dataclass(frozen=True, kw_only=True)
class Block(Capability):
    """A block device node; size in bytes."""

    type_: ClassVar[str] = "block"
    state_class: ClassVar[type[State]] = BlockState

    major: int | None = optional("node@major", NUMBER, handle=True)
    minor: int | None = optional("node@minor", NUMBER, handle=True)
    size: int | None = optional("size", NUMBER)
    read_only: bool | None = optional("read_only", YES_NO)


@dataclass(frozen=True, kw_only=True)
class Volume(Capability):
    """A partition; start in bytes from the beginning of its disk. On a disk of a SAN its UUID is `seen`."""

    type_: ClassVar[str] = "volume"
    within: ClassVar[tuple[str, ...]] = ("block",)

    number: int | None = optional("number", NUMBER)
    start: int | None = optional("start", NUMBER)
    partition_type: str | None = optional("type", TEXT)
    uuid_san: bool | None = optional("uuid@san", YES_NO)
    uuid: str | None = optional("uuid", TEXT, identifier="part-uuid", seen_if="san")


@dataclass(frozen=True, kw_only=True)
class Loop(Capability):
    """A file that serves as a block device; offset and size limit in bytes."""

    type_: ClassVar[str] = "loop"
    within: ClassVar[tuple[str, ...]] = ("block",)

    backing_file: str | None = optional("backing_file", local_identifier="guid")
    offset: int | None = optional("offset", NUMBER)
    size_limit: int | None = optional("size_limit", NUMBER)


@dataclass(frozen=True, kw_only=True)
class Zram(Capability):
    """Compressed memory that serves as a block device."""

    type_: ClassVar[str] = "zram"
    within: ClassVar[tuple[str, ...]] = ("block",)

    algorithm: str | None = optional("algorithm", WORD)
    backing_device: str | None = optional("backing_device", handle=True, doc="where pages go that do not compress")


@dataclass(frozen=True, kw_only=True)
class DmState(State):
    """Whether its input and output are held back."""

    suspended: bool | None = optional("@suspended", YES_NO)


@dataclass(frozen=True, kw_only=True)
class Dm(Capability):
    """A mapped device; its UUID begins with what made it (LVM-, CRYPT-, mpath-). On a SAN's disks it is `seen`."""

    type_: ClassVar[str] = "dm"
    within: ClassVar[tuple[str, ...]] = ("block",)
    state_class: ClassVar[type[State]] = DmState

    name: str | None = optional("name")
    uuid_san: bool | None = optional("uuid@san", YES_NO)
    uuid: str | None = optional("uuid", identifier="guid", seen_if="san")


@dataclass(frozen=True, kw_only=True)
class MdState(State):
    """How many of its disks are missing."""

    degraded: int | None = optional("@degraded", NUMBER)


@dataclass(frozen=True, kw_only=True)
class Md(Capability):
    """A software RAID array (kernel's admin-guide/md.rst); chunk in bytes."""

    type_: ClassVar[str] = "md"
    within: ClassVar[tuple[str, ...]] = ("block",)
    state_class: ClassVar[type[State]] = MdState

    level: str | None = optional("level", WORD)
    disks: int | None = optional("disks", NUMBER)
    chunk: int | None = optional("chunk", NUMBER)
    metadata: str | None = optional("metadata", doc="version of its superblock")
    uuid: str | None = optional("uuid", identifier="guid")


@dataclass(frozen=True, kw_only=True)
class BcacheState(State):
    """What the cache holds of it: clean, dirty, …"""

    cache: str | None = optional("@cache", TEXT)


@dataclass(frozen=True, kw_only=True)
class Bcache(Capability):
    """A block device with a faster one before it (kernel's admin-guide/bcache.rst)."""

    type_: ClassVar[str] = "bcache"
    within: ClassVar[tuple[str, ...]] = ("block",)
    state_class: ClassVar[type[State]] = BcacheState

    mode: str | None = optional("mode", WORD, doc="writethrough, writeback, writearound, none")
    label: str | None = optional("label")
    uuid: str | None = optional("uuid", identifier="guid")
