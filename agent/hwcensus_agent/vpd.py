"""Vital product data of a PCI function (PCI Local Bus 3.0, appendix I): what its maker wrote into it.

One whose checksum is wrong, that does not end, or whose tags make no sense says nothing. It is read a piece at a time,
for devices take milliseconds a word, and some seconds.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hwcensus.fact import printable

#: Tags of large resources, and of the small one that ends the data.
NAME, READ_ONLY, READ_WRITE, END = 0x82, 0x90, 0x91, 0x78
LARGE = 0x80
MOST = 1 << 15  # bytes: the address register has 15 bits

#: Offset and number of bytes → the bytes, less of them at the end. Raises OSError.
Source = Callable[[int, int], bytes]


@dataclass(frozen=True, kw_only=True)
class Vpd:
    """Fields by keyword: PN, SN, EC, MN, YA and whatever the maker added."""

    name: str | None
    fields: dict[str, str]


class _Wrong(ValueError):
    pass


def read(descriptor: int) -> Vpd | None:
    """Of the open `vpd`. Raises OSError."""
    return parse(lambda at, count: os.pread(descriptor, count, at))


def parse(source: Source) -> Vpd | None:
    """None for what is no vital product data. Raises what `source` does."""
    try:
        return _parsed(source)
    except _Wrong:
        return None


def _parsed(source: Source) -> Vpd:
    name: bytes | None = None
    fields: dict[str, str] = {}
    summed, checked = 0, False
    for tag, head, body in _resources(source):
        if tag == NAME:
            name = body
        elif tag in (READ_ONLY, READ_WRITE):
            for keyword, value, at in _fields(body):
                if tag == READ_ONLY and keyword == "RV":
                    if (summed + sum(head) + sum(body[: at + 1])) & 0xFF:
                        raise _Wrong("checksum")
                    checked = True
                elif keyword not in ("RV", "RW") and (text := _text(value)) is not None:
                    fields[keyword] = text
        summed += sum(head) + sum(body)
    if not checked:
        raise _Wrong("no checksum")
    return Vpd(name=None if name is None else _text(name), fields=fields)


def _resources(source: Source) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, the three bytes before the body, and the body, of each resource before the end."""
    at = 0
    while True:
        tag = _exactly(source, at, 1)[0]
        if tag == END:
            return
        if not tag & LARGE:
            raise _Wrong("a small resource that is none of vital product data")
        head = _exactly(source, at, 3)
        length = int.from_bytes(head[1:], "little")
        if tag not in (NAME, READ_ONLY, READ_WRITE) or at + 3 + length > MOST:
            raise _Wrong("a resource that is none of vital product data")
        yield tag, head, _exactly(source, at + 3, length)
        at += 3 + length


def _fields(body: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Keyword, value and where the value begins."""
    at = 0
    while at + 3 <= len(body):
        keyword, length = body[at : at + 2], body[at + 2]
        at += 3
        if not keyword.isalnum() or at + length > len(body):
            raise _Wrong("a field that is none")
        yield keyword.decode("ascii"), body[at : at + length], at
        at += length


def _exactly(source: Source, at: int, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = source(at + len(found), count - len(found))
        if not more:
            raise _Wrong("cut short")
        found += more
    return found


def _text(raw: bytes) -> str | None:
    return printable(raw.strip(b" \0\t\r\n")) or None
