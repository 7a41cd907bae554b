"""What SCSI vital product data says, as sysfs keeps it from when the kernel scanned the device (SPC-4 7.8, SAT-3 12.4).

Pure: bytes of a page in, values out. The drive wrote them, so every length is checked; what is short says nothing.
"""

from collections.abc import Iterator

from hwcensus.fact import printable

UNIT_SERIAL, IDENTIFICATION, ATA_INFORMATION = 0x80, 0x83, 0x89
HEADER = 4
IDENTIFY = 60  # offset of the IDENTIFY DEVICE data in the ATA information page

BINARY, TEXT = 1, 3  # code sets
EUI64, NAA, NAME = 2, 3, 8  # designator types
#: Type and length of a designator by which a logical unit is known, the best first, as the kernel's `wwid` has them.
_PREFERENCE = ((NAA, 16), (EUI64, 16), (EUI64, 12), (NAA, 8), (EUI64, 8))
_PREFIX = {NAA: "naa", EUI64: "eui"}


def unit_serial(page: bytes) -> str | None:
    """The serial number of page 80."""
    return _text(_body(page, UNIT_SERIAL))


def designator(page: bytes) -> str | None:
    """The name of the logical unit in page 83, written as the kernel writes `wwid`: `naa.5000c5001234abcd`."""
    found = list(_designators(_body(page, IDENTIFICATION)))
    for type_, length in _PREFERENCE:
        value = next((value for kind, value in found if kind == type_ and len(value) == length), None)
        if value is not None:
            return f"{_PREFIX[type_]}.{value.hex()}"
    return next((_text(value) for kind, value in found if kind == NAME), None)


def ata_text(page: bytes, first: int, last: int) -> str | None:
    """The text in these words of the IDENTIFY DEVICE data of page 89; each word has its bytes swapped (ACS-3 7.12)."""
    body = page if _body(page, ATA_INFORMATION) else b""
    words = body[IDENTIFY + 2 * first : IDENTIFY + 2 * (last + 1)]
    if len(words) != 2 * (last - first + 1):
        return None
    return _text(b"".join(words[at + 1 : at + 2] + words[at : at + 1] for at in range(0, len(words), 2)))


def _body(page: bytes, code: int) -> bytes:
    if len(page) < HEADER or page[1] != code:
        return b""
    return page[HEADER : HEADER + int.from_bytes(page[2:4], "big")]


def _designators(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of those that name the logical unit, rather than its port or its device."""
    at = 0
    while at + HEADER <= len(body):
        code_set, flags, length = body[at] & 0x0F, body[at + 1], body[at + 3]
        value = body[at + HEADER : at + HEADER + length]
        at += HEADER + length
        type_, of_unit = flags & 0x0F, flags & 0x30 == 0
        if of_unit and len(value) == length and code_set == (TEXT if type_ == NAME else BINARY):
            yield type_, value


def _text(raw: bytes) -> str | None:
    return printable(raw.strip(b" \t\n\r\0")) or None
