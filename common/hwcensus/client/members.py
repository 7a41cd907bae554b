"""Typed access to what the API told: every member is of the type asked for, or the error names it."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar, cast

from hwcensus.errors import HwcensusError, InvalidDocument
from hwcensus.instant import read_instant

T = TypeVar("T")

#: A JSON object as the API gave it.
Told = Mapping[str, object]


class Unexpected(HwcensusError):
    """the collector's answer is not what this program expects; are both of the same version?"""

    code = "unexpected-answer"


class Members:
    """The members of one JSON object. All methods raise Unexpected."""

    def __init__(self, told: object) -> None:
        if not isinstance(told, dict):
            raise Unexpected(f"{_short(told)} where an object was expected; are both programs of the same version?")
        self.told: Told = cast(Told, told)

    def text(self, name: str) -> str:
        return self._of(name, str)

    def optional_text(self, name: str) -> str | None:
        return None if self.told.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        return self._of(name, int)

    def flag(self, name: str) -> bool:
        return self._of(name, bool)

    def mapping(self, name: str) -> Told:
        told: Told = self._of(name, dict)
        return told

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(str(item) for item in self._of(name, list))

    def objects(self, name: str) -> tuple["Members", ...]:
        return tuple(Members(item) for item in self._of(name, list))

    def instant(self, name: str) -> datetime:
        try:
            return read_instant(self.text(name))
        except InvalidDocument as error:
            raise Unexpected(f"{name}: {error}") from error

    def optional_instant(self, name: str) -> datetime | None:
        return None if self.told.get(name) is None else self.instant(name)

    def _of(self, name: str, kind: type[T]) -> T:
        value = self.told.get(name)
        if not isinstance(value, kind):
            raise Unexpected(f"{name} is {_short(value)}, not {kind.__name__}; are both programs of the same version?")
        return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
