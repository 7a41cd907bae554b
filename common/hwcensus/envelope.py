"""The attributes of an envelope element, read and written by the fields of its dataclass.

Used by `event.py` and `command.py`, which say what the fields are. A field `after_seq` is the attribute `after-seq`;
a trailing underscore keeps clear of Python's words.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast, get_args, get_type_hints

from lxml import etree

from hwcensus.instant import read_instant, write_instant

FORMAT = "1"


def _read_yes_no(text: str) -> bool:
    return text == "yes"


def _write_yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _read_words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_READ: dict[type, Callable[[str], object]] = {
    str: str, int: int, float: float, bool: _read_yes_no, datetime: read_instant, tuple: _read_words
}  # fmt: skip
_WRITE: dict[type, Callable[[Any], str]] = {
    str: str, int: str, float: "{:.4f}".format, bool: _write_yes_no, datetime: write_instant, tuple: " ".join
}  # fmt: skip


@dataclass(frozen=True)
class _Attribute:
    name: str
    field: str
    kind: type
    read: Callable[[str], object]


_ATTRIBUTES: dict[type, tuple[_Attribute, ...]] = {}


def _attributes(cls: type) -> tuple[_Attribute, ...]:
    if cls not in _ATTRIBUTES:
        _ATTRIBUTES[cls] = tuple(_plain_fields(cls))
    return _ATTRIBUTES[cls]


def _plain_fields(cls: type) -> Iterator[_Attribute]:
    hints = get_type_hints(cls)
    return (
        _Attribute(f.name.rstrip("_").replace("_", "-"), f.name, kind, _READ[kind])
        for f in dataclasses.fields(cls)
        if f.metadata.get("element") is None
        for kind in [_kind(hints[f.name])]
    )


def _kind(hint: Any) -> type:
    """The plain type of `X`, `X | None` or `tuple[X, ...]`."""
    if hint in _READ:
        return cast("type", hint)
    inner = [part for part in get_args(hint) if part is not type(None) and part is not ...]
    return tuple if getattr(hint, "__origin__", None) is tuple else _kind(inner[0])


def child(default: Any = dataclasses.MISSING) -> Any:
    """A field that stands in child elements; its class reads and writes it itself."""
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata={"element": True})
    return dataclasses.field(default=default, metadata={"element": True})


def write_attributes(element: etree._Element, envelope: Any) -> None:
    """Sets the attribute of every plain field that has a value."""
    for attribute in _attributes(type(envelope)):
        value = getattr(envelope, attribute.field)
        if value is not None and value != ():
            element.set(attribute.name, _WRITE[attribute.kind](value))


def read_attributes(element: etree._Element, cls: type) -> dict[str, Any]:
    """The plain fields of `cls` that the element has attributes for."""
    known = readers(cls)
    given = cast("list[tuple[str, str]]", element.items())
    return {known[name][0]: known[name][1](text) for name, text in given if name in known}


@cache
def readers(cls: type) -> dict[str, tuple[str, Callable[[str], object]]]:
    """By attribute: the plain field of `cls` that stands in it, and how it is read."""
    return {attribute.name: (attribute.field, attribute.read) for attribute in _attributes(cls)}
