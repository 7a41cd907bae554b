"""SMBIOS structures made for a test, as firmware writes them (DMTF DSP0134)."""

from pathlib import Path
from typing import Any


def structure(kind: int, formatted: bytes, *strings: str | bytes, handle: int = 0) -> bytes:
    """Header, formatted area, strings."""
    texts = b"".join((text.encode() if isinstance(text, str) else text) + b"\0" for text in strings)
    return bytes([kind, len(formatted) + 4]) + handle.to_bytes(2, "little") + formatted + (texts or b"\0") + b"\0"


def module(*strings: str | bytes, size: int = 0x4000, kind: int = 0x1A, speed: int = 3200, **later: Any) -> bytes:
    """A memory device: strings are locator, bank, manufacturer, serial, asset, part; `later` are fields of later
    versions, and `length`, at which the structure is cut."""
    raw = bytearray(0x5C - 4)
    raw[0x0C - 4 : 0x0E - 4] = size.to_bytes(2, "little")
    raw[0x12 - 4] = kind
    raw[0x15 - 4 : 0x17 - 4] = speed.to_bytes(2, "little")
    for number, at in enumerate((0x10, 0x11, 0x17, 0x18, 0x19, 0x1A), 1):
        raw[at - 4] = number if number <= len(strings) else 0
    raw[0x1C - 4 : 0x20 - 4] = later.get("extended_size", 0).to_bytes(4, "little")
    raw[0x54 - 4 : 0x58 - 4] = later.get("extended_speed", 0).to_bytes(4, "little")
    return structure(17, bytes(raw[: later.get("length", 0x5C) - 4]), *strings)


def table(*parts: bytes) -> bytes:
    return b"".join(parts) + structure(127, b"")


def install(sys: Path, *parts: bytes) -> None:
    """As sysfs passes a whole table on."""
    (sys / "firmware/dmi/tables").mkdir(parents=True, exist_ok=True)
    (sys / "firmware/dmi/tables/DMI").write_bytes(table(*parts))
