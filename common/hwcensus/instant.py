"""Points in time on the wire: UTC with microseconds, `2026-11-23T14:10:55.123456Z` (RFC 3339).

No rule of order uses them; they say when, never before what.
"""

from datetime import UTC, datetime

from hwcensus.errors import InvalidDocument


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def write_instant(instant: datetime) -> str:
    """An aware datetime as the wire has it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_instant(text: str) -> datetime:
    """The datetime a text gives. Raises InvalidDocument where it is none, or has no time zone."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidDocument(f"{text!r} is not a time like 2026-11-23T14:10:55.123456Z", code="bad-time") from error
    if instant.tzinfo is None:
        raise InvalidDocument(f"{text!r} has no time zone; write 2026-11-23T14:10:55Z", code="bad-time")
    return instant.astimezone(UTC)
