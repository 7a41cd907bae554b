"""`ingest --once`: event documents from a file, one after the other, through the same fold and the same tables.

For trying out, for replaying what somebody sent in, and for tests. There are no headers and no offsets here.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Engine

from hwcensus.errors import HwcensusError
from hwcensus.event import read_event
from hwcensus.instant import now
from hwcensus_collector.ingest.intake import Entry, Intake
from hwcensus_collector.ingest.record import of_event
from hwcensus_collector.settings import CollectorSettings

#: One whole event. They do not nest, and `</event>` cannot stand in text or attributes unescaped.
EVENT = re.compile(rb"<event\b[^<>]*/>|<event\b.*?</event>", re.DOTALL)
BATCH = 1000


def ingest_once(settings: CollectorSettings, engine: Engine, text: bytes) -> dict[str, int]:
    """Folds the events of a text; what was counted: types and notes.

    Raises InvalidDocument, naming the event by its number; nothing is stored then.
    """
    entries = list(_entries(text, now()))
    intake = Intake(engine, offline_after=settings.liveness.offline_after, cached_hosts=settings.ingest.cached_hosts)
    for first in range(0, len(entries), BATCH):
        intake.take(entries[first : first + BATCH], {})
    return dict(intake.counts)


def _entries(text: bytes, at: datetime) -> Iterator[Entry]:
    for number, found in enumerate(EVENT.finditer(text), 1):
        try:
            record = of_event(read_event(found[0]), at)
        except HwcensusError as error:
            raise type(error)(f"event {number}: {error}", code=error.code) from error
        yield Entry(message=None, at=at, record=record, letter=None)
