"""How far a partition is read, as SQL and our own reading say: what to drop, when to go back, when it is another topic.

Decisions only; `source.py` carries them out. The client library's own positions are not trusted: after a rebalance it
may begin anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from hwcensus_collector.ingest.record import Message, fingerprint


class Course(Enum):
    """What is to be done before reading on."""

    ON = "on"
    #: To `Reading.wanted`.
    SEEK = "seek"
    #: It is not the topic that we read before: from its beginning.
    ANOTHER_TOPIC = "another-topic"


@dataclass(kw_only=True)
class PartitionReading:
    """One assigned partition. `next` is the offset that is to be handed on next."""

    next: int
    #: Fingerprint of the record before, if that one is to be read again and compared first.
    verify: bytes | None = None
    #: Where it sought back to last: nothing there the second time means a hole.
    sought: int | None = None

    @property
    def wanted(self) -> int:
        """The offset to read next."""
        return self.next - 1 if self.verify is not None else self.next

    def select(self, messages: Sequence[Message]) -> tuple[Sequence[Message], Course]:
        """Those of a run of messages that are due, in order, and what to do when there are none."""
        first = next((i for i, message in enumerate(messages) if message.offset >= self.wanted), None)
        if first is None:
            return (), Course.ON
        due = messages[first:]
        if self.verify is not None:
            if due[0].offset == self.wanted:
                if fingerprint(due[0]) != self.verify:
                    return (), Course.ANOTHER_TOPIC
                due = due[1:]
            # Else the record is too old to be there still, and there is nothing to compare with.
            self.verify = None
        if due and due[0].offset > self.next and self.sought != self.next:
            self.sought = self.next
            return (), Course.SEEK
        if due:
            self.next = due[-1].offset + 1
        return due, Course.ON
