"""A column of a table: its title, and how a row's value and a cell's text come about."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from hwcensus.instant import now, write_instant

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Column(Generic[T]):
    """`value` is what CSV and XML hold; `shown` is what a table shows instead, where that differs."""

    title: str
    value: Callable[[T], object]
    shown: Callable[[T], str] | None = None
    #: Never broken into lines: what one copies, such as a name.
    whole: bool = False
    #: Only for programs: left out of tables, where it would crowd out the rest.
    detail: bool = False

    def cell(self, row: T) -> str:
        return self.shown(row) if self.shown is not None else text_of(self.value(row))


def text_of(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, (tuple, list)):
        return " ".join(text_of(item) for item in value)
    return str(value)


def plain(value: object) -> str:
    """A value as programs read it, in CSV and XML."""
    return write_instant(value) if isinstance(value, datetime) else text_of(value)


def ago(instant: datetime | None) -> str:
    """How long ago, in the largest unit that fits: `12s`, `3m`, `5h`, `2d`."""
    if instant is None:
        return "never"
    seconds = max(0, int((now() - instant).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
