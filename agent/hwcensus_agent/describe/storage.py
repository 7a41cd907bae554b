"""Drives: what a whole disk is, by its kernel driver's attributes first, udev's rules second and HAL last, so that a
host without the latter gives the same. What names a drive is in `drive_ids.py`, where it sits in `bay.py`.
"""

import re

from hwcensus.classes.storage import Cdrom, Hotpluggable, Removable, RemovableState, Storage, StorageState
from hwcensus.device import Capability
from hwcensus.fact import Value
from hwcensus_agent import scsi_pages
from hwcensus_agent.describe import bay, drive_ids
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.drive_ids import decoded, page
from hwcensus_agent.describe.facts import Facts, From, first, flag, hal, number, stated, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

SECTOR = 512
OPTICAL = "5"  # SCSI peripheral device type (SPC-4)
NO_MEDIUM = {0, 0x1FFFFF}  # sectors that the driver of optical drives claims of an empty one

#: Bus by the first sign of one in the sysfs path: a disk behind a USB bridge has a SCSI target too, further in.
_BUSES = re.compile(
    r"(?P<usb>/usb\d+/)|(?P<ieee1394>/fw\d+)|(?P<ata>/ata\d+/|/ide\d+/)|(?P<virtio>/virtio\d+/(?!host))|(?P<nvme>/nvme)"
    r"|(?P<mmc>/mmc\d+/)|(?P<scsi>/target[\d:]+/)|(?P<xen>/vbd-\d+/)|(?P<floppy>/floppy\.\d+/)"
)
#: HAL's word for a disc → udev's, after `ID_CDROM_`; the order is the one in which they are written.
DISCS = {"cdr": "CD_R", "cdrw": "CD_RW", "dvd": "DVD", "dvdr": "DVD_R", "dvdrw": "DVD_RW", "dvdrdl": "DVD_R_DL",
         "dvdram": "DVD_RAM", "dvdplusr": "DVD_PLUS_R", "dvdplusrw": "DVD_PLUS_RW", "dvdplusrdl": "DVD_PLUS_R_DL",
         "dvdplusrwdl": "DVD_PLUS_RW_DL", "bd": "BD", "bdr": "BD_R", "bdre": "BD_RE", "hddvd": "HDDVD",
         "hddvdr": "HDDVD_R", "hddvdrw": "HDDVD_RW", "mo": "MO", "mrw": "MRW"}  # fmt: skip


def is_optical(view: View) -> bool:
    kind = view.text("device/type")
    return kind == OPTICAL if kind is not None else view.hal("storage.drive_type") == "cdrom"


@worked_out(path="the buses in it", sysfs="`device/vendor` ATA", hal="`storage.vendor` ATA")
def bus(view: View, _: HostView) -> str | None:
    sign = _BUSES.search(view.syspath)
    found = None if sign is None else sign.lastgroup
    return "ata" if found == "scsi" and drive_ids.is_ata(view) else found


@worked_out(
    path="the kernel's name",
    sysfs="`device/type`, `queue/rotational`",
    udev="`ID_DRIVE_FLASH_SD`, `ID_TYPE` floppy",
    hal="`storage.drive_type`",
)
def drive_type(view: View, host: HostView) -> str | None:
    name, said = view.kernel_name, _of_hal(view, "storage.drive_type")
    if view.subsystem == "scsi_tape":
        return "tape"
    if is_optical(view):
        return "cdrom"
    if name.startswith("fd") or view.udev("ID_TYPE") == "floppy":
        return "floppy"
    if name.startswith("mmcblk"):
        return "sd" if view.text("device/type") == "SD" or said == "sd_mmc" else "mmc"
    if view.udev("ID_DRIVE_FLASH_SD") == "1":
        return "sd"
    solid = view.text("queue/rotational") == "0" and bus.read(view, host) in {"ata", "scsi", "usb", "nvme"}
    return "ssd" if solid else "sd" if said == "sd_mmc" else str(said or "disk")


@worked_out(sysfs="`device/vendor`, unless it is a number or only says ATA", hal="`storage.vendor`, likewise")
def vendor(view: View, _: HostView) -> str | None:
    found = view.text("device/vendor") or view.hal("storage.vendor")
    return None if found is None or found == "ATA" or str(found).startswith("0x") else str(found)


@worked_out(sysfs="`device/vpd_pg89`, words 27 to 46", udev="`ID_MODEL_ENC` of ATA")
def ata_model(view: View, _: HostView) -> str | None:
    said = decoded(view.udev("ID_MODEL_ENC")) if view.udev("ID_BUS") == "ata" else None
    return scsi_pages.ata_text(page(view, "89"), 27, 46) or said


@worked_out(sysfs="`device/vpd_pg89`, words 23 to 26", udev="`ID_REVISION` of ATA")
def ata_firmware(view: View, _: HostView) -> str | None:
    said = view.udev("ID_REVISION") if view.udev("ID_BUS") == "ata" else None
    return scsi_pages.ata_text(page(view, "89"), 23, 26) or said


@worked_out(sysfs="`size` times 512; none for an optical drive")
def size_in_sysfs(view: View, _: HostView) -> int | None:
    return None if is_optical(view) else int(view.text("size") or 0) * SECTOR or None


