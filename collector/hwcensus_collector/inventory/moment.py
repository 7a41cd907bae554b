"""Times as people and programs give them in a question."""

import re
from datetime import UTC, date, datetime, time, timedelta

from hwcensus.errors import InvalidDocument
from hwcensus.instant import read_instant
from hwcensus_collector.inventory.refusal import BadParameter

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,6})([smhdw])")
#: What an agent's clock may be ahead of ours without a question about "now" being one about the future.
_TOLERANCE = timedelta(minutes=1)


def read_moment(text: str, now: datetime) -> datetime:
    """A past instant: `2026-03-01`, `2026-03-01T14:00:00Z`, or how long ago: `90s 30m 12h 7d 4w`.

    Raises BadParameter (`bad-time`), also for the future.
    """
    duration = _DURATION.fullmatch(text)
    try:
        if duration is not None:
            moment = now - timedelta(**{_UNITS[duration[2]]: int(duration[1])})
        elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            moment = datetime.combine(date.fromisoformat(text), time(), UTC)
        else:
            moment = read_instant(text)
    except (ValueError, OverflowError, InvalidDocument) as error:
        raise BadParameter(
            f"{text!r} is not a time; write 2026-03-01, 2026-03-01T14:00:00Z or 7d (ago)", code="bad-time"
        ) from error
    if moment > now + _TOLERANCE:
        raise BadParameter(f"{text} is in the future; nothing is known of it", code="bad-time")
    return moment
