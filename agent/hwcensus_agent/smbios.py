"""The structures that firmware describes the machine with (DMTF DSP0134 3.7, SMBIOS), taken apart with checks.

sysfs passes the whole table on (`firmware/dmi/tables`, since Linux 4.2) or each structure (`firmware/dmi/entries`), to
root alone. What a structure means is the describers' business.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hwcensus.fact import printable
from hwcensus_agent import sysfs

TABLE, ENTRIES = "firmware/dmi/tables/DMI", "firmware/dmi/entries"
HEADER = 4  # bytes: type, length of the formatted area, handle
MEMORY_DEVICE, END_OF_TABLE = 17, 127  # types
MOST = 1 << 20  # bytes of a table


@dataclass(frozen=True, kw_only=True)
class Structure:
    """One structure: its formatted area, header included, and the strings behind it."""

    raw: bytes
    strings: Sequence[bytes]

    @property
    def type_(self) -> int:
        return self.raw[0]

    def number(self, offset: int, size: int) -> int | None:
        """A field; None where this structure is of an older SMBIOS, and too short to have it."""
        field = self.raw[offset : offset + size]
        return int.from_bytes(field, "little") if len(field) == size else None

    def text(self, offset: int) -> str | None:
        """The string that a field gives the number of; None where that is 0, or there is no such string."""
        number = self.number(offset, 1)
        if number is None or not 0 < number <= len(self.strings):
            return None
        return printable(self.strings[number - 1].strip(b" \t\r\n\0")) or None


def structures(table: bytes) -> Iterator[Structure]:
    """Those of a table, up to its end or to where it makes no sense any more."""
    at = 0
    while at + HEADER <= len(table):
        length = table[at + 1]
        formatted = table[at : at + length]
        end = table.find(b"\0\0", at + length)
        if length < HEADER or len(formatted) < length:
            return
        strings = table[at + length : len(table) if end < 0 else end]
        yield Structure(raw=formatted, strings=strings.split(b"\0") if strings else ())
        if formatted[0] == END_OF_TABLE or end < 0:
            return
        at = end + 2


def of_type(root: str, wanted: int) -> list[Structure]:
    """The host's structures of one type, in the firmware's order; none where there is no SMBIOS.

    Raises Unreadable where only root may read them.
    """
    table = sysfs.read_whole(f"{root}/{TABLE}", limit=MOST)
    if table is not None:
        return [one for one in structures(table) if one.type_ == wanted]
    names = sysfs.children(f"{root}/{ENTRIES}", f"{wanted}-")
    ordered = sorted(names, key=lambda name: int(name.partition("-")[2]) if name.partition("-")[2].isdecimal() else 0)
    entries = (sysfs.read(f"{root}/{ENTRIES}/{name}/raw") for name in ordered)
    return [one for entry in entries if entry for one in structures(entry) if one.type_ == wanted]
