"""A record of the events topic as the fold wants it, or the dead letter that it becomes instead.

Reading is all that happens here, and all that costs: parse, validate, survey, hash. Nothing is known of any host.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hwcensus import document
from hwcensus.document import Survey
from hwcensus.envelope import FORMAT
from hwcensus.errors import HwcensusError, InvalidDocument
from hwcensus.event import Event, Told, read_event

#: Our own five, and the sender's signature and key id; the rest is room for what may come.
MAX_HEADERS = 16
#: What the inventory's keys hold: characters, and the largest number.
MAX_ID, MAX_IDENTITY, MAX_SEQ = 64, 1000, 2**63 - 1
REPEATED = ("type", "format", "host", "stream", "seq")


class Message(Protocol):
    """What we use of aiokafka's ConsumerRecord."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    #: Milliseconds since 1970.
    timestamp: int


def fingerprint(message: Message) -> bytes:
    """Tells a message from the one that another topic of the same name has at the same offset."""
    parts = (message.key or b"", message.value or b"", str(message.timestamp).encode())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


class Reading:
    """One device document: its digests, the bytes that are kept, and what it says."""

    __slots__ = ("digest", "facts", "state_hash", "survey", "xml")

    def __init__(self, event: Told) -> None:
        """Takes the event's element apart. Raises InvalidDocument for what the schema cannot see."""
        #: Facts, state, capabilities and identifiers. Comes first: it puts attributes into schema order.
        self.survey: Survey = document.survey(event.device)
        #: The whole document, key and state too.
        self.xml: bytes = document.to_bytes(event.device)
        parts = document.take_apart(event.device)
        #: What is hashed and kept once, however many devices look like this.
        self.facts: bytes = parts.facts
        self.digest: bytes = parts.digest
        self.state_hash: bytes = parts.state_hash


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One record that has its place: host, stream and, but for heartbeats, seq."""

    host: str
    stream: str
    seq: int | None
    type: str
    #: When the broker, or else we, got it.
    at: datetime
    #: None: it could not be read, but its headers say where it belongs.
    event: Event | None
    #: The device that the event tells of.
    reading: Reading | None = None


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A record that could not be processed, as it is kept."""

    topic: str
    partition: int
    offset: int
    at: datetime
    value: bytes
    headers: dict[str, str]
    code: str
    reason: str


def read(message: Message, at: datetime) -> tuple[Record | None, DeadLetter | None]:
    """What a message is: a record; or a dead letter, with the record that stands in its place where headers tell it."""
    headers = _text(message.headers[:MAX_HEADERS])
    try:
        _count(message)
        event = read_event(message.value or b"")
        _agree(headers, event)
        return of_event(event, at), None
    except (HwcensusError, ValueError) as error:
        # ValueError: numbers and bytes that the schema lets through and Python does not take.
        code = error.code if isinstance(error, HwcensusError) else "schema"
        return _in_its_place(headers, code, at), dead_letter(message, at, code, str(error))


def of_event(event: Event, at: datetime) -> Record:
    """The record of an event that was read. Raises InvalidDocument."""
    seq: int | None = getattr(event, "seq", None)
    _fits("host", event.host, MAX_ID)
    _fits("stream", event.stream, MAX_ID)
    _fits("identity", getattr(event, "identity", ""), MAX_IDENTITY)
    if seq is not None and seq > MAX_SEQ:
        raise InvalidDocument(f"seq {seq} is above {MAX_SEQ}", code="schema")
    return Record(
        host=event.host,
        stream=event.stream,
        seq=seq,
        type=event.type_,
        at=at,
        event=event,
        reading=Reading(event) if isinstance(event, Told) else None,
    )


def _fits(name: str, value: str, most: int) -> None:
    if len(value) > most:
        raise InvalidDocument(f"{name} has {len(value)} characters, at most {most} are kept", code="schema")


class Contradiction(HwcensusError):
    """the record's headers are not what its text says"""

    code = "header-mismatch"


def _count(message: Message) -> None:
    if len(message.headers) > MAX_HEADERS:
        raise InvalidDocument(
            f"{len(message.headers)} headers, at most {MAX_HEADERS} are read", code="too-many-headers"
        )


def _text(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    """NUL, which PostgreSQL's text does not take, and what is no UTF-8 come as escapes."""
    plain = ((name, (value or b"").decode("utf-8", "backslashreplace")) for name, value in headers)
    return {name.replace("\0", "\\x00"): value.replace("\0", "\\x00") for name, value in plain}


def _agree(headers: dict[str, str], event: Event) -> None:
    """Headers may be missing (a person with a tool), but not say something else."""
    seq = getattr(event, "seq", None)
    told = {"type": event.type_, "format": FORMAT, "host": event.host, "stream": event.stream}
    told |= {} if seq is None else {"seq": str(seq)}
    for name in REPEATED:
        if name in headers and headers[name] != told.get(name):
            raise Contradiction(f"header {name} is {headers[name]!r}, the text says {told.get(name)!r}")


def _in_its_place(headers: dict[str, str], code: str, at: datetime) -> Record | None:
    """A contradicting record has no place: nobody knows which half of it is right."""
    if code == Contradiction.code or not all(headers.get(name) for name in ("host", "stream", "type")):
        return None
    seq = headers.get("seq", "")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 19):
        return None
    return Record(host=headers["host"], stream=headers["stream"], seq=int(seq), type=headers["type"], at=at, event=None)


def dead_letter(message: Message, at: datetime, code: str, reason: str) -> DeadLetter:
    """The message as it is kept, with as many headers as are read."""
    return DeadLetter(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        at=at,
        value=message.value or b"",
        headers=_text(message.headers[:MAX_HEADERS]),
        code=code,
        reason=reason,
    )
