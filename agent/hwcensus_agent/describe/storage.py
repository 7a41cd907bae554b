"""Drives: what a whole disk is, by its kernel driver's attributes first and udev's rules second, so that a host without
udevd gives the same.
"""

import re

from hwcensus.classes.storage import Cdrom, Removable, RemovableState, Storage
from hwcensus.fact import original, printable
from hwcensus_agent.describe.facts import Facts, first, flag, number, text, udev, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

SECTOR = 512
OPTICAL = "5"  # SCSI peripheral device type (SPC-4)
NO_MEDIUM = {0, 0x1FFFFF}  # sectors that the driver of optical drives claims of an empty one

#: Sign in the sysfs path → bus.
_BUSES = tuple(
    (re.compile(sign), bus)
    for sign, bus in (
        (r"/usb\d+/", "usb"),
        (r"/ata\d+/", "ata"),
        (r"/virtio\d+/", "virtio"),
        (r"/nvme", "nvme"),
        (r"/mmc\d+/", "mmc"),
        (r"/target[\d:]+/", "scsi"),
        (r"/vbd-\d+/", "xen"),
        (r"/floppy\.\d+/", "floppy"),
    )
)
_UNIT_SERIAL = 0x80  # SCSI vital product data page


def is_optical(view: View) -> bool:
    return view.text("device/type") == OPTICAL


def decoded(encoded: str | None) -> str | None:
    r"""udev writes bytes that are not harmless as `\x20`."""
    if encoded is None:
        return None
    plain = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), original(encoded))
    return printable(plain.strip()) or None


@worked_out(path="the buses in it", sysfs="`device/vendor` ATA")
def bus(view: View, _: HostView) -> str | None:
    found = next((bus for sign, bus in _BUSES if sign.search(view.syspath)), None)
    return "ata" if found == "scsi" and view.text("device/vendor") == "ATA" else found


@worked_out(path="the kernel's name", sysfs="`device/type`, `queue/rotational`")
def drive_type(view: View, host: HostView) -> str | None:
    name = view.kernel_name
    if is_optical(view):
        return "cdrom"
    if name.startswith("fd"):
        return "floppy"
    if name.startswith("mmcblk"):
        return "sd" if view.text("device/type") == "SD" else "mmc"
    solid = view.text("queue/rotational") == "0" and bus.read(view, host) in {"ata", "scsi", "usb", "nvme"}
    return "ssd" if solid else "disk"


@worked_out(sysfs="`device/vendor`, unless it is a number or only says ATA")
def vendor(view: View, _: HostView) -> str | None:
    found = view.text("device/vendor")
    return None if found is None or found == "ATA" or found.startswith("0x") else found


@worked_out(sysfs="`device/vpd_pg80`, SCSI vital product data")
def unit_serial(view: View, _: HostView) -> str | None:
    page = view.raw("device/vpd_pg80") or b""
    if len(page) < 4 or page[1] != _UNIT_SERIAL:
        return None
    return page[4 : 4 + int.from_bytes(page[2:4], "big")].decode("ascii", "replace").strip(" \0") or None


@worked_out(udev="`ID_SERIAL_SHORT` of ATA and USB")
def udev_serial(view: View, _: HostView) -> str | None:
    return view.udev("ID_SERIAL_SHORT") if view.udev("ID_BUS") in {"ata", "usb"} else None


@worked_out(udev="`ID_WWN_WITH_EXTENSION`, else `ID_WWN`")
def udev_wwid(view: View, _: HostView) -> str | None:
    found = view.udev("ID_WWN_WITH_EXTENSION") or view.udev("ID_WWN")
    return found.replace("0x", "naa.", 1) if found is not None and found.startswith("0x") else found


@worked_out(sysfs="`size` times 512; none for an optical drive")
def size(view: View, _: HostView) -> int | None:
    return None if is_optical(view) else int(view.text("size") or 0) * SECTOR or None


STORAGE = Facts(
    Storage,
    bus=bus,
    drive_type=drive_type,
    vendor=vendor,
    model=first(text("device/model"), text("device/name")),
    firmware=first(udev("ID_REVISION"), text("device/rev"), text("device/firmware_rev"), text("device/fwrev")),
    serial=first(unit_serial, text("device/serial"), text("serial"), udev_serial),
    wwid=first(text("device/wwid"), text("wwid"), udev_wwid),
    size=size,
    logical_block=number("queue/logical_block_size", least=1),
    physical_block=number("queue/physical_block_size", least=1),
    rotational=flag("queue/rotational"),
)


@worked_out(udev="`ID_CDROM_MEDIA` of an optical drive", sysfs="whether `size` is one")
def media(view: View, _: HostView) -> bool:
    if is_optical(view) and view.udev("ID_CDROM") is not None:
        return view.udev("ID_CDROM_MEDIA") == "1"
    return int(view.text("size") or 0) not in NO_MEDIUM


@worked_out(sysfs="`size` times 512")
def media_size(view: View, host: HostView) -> int | None:
    return int(view.text("size") or 0) * SECTOR if media.read(view, host) else None


@worked_out(udev="`ID_FS_LABEL_ENC`")
def media_label(view: View, _: HostView) -> str | None:
    return decoded(view.udev("ID_FS_LABEL_ENC"))


MEDIUM = Facts(RemovableState, Removable, media=media, label=media_label, size=media_size)


def describe(view: View, host: HostView) -> Storage | None:
    """None for a block device that no drive is behind."""
    if not view.has("device") and not view.kernel_name.startswith("nvme"):
        return None
    removable = Removable(state=MEDIUM.of(view, host)) if view.text("removable") == "1" else None
    return STORAGE.of(view, host, nested=(removable, Cdrom() if is_optical(view) else None))
