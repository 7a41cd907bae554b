"""`ingest --once`: event documents from a file, one after the other, through the same fold and the same tables.

For trying out, for replaying what somebody sent in, and for tests. There are no headers and no offsets here.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Engine

from hwcensus.errors import HwcensusError, InvalidDocument
from hwcensus.event import read_event
from hwcensus.instant import now
from hwcensus_collector.ingest.intake import Entry, Intake
from hwcensus_collector.ingest.record import of_event
from hwcensus_collector.settings import CollectorSettings

#: One whole event, or what may stand between two. Events do not nest, and `</event>` cannot stand in text or attributes
#: unescaped.
PIECE = re.compile(rb"(?P<event><event\b[^<>]*/>|<event\b.*?</event>)|\xef\xbb\xbf|\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
BATCH = 1000


def ingest_once(settings: CollectorSettings, engine: Engine, text: bytes) -> dict[str, int]:
    """Folds the events of a text; what was counted: types and notes.

    Raises InvalidDocument, naming the event by its number, what else stands there (`no-event`) or that there is
    nothing; nothing is stored then.
    """
    entries = list(_entries(text, now()))
    if not entries:
        raise InvalidDocument("there is no event in it: nothing is stored", code="no-event")
    intake = Intake(engine, offline_after=settings.liveness.offline_after, cached_hosts=settings.ingest.cached_hosts)
    for first in range(0, len(entries), BATCH):
        intake.take(entries[first : first + BATCH], {})
    return dict(intake.counts)


def _entries(text: bytes, at: datetime) -> Iterator[Entry]:
    for number, event in enumerate(_events(text), 1):
        try:
            record = of_event(read_event(event), at)
        except HwcensusError as error:
            raise type(error)(f"event {number}: {error}", code=error.code) from error
        yield Entry(message=None, at=at, record=record, letter=None)


def _events(text: bytes) -> Iterator[bytes]:
    """Raises InvalidDocument (`no-event`) where something else begins, or an event that does not end."""
    here = 0
    while here < len(text):
        found = PIECE.match(text, here)
        if found is None:
            line, what = text.count(b"\n", 0, here) + 1, text[here : here + 40].decode("utf-8", "backslashreplace")
            raise InvalidDocument(f"line {line}: no whole event begins here: {what!r}", code="no-event")
        if found["event"] is not None:
            yield found["event"]
        here = found.end()
