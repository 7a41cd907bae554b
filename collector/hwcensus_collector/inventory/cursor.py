"""Pages of a list, and the opaque cursor that leads to the next one.

A cursor holds the sort key of the last row and a mark of the question it belongs to, so that it cannot be used with
another. It is not secret and not signed: all it can do is start a list somewhere.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from hwcensus.errors import InvalidDocument
from hwcensus.instant import read_instant
from hwcensus_collector.inventory.refusal import BadParameter

T = TypeVar("T")
U = TypeVar("U")
Key = tuple[str | int, ...]

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_MAX_CURSOR = 2048


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """Some rows of a list; `next` leads on, and is None at the end."""

    items: tuple[T, ...]
    next: str | None = None

    def map(self, change: Callable[[T], U]) -> "Page[U]":
        return Page(items=tuple(change(item) for item in self.items), next=self.next)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which part of a list is wanted: at most `limit` rows after `cursor`."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise BadParameter(f"limit {self.limit} is not between 1 and {MAX_LIMIT}", code="bad-limit")


def question_mark(*parts: object) -> str:
    """A short text that differs between questions: their filters and sort order."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def write_cursor(mark: str, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([mark, *key]).encode()).decode().rstrip("=")


def read_cursor(text: str | None, mark: str, shape: tuple[type, ...]) -> Key | None:
    """The sort key in a cursor whose parts have the types `shape`; None without a cursor.

    Raises BadParameter (`bad-cursor`).
    """
    if text is None:
        return None
    try:
        if len(text) > _MAX_CURSOR:
            raise ValueError("too long")
        content = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        given, *key = content
    except (ValueError, TypeError, RecursionError) as error:
        raise BadParameter("the cursor is none of ours; start the list without one", code="bad-cursor") from error
    if given != mark or len(key) != len(shape) or any(type(k) is not s for k, s in zip(key, shape, strict=True)):
        raise BadParameter("the cursor belongs to another question; start without one", code="bad-cursor")
    if any(type(part) is int and abs(part) >= 1 << 63 for part in key):
        raise BadParameter("the cursor is none of ours; start the list without one", code="bad-cursor")
    return tuple(key)


def read_cursor_time(text: str) -> datetime:
    """A time that stands in a cursor. Raises BadParameter (`bad-cursor`)."""
    try:
        return read_instant(text)
    except InvalidDocument as error:
        raise BadParameter("the cursor is none of ours; start the list without one", code="bad-cursor") from error


def page_of(rows: list[T], limit: int, mark: str, key: Callable[[T], Key]) -> Page[T]:
    """The page of rows that were asked for with one more than `limit`, to see whether there are more."""
    more = len(rows) > limit
    kept = rows[:limit]
    return Page(items=tuple(kept), next=write_cursor(mark, key(kept[-1])) if more else None)
