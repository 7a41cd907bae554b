"""What a question can be refused for: each with a code, and with the nearest names where there are some."""

import difflib
from collections.abc import Iterable

from hwcensus.errors import NotFound, Refused, UsageError


class BadParameter(UsageError):
    """a parameter of the question is not what it must be"""

    code = "bad-parameter"

    def __init__(self, message: str, *, code: str | None = None, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message, code=code)
        self.nearest = nearest


class Unknown(NotFound):
    """there is no host, device, command or document of that name"""

    def __init__(self, message: str, *, code: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message, code=code)
        self.nearest = nearest


class Ambiguous(Refused):
    """several hosts bear that name; `nearest` are their ids"""

    code = "ambiguous-host"

    def __init__(self, message: str, *, nearest: tuple[str, ...]) -> None:
        super().__init__(message)
        self.nearest = nearest


def nearest_names(wanted: str, known: Iterable[str]) -> tuple[str, ...]:
    """Up to three of the known names that look most like the wanted one, the best first."""
    return tuple(difflib.get_close_matches(wanted, list(dict.fromkeys(known)), n=3, cutoff=0.5))


def did_you_mean(nearest: tuple[str, ...]) -> str:
    """The end of a sentence that offers them; empty where there are none."""
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""
