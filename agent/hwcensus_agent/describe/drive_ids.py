"""What names a drive: serial, WWID, an NVMe namespace's identifiers; and whether it is the host's own at all."""

import re

from hwcensus.fact import original, printable
from hwcensus_agent import scsi_pages, sysfs
from hwcensus_agent.describe.facts import From, first, stated, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

#: What is below these is reached over a network of others: Fibre Channel, iSCSI, NVMe over fabrics.
SAN = re.compile(r"/rport-[\d:-]+/|/session\d+/|/nvme-fabrics/")
#: scsi_id's serial of a unit that has an NAA designator: its type, then its digits.
NAA_SERIAL = re.compile(r"3([0-9a-f]{16}|[0-9a-f]{32})")
#: The digits of an NAA 6 designator, of which `ID_WWN` has only the array's half.
HALF = re.compile(r"0x6[0-9a-f]{15}")


def decoded(encoded: str | None) -> str | None:
    r"""udev writes bytes that are not harmless as `\x20`."""
    if encoded is None:
        return None
    plain = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), original(encoded))
    return printable(plain.strip()) or None


def page(view: View, number: str) -> bytes:
    """A page of vital product data that the kernel keeps of the drive."""
    return view.raw(f"device/vpd_pg{number}") or b""


def is_ata(view: View) -> bool:
    """Whether the kernel translates for a drive that speaks ATA: SAT-3 calls every maker of such so."""
    return (view.text("device/vendor") or view.hal("storage.vendor")) == "ATA"


@worked_out(sysfs="`device/vpd_pg80`, SCSI vital product data")
def unit_serial(view: View, _: HostView) -> str | None:
    return scsi_pages.unit_serial(page(view, "80"))


@worked_out(udev="`ID_SERIAL_SHORT` of ATA and USB, else the end of `ID_SERIAL`; `ID_SCSI_SERIAL` of SCSI")
def udev_serial(view: View, _: HostView) -> str | None:
    bus = view.udev("ID_BUS")
    if bus in {"ata", "usb"}:
        whole = _end(view.udev("ID_SERIAL"), view.udev("ID_VENDOR"), view.udev("ID_MODEL"))
        return view.udev("ID_SERIAL_SHORT") or whole
    return view.udev("ID_SCSI_SERIAL") if bus == "scsi" else None


@worked_out(hal="`storage.serial`, what follows maker and model, unless it is a WWID")
def hal_serial(view: View, _: HostView) -> str | None:
    found = str(view.hal("storage.serial") or "")
    vendor, model = (str(view.hal(f"storage.{key}") or "").replace(" ", "_") for key in ("vendor", "model"))
    return None if NAA_SERIAL.fullmatch(found) else _end(found, vendor, model)


def _end(whole: str | None, vendor: str | None, model: str | None) -> str | None:
    """What follows maker and model in `Kingston_DataTraveler_2.0_899000000000000000000049-0:0`, without the unit.

    A stick without a serial has maker and model alone.
    """
    serial = f"{whole or ''}_".replace("-0:0_", "_")
    for beginning in (f"{vendor}_{model}_", f"{model}_"):
        if len(beginning) > 1 and serial.startswith(beginning):
            return serial.removeprefix(beginning).removesuffix("_") or None
    return serial.removesuffix("_") or None


@worked_out(sysfs="`device/vpd_pg83`, the best name in it")
def unit_name(view: View, _: HostView) -> str | None:
    return scsi_pages.designator(page(view, "83"))


@worked_out(sysfs="`device/unique_id` of cciss")
def unique_id(view: View, _: HostView) -> str | None:
    found = (view.text("device/unique_id") or "").lower()
    return f"naa.{found}" if re.fullmatch("[0-9a-f]{32}", found) and found.strip("0") else None


@worked_out(udev="`ID_WWN_WITH_EXTENSION`, else `ID_SERIAL` of SCSI, else `ID_WWN`")
def udev_wwid(view: View, _: HostView) -> str | None:
    found = view.udev("ID_WWN_WITH_EXTENSION") or _of_scsi_id(view.udev("ID_SERIAL")) or view.udev("ID_WWN")
    if found is None or HALF.fullmatch(found):
        return None
    return found.replace("0x", "naa.", 1) if found.startswith("0x") else found


@worked_out(hal="`storage.serial` where it is one")
def hal_wwid(view: View, _: HostView) -> str | None:
    return _of_scsi_id(str(view.hal("storage.serial")))


def _of_scsi_id(serial: str | None) -> str | None:
    found = NAA_SERIAL.fullmatch(serial or "")
    return None if found is None else f"naa.{found[1]}"


serial = first(unit_serial, text("device/serial"), text("serial"), udev_serial, hal_serial)
wwid = first(text("device/wwid"), text("wwid"), unit_name, unique_id, udev_wwid, hal_wwid)


def digits(attribute: str) -> From:
    """Hexadecimal digits, however they are grouped; zero is how a namespace says that it has none."""

    def read(view: View, _: HostView) -> str | None:
        found = re.sub(r"[\s:-]", "", view.text(attribute) or "").lower()
        return found if found.strip("0") else None

    return stated(read, sysfs=f"`{attribute}`")


nguid, eui = digits("nguid"), digits("eui")


@worked_out(path="the controller that it is below", sysfs="the controllers of its subsystem that have a path to it")
def controllers(view: View, host: HostView) -> tuple[str, ...]:
    names = (host.name_of(path) for path in _controllers(view))
    return tuple(sorted(name for name in names if name is not None))


def _controllers(view: View) -> list[str]:
    """Of a namespace of several paths its subsystem knows, whose folder it is in (kernel's nvme/host/multipath.c)."""
    name = re.fullmatch(r"nvme\d+n(\d+)", view.kernel_name)
    above = re.match(r".*/nvme/nvme\d+(?=/)", view.syspath)
    if above is not None or name is None:
        return [] if above is None else [above[0]]
    path = re.compile(rf"nvme\d+c\d+n{name[1]}")
    found = [one for one in view.children("nvme", "..") if any(map(path.fullmatch, view.children("nvme", f"../{one}")))]
    return [target for one in found if (target := view.link(f"../{one}")) is not None]


def on_a_san(source: From) -> From:
    """Whether what this source gives names something of a SAN; said only where it does."""

    def read(view: View, host: HostView) -> bool | None:
        above = SAN.search(view.syspath) or any(map(SAN.search, _controllers(view)))
        above = above or any(map(SAN.search, made_of(host, view.syspath)))
        return True if above and source.read(view, host) is not None else None

    return stated(
        read,
        path="remote port, iSCSI session or NVMe fabric in it",
        sysfs="the same of what is in the folders `slaves`, and in theirs",
    )


def made_of(host: HostView, path: str) -> set[str]:
    """Sysfs paths of all block devices that one is made of, by however many steps. Raises Unreadable."""
    found: set[str] = set()
    ahead = [path]
    while ahead:
        folder = f"{host.folder(ahead.pop())}/slaves"
        below = {sysfs.target(f"{folder}/{name}", host.root) for name in sysfs.children(folder, "")}
        new = {one for one in below if one is not None} - found
        found |= new
        ahead += new
    return found
