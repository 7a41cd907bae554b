"""Follows what one agent tells: every event once and in order, folded to a census by the few rules of docs/protocol.md.

Written apart from the collector's fold on purpose: it is the judge. A broken rule is an AssertionError.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from hwcensus import census_digest, document
from hwcensus.broker import EMBEDDED_PARTITIONS
from hwcensus.document import Survey
from hwcensus.event import Add, Change, Event, Heartbeat, Hello, Numbered, Remove, read_event

SECONDS = 120.0


@dataclass(frozen=True)
class Known:
    """One device of the folded census."""

    identity: str
    xml: bytes
    survey: Survey = field(repr=False)

    @property
    def name(self) -> str:
        return str(self.survey.frame["name"])

    @property
    def parent(self) -> object:
        return self.survey.frame.get("parent")

    @property
    def facts(self) -> dict[str, object]:
        """Frame and facts by path."""
        return {**self.survey.frame, **self.survey.facts}

    @property
    def state(self) -> dict[str, object]:
        return dict(self.survey.state)


@dataclass(frozen=True)
class Told:
    """One event about a device; as text `add net_br0`, `facts net_br0`, `remove net_br0`."""

    what: str
    device: Known
    changed: tuple[str, ...] = ()
    was: str | None = None
    command: str | None = None

    def __str__(self) -> str:
        return f"{self.what} {self.device.name}"


class Listener:
    """The census as the events of one topic tell it. It reads when it is asked to wait for something."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "lab", "enable.auto.commit": False,
            "fetch.wait.max.ms": 20,  # the embedded broker answers at the end of the wait, whatever comes meanwhile
        })  # fmt: skip
        places = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(EMBEDDED_PARTITIONS)]
        self._consumer.assign(places)
        #: Whether what was sent may come again under its number: by an agent that was killed before it knew.
        self.hears_again = False
        self.told: list[Told] = []
        self.hellos: list[Hello] = []
        self._census: dict[str, Known] = {}
        self._seq = 0
        self._heartbeat: Heartbeat | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    @property
    def census(self) -> dict[str, Known]:
        """Name → device."""
        return {known.name: known for known in self._census.values()}

    def wait(self, met: Callable[[], bool], what: str, *, seconds: float = SECONDS) -> None:
        """Reads on until this is so; it is asked after every event, and every second without one."""
        deadline = time.monotonic() + seconds
        while not met():
            message = self._consumer.poll(1.0)
            if message is not None:
                assert message.error() is None, message.error()
                self._take(read_event(message.value() or b""))
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s"

    def catch_up(self) -> None:
        """Reads all that the topic has by now."""
        places = self._consumer.assignment()
        ends = {place.partition: self._consumer.get_watermark_offsets(place)[1] for place in places}
        behind = {partition: end for partition, end in ends.items() if end}  # an empty one has no position
        self.wait(
            lambda: all(
                place.offset >= behind.get(place.partition, place.offset) for place in self._consumer.position(places)
            ),
            "the topic's end",
        )

    def agrees(self) -> bool:
        """Whether the agent's last heartbeat, sent after its last event, has the digests of this census."""
        last = self._heartbeat
        if last is None or last.at != self._seq:
            return False
        assert (last.count, last.digest, last.state_digest) == self._digests(), "the agent's census is another one"
        return True

    def _digests(self) -> tuple[int, str, str]:
        parts = [(identity, document.take_apart(document.parse(known.xml))) for identity, known in self._census.items()]
        return (
            len(parts),
            census_digest.write_total(census_digest.total((identity, one.digest) for identity, one in parts)),
            census_digest.write_total(census_digest.total((identity, one.state_hash) for identity, one in parts)),
        )

    def _take(self, event: Event) -> None:
        if isinstance(event, Hello):
            if self.hellos:
                assert (event.after_stream, event.after_seq) == (self.hellos[-1].stream, self._seq), "a gap"
            self.hellos.append(event)
            self._seq = 0
            self._heartbeat = None  # of a stream that had these numbers too
        if isinstance(event, Numbered):
            assert event.stream == self.hellos[-1].stream, "an event of another stream"
            if self.hears_again and event.seq <= self._seq:
                return
            assert event.seq == self._seq + 1, f"{event.type_} {event.seq} comes after {self._seq}"
            self._seq = event.seq
        match event:
            case Heartbeat():
                self._heartbeat = event
            case Add() | Change() | Remove():
                self.told.append(self._fold(event))

    def _fold(self, event: Add | Change | Remove) -> Told:
        former = self._census.pop(getattr(event, "was", None) or event.identity, None)
        assert (former is None) == isinstance(event, Add), f"{event.type_} of {event.identity}, known as {former}"
        if isinstance(event, Remove):
            assert former is not None
            assert event.name == former.name
            assert all(one.parent != former.name for one in self._census.values()), f"{event.name} goes before its own"
            return Told("remove", former, command=event.command)
        assert event.device is not None
        assert event.identity not in self._census, f"{event.identity} is told of two devices"
        device = Known(event.identity, document.to_bytes(event.device), document.survey(event.device))
        assert device.parent in {None, *self.census}, f"{device.name} comes before {device.parent}"
        self._census[event.identity] = device
        if isinstance(event, Change):
            return Told(event.kind, device, event.changed, event.was, event.command)
        return Told("add", device, command=event.command)
