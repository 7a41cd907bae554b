"""Drives. Sizes are true ones: libvirt multiplies the kernel's count of 512-byte units by the logical block size, which
makes a disk of 4,096-byte blocks eight times as large as it is. A stick with a medium that can be taken out is written
as removable, where libvirt has it fixed.
"""

from lxml import etree

from hwcensus.classes.storage import RemovableState, Storage
from hwcensus.device import Device
from hwcensus.libvirt.element import capability, leaf
from hwcensus.libvirt.facts import facts_now
from hwcensus.libvirt.names import udev_serial

#: Our word → libvirt's, where it has another.
_DRIVE_TYPES = {"ssd": "disk", "mmc": "disk"}


def write(storage: Storage, device: Device) -> etree._Element | None:
    """None for a drive without a node, for which libvirt has no form."""
    if not device.devnode:
        return None
    removable = storage.find("removable")
    return capability(
        "storage",
        [
            leaf("block", device.devnode[0]),
            leaf("bus", storage.bus),
            leaf("drive_type", _DRIVE_TYPES.get(storage.drive_type or "", storage.drive_type)),
            leaf("model", storage.model),
            leaf("vendor", storage.vendor),
            leaf("serial", udev_serial(facts_now(device), device.key)),
            *(
                [leaf("size", storage.size or 0), *_blocks(storage, storage.size)]
                if removable is None
                else [_medium(storage, removable.state)]
            ),
            None if storage.find("hotpluggable") is None else capability("hotpluggable"),
        ],
    )


def _medium(storage: Storage, state: object) -> etree._Element:
    now = state if isinstance(state, RemovableState) else RemovableState()
    return capability(
        "removable",
        [
            leaf("media_available", 1 if now.media else 0),
            leaf("media_size", now.size or 0),
            leaf("media_label", now.label),
            *_blocks(storage, now.size),
        ],
    )


def _blocks(storage: Storage, size: int | None) -> list[etree._Element | None]:
    removable = storage.find("removable")
    medium = removable.state if removable is not None else None
    block = storage.logical_block or (medium.block_size if isinstance(medium, RemovableState) else None)
    if not block:
        return []
    return [leaf("logical_block_size", block), leaf("num_blocks", (size or 0) // block)]
