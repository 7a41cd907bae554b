"""One fact of a device: where it stands in the XML, what it looks like, and what it is good for.

A device class is a frozen dataclass whose fields are made by `required`, `optional` or `repeated`. The codec
(`codec.py`), the schema (`schema.py`) and the readers of documents (`document.py`) all follow from these fields:
nothing about a class is said twice. This module does no I/O and knows no class.
"""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

Value = str | int | bool


@dataclass(frozen=True)
class Kind:
    """A lexical form: the one way a value is written in XML, so that equal facts give equal bytes.

    `pattern` is an XSD regular expression and at the same time a Python one, anchored at both ends.
    """

    name: str
    pattern: str | None
    read: Callable[[str], Value] = str
    write: Callable[[Any], str] = str
    type_: type[Value] = str


def _read_yes_no(text: str) -> bool:
    return text == "yes"


def _write_yes_no(value: bool) -> str:
    return "yes" if value else "no"


#: Free text: at least one character that is not a blank. Absent facts are absent elements, never empty ones.
TEXT = Kind("text", None)
#: One word: no blanks, so that lists of words can be separated by blanks.
WORD = Kind("word", r"[^\s]+")
#: A count, number or size, decimal. 20 digits hold every 64-bit number.
NUMBER = Kind("number", r"0|[1-9][0-9]{0,19}", int, type_=int)
YES_NO = Kind("yes-no", "yes|no", _read_yes_no, _write_yes_no, bool)
#: Hexadecimal as the kernel prints PCI addresses: digits only, lower case, fixed width.
HEX1 = Kind("hex1", "[0-9a-f]")
HEX2 = Kind("hex2", "[0-9a-f]{2}")
HEX4 = Kind("hex4", "[0-9a-f]{4,8}")
HEX6 = Kind("hex6", "[0-9a-f]{6}")
HEX16 = Kind("hex16", "[0-9a-f]{16}")
HEX32 = Kind("hex32", "[0-9a-f]{32}")
#: USB bus and device numbers: three decimal digits (usb.ids custom, /dev/bus/usb/BBB/DDD).
DEC3 = Kind("dec3", "[0-9]{3,}")
MAC = Kind("mac", "[0-9a-f]{2}(:[0-9a-f]{2}){0,31}")
WWN = Kind("wwn", "[0-9a-f]{16}")
UUID = Kind("uuid", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Decimal fraction, as speeds are given (GT/s, Gb/s).
DECIMAL = Kind("decimal", r"(0|[1-9][0-9]*)(\.[0-9]+)?")


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What one field says about itself."""

    #: Child element the value stands in; "" for the element of the class itself.
    element: str
    #: Attribute of that element, or None where the value is the element's text.
    attribute: str | None
    kind: Kind
    #: Last part of the fact's path, as used in `where`, in JSON and in `changed`.
    label: str
    #: Dealt anew by the kernel: a change of handles alone makes a version of kind `renumbered`.
    handle: bool = False
    #: Identifier kind (wwpn, mac, serial, …) this fact is one of.
    identifier: str | None = None
    #: The part *is* this identifier (own), or is reached through it (seen).
    own: bool = True
    #: Attribute of the same element that must be "yes" for the value to be an identifier of its own.
    own_if: str | None = None
    #: Attribute of the same element that is "yes" where it is only reached through it: on the host it still identifies.
    seen_if: str | None = None
    #: Identifier kind that tells the device from others of its host only, such as the file behind a loop device.
    local_identifier: str | None = None
    #: Fields of the class without whose values the identifier is not unique (a USB serial is the product's).
    beside: tuple[str, ...] = ()
    repeated: bool = False
    required: bool = False
    #: The class's attribute that the field is; filled by `facts_of`.
    field: str = ""
    doc: str = ""


def _fact(at: str, kind: Kind, label: str | None, **more: Any) -> Fact:
    element, _, attribute = at.partition("@")
    default = attribute if not element or not attribute else f"{element}.{attribute}"
    return Fact(element=element, attribute=attribute or None, kind=kind, label=label or default or element, **more)


def required(at: str, kind: Kind = TEXT, *, label: str | None = None, **more: Any) -> Any:
    """A fact without which the device is not described. `at` is `element`, `element@attribute` or `@attribute`."""
    return field(metadata={"fact": _fact(at, kind, label, required=True, **more)})


def optional(at: str, kind: Kind = TEXT, *, label: str | None = None, **more: Any) -> Any:
    """A fact that may be absent; its element is absent then."""
    return field(default=None, metadata={"fact": _fact(at, kind, label, **more)})


def repeated(element: str, kind: Kind = TEXT, *, label: str | None = None, **more: Any) -> Any:
    """A list: one element a value, sorted by the describer."""
    return field(default=(), metadata={"fact": _fact(element, kind, label, repeated=True, **more)})


_FACTS: dict[type, tuple[Fact, ...]] = {}


def facts_of(cls: type) -> tuple[Fact, ...]:
    """The facts of a class in the order in which they are written."""
    if cls not in _FACTS:
        named = [(field.name, field.metadata["fact"]) for field in dataclasses.fields(cls) if "fact" in field.metadata]
        _FACTS[cls] = tuple(dataclasses.replace(cast(Fact, fact), field=name) for name, fact in named)
    return _FACTS[cls]


_XML_UNSAFE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\t\n\r]|\\(?=x[0-9a-f]{2})")


def printable(raw: bytes) -> str:
    r"""Bytes of unknown origin as text that XML can carry, losing nothing.

    What is not UTF-8 or not allowed in XML 1.0 becomes `\xNN` a byte, and a backslash that would be taken for the
    start of such an escape becomes `\x5c`; so the original bytes can be told from the text.
    """
    text = raw.decode("utf-8", "surrogateescape")
    return _XML_UNSAFE.sub(_escape, text) if _XML_UNSAFE.search(text) else text


def _escape(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode("utf-8", "surrogateescape"))


def original(text: str) -> bytes:
    """The bytes that `printable` was given."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode("utf-8"))
