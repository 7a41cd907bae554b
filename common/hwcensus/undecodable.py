"""What of a topic aiokafka cannot decode: whoever may write to it can write that, and it comes again at every fetch.

The broker lets through header names that are not UTF-8, codecs that this program has not, and garbage in a codec's
dress. aiokafka decodes while it hands records out (PartitionRecords in consumer/fetcher.py), lets out whatever is
raised then, and does not say of what; its own frame in the traceback knows. Nothing is read or passed over here.
"""

import traceback
from dataclasses import dataclass
from typing import Any, Self

from aiokafka.errors import KafkaError

from hwcensus.fact import printable

_MODULE, _FUNCTION = "aiokafka.consumer.fetcher", "_unpack_records"


@dataclass(frozen=True, kw_only=True)
class Undecodable:
    """A batch of which some record, and with it all behind it in the batch, cannot be had: of one producer, all."""

    topic: str
    partition: int
    #: The first that could not be handed out, and the one behind the batch, as its header says: see `after`.
    offset: int
    end: int
    #: Where the next batch begins, if the same fetch had one.
    behind: int | None = None
    why: str

    @classmethod
    def of(cls, error: BaseException) -> Self | None:
        """What a consumer's `getmany` stumbled over; None where it failed for another reason than decoding."""
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if (frame.f_globals.get("__name__"), frame.f_code.co_name) == (_MODULE, _FUNCTION):
                records, batch = frame.f_locals["self"], frame.f_locals.get("next_batch")
                place, offset = frame.f_locals["tp"], records.next_fetch_offset
                end, behind = getattr(batch, "next_offset", offset + 1), _next_base(frame.f_locals["records"])
                why = printable(f"{type(error).__name__}: {error}".encode(errors="replace"))
                return cls(topic=place.topic, partition=place.partition, offset=offset, end=end, behind=behind, why=why)
        return None

    def after(self, highwater: int | None) -> int:
        """Where to read on: behind the batch, unless what its header says cannot be; then one record further."""
        if self.offset in (self.behind, highwater):
            return self.offset  # all its records were handed out, and bytes were left
        return self.end if self.offset < self.end <= (highwater or 0) else self.offset + 1


def _next_base(records: Any) -> int | None:
    """Of aiokafka's MemoryRecords, which it is done with."""
    try:
        return getattr(records.next_batch(), "base_offset", None) if records.has_next() else None
    except KafkaError:
        return None
