"""Names of makers and products by pci.ids and usb.ids, the lists that udev's hardware database is made from.

For hosts that have no such database. A list is mapped into memory while it is looked at, and never held.
"""

import mmap
import re
from pathlib import Path

#: Where packages put them: hwdata, and Debian's pci.ids and usb.ids.
FOLDERS = (Path("/usr/share/hwdata"), Path("/usr/share/misc"))

VENDOR, MODEL = "ID_VENDOR_FROM_DATABASE", "ID_MODEL_FROM_DATABASE"

_MODALIAS = re.compile(
    r"(?:pci:v0000([0-9A-F]{4})(?:d0000([0-9A-F]{4})(?:sv0000([0-9A-F]{4})sd0000([0-9A-F]{4}))?)?.*"
    r"|usb:v([0-9A-F]{4})(?:p([0-9A-F]{4}))?.*)"
)
_NEXT_VENDOR = re.compile(rb"\n[^\t#\n]")
_NEXT_PRODUCT = re.compile(rb"\n\t?[^\t#\n]")


def lookup(modalias: str, key: str, folders: tuple[Path, ...] = FOLDERS) -> str | None:
    """The name that udev's database has for this modalias and property; None where no list has it.

    Of a function whose board is listed, the product is told as udev does: `product (board)`.
    """
    match = _MODALIAS.fullmatch(modalias)
    path = None if match is None else _list("pci.ids" if match[1] else "usb.ids", folders)
    if match is None or path is None:
        return None
    ids = [found.lower().encode() for found in match.groups() if found is not None]
    names = _names(path, [ids[0], *ids[1:2], *([b" ".join(ids[2:])] if len(ids) > 2 else [])])
    if key == VENDOR:
        return names[0] if names else None
    if key != MODEL or len(names) < 2:
        return None
    return f"{names[1]} ({names[2]})" if len(names) > 2 else names[1]


def _list(name: str, folders: tuple[Path, ...]) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _names(path: Path, ids: list[bytes]) -> list[str]:
    """The names of a vendor, its product, its board: as many as are listed."""
    found: list[str] = []
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as listed:
            start, end = 0, len(listed)
            for depth, one in enumerate(ids):
                start = listed.find(b"\n" + b"\t" * depth + one + b"  ", start, end)
                if start < 0:
                    break
                line_end = listed.find(b"\n", start + 1, end)
                line_end = end if line_end < 0 else line_end
                found.append(listed[start + 1 + depth + len(one) : line_end].decode("utf-8", "replace").strip())
                after = (_NEXT_VENDOR, _NEXT_PRODUCT, _NEXT_PRODUCT)[depth].search(listed, line_end, end)
                start, end = line_end, end if after is None else after.start()
    except (OSError, ValueError):  # an empty file cannot be mapped
        return found
    return found