def block_size(sort: str) -> From:
    """Bytes of a block, where it is the drive's: that of an optical drive is its medium's (kernel's sr.c)."""
    size = number(f"queue/{sort}_block_size", least=1)
    return stated(
        lambda view, host: None if is_optical(view) else size.read(view, host),
        sysfs=f"`queue/{sort}_block_size`; none for an optical drive",
    )


STORAGE = Facts(
    Storage,
    bus=bus,
    drive_type=drive_type,
    vendor=vendor,
    model=first(ata_model, text("device/model"), text("device/name"), hal("storage.model")),
    firmware=first(
        ata_firmware,
        text("device/rev"),
        text("device/firmware_rev"),
        text("device/fwrev"),
        hal("storage.firmware_version"),
    ),
    serial=drive_ids.serial,
    serial_san=drive_ids.on_a_san(drive_ids.serial),
    wwid=drive_ids.wwid,
    wwid_san=drive_ids.on_a_san(drive_ids.wwid),
    nguid=drive_ids.nguid,
    eui=drive_ids.eui,
    namespace_san=drive_ids.on_a_san(first(drive_ids.nguid, drive_ids.eui)),
    size=first(size_in_sysfs, hal("storage.size", least=1)),
    logical_block=block_size("logical"),
    physical_block=block_size("physical"),
    rotational=flag("queue/rotational"),
    bay=bay.bay,
    enclosure=bay.enclosure,
)

STATE = Facts(StorageState, Storage, controller=drive_ids.controllers)


@worked_out(
    udev="`ID_CDROM_MEDIA` of an optical drive",
    sysfs="whether `size` is one",
    hal="`storage.removable.media_available`",
)
def media(view: View, _: HostView) -> bool:
    if is_optical(view) and view.udev("ID_CDROM") is not None:
        return view.udev("ID_CDROM_MEDIA") == "1"
    size = view.text("size")
    return view.hal("storage.removable.media_available") is True if size is None else int(size) not in NO_MEDIUM


@worked_out(sysfs="`size` times 512")
def media_size(view: View, host: HostView) -> int | None:
    return int(view.text("size") or 0) * SECTOR or None if media.read(view, host) else None


@worked_out(sysfs="`queue/logical_block_size` of an optical drive")
def medium_block_size(view: View, host: HostView) -> int | None:
    known = is_optical(view) and media.read(view, host)
    return int(view.text("queue/logical_block_size") or 0) or None if known else None


@worked_out(udev="`ID_FS_LABEL_ENC`")
def media_label(view: View, _: HostView) -> str | None:
    return decoded(view.udev("ID_FS_LABEL_ENC"))


MEDIUM = Facts(
    RemovableState,
    Removable,
    media=media,
    label=media_label,
    size=first(media_size, hal("storage.removable.media_size", least=1)),
    block_size=medium_block_size,
)


@worked_out(udev="`ID_CDROM_…`, of its cdrom_id", hal="`storage.cdrom.…`")
def discs(view: View, _: HostView) -> str | None:
    known = [
        word
        for word, key in DISCS.items()
        if view.udev(f"ID_CDROM_{key}") == "1" or view.hal(f"storage.cdrom.{word}") is True
    ]
    if not known and view.udev("ID_CDROM") is not None and view.udev("ID_CDROM_CD") is None:
        raise Unreadable(f"{view.syspath}: udev's cdrom_id could not ask the drive, as while its tray is open")
    return " ".join(known) or None


CDROM = Facts(Cdrom, discs=discs)


def describe(view: View, host: HostView) -> Storage | None:
    """None for a block device that no drive is behind."""
    drive = view.has("device") or view.kernel_name.startswith("nvme") or view.hal("storage.drive_type") is not None
    if not drive:
        return None
    kinds: tuple[Capability | None, ...] = (
        Removable(state=MEDIUM.of(view, host)) if _is_removable(view) else None,
        Hotpluggable() if _is_hotpluggable(view, host) else None,
        (CDROM.of(view, host) or Cdrom()) if is_optical(view) else None,
    )
    return STORAGE.of(view, host, nested=kinds, state=STATE.of(view, host))


def describe_tape(view: View, host: HostView) -> Description | None:
    """None for the further nodes of a drive: `nst0`, `st0a` and so on."""
    tape = STORAGE.of(view, host) if re.fullmatch(r"st\d+", view.kernel_name) else None
    return None if tape is None else Description(capabilities=(tape,))


def _is_removable(view: View) -> bool:
    said = view.text("removable")
    return said == "1" if said is not None else view.hal("storage.removable") is True


def _is_hotpluggable(view: View, host: HostView) -> bool:
    """By its bus, as HAL has it, so that a USB disk is whether or not its medium can be taken out."""
    plugged = bus.read(view, host) in {"usb", "ieee1394"} or drive_type.read(view, host) == "sd"
    return plugged or _of_hal(view, "storage.hotpluggable") is True


def _of_hal(view: View, key: str) -> Value | tuple[str, ...] | None:
    """What HAL guesses from more than we look at, for a host of which it alone tells."""
    return None if view.has("size") else view.hal(key)
