"""A record of the events topic as the fold wants it, or the dead letter that it becomes instead.

Reading is all that happens here, and all that costs: parse, validate, survey, hash. Nothing is known of any host.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, Self

from lxml import etree

from hwcensus import document
from hwcensus.document import Document, Survey
from hwcensus.envelope import FORMAT
from hwcensus.errors import HwcensusError, InvalidDocument
from hwcensus.event import Event, Told, check_events, event_of
from hwcensus_collector.ingest.spoiled import Spoiled

#: Our own five, and the sender's signature and key id; the rest is room for what may come.
MAX_HEADERS = 16
#: Characters that the inventory's keys hold.
MAX_ID, MAX_IDENTITY = 64, 1000


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

    def __init__(self, survey: Survey, xml: bytes, parts: Document) -> None:
        #: Facts, state, capabilities and identifiers.
        self.survey = survey
        #: The whole document, key and state too.
        self.xml = xml
        #: What is hashed and kept once, however many devices look like this.
        self.facts: bytes = parts.facts
        self.digest: bytes = parts.digest
        self.state_hash: bytes = parts.state_hash

    @classmethod
    def of(cls, device: etree._Element) -> Self:
        """Takes an element apart. Raises InvalidDocument for what the schema cannot see."""
        survey = document.survey(device)  # comes first: it puts attributes into schema order
        return cls(survey, document.to_bytes(device), document.take_apart(device))


class Record(NamedTuple):
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
    #: Whose device that is; the headers say it of a record that could not be read, too.
    identity: str | None = None


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


#: An event whose form is known, with its device.
Known = tuple[Told, Reading]
#: The root of an event that the schema accepts, or why it does not; or all that there is to read.
Checked = etree._Element | InvalidDocument | Known


def check_all(messages: Sequence[Message], known: Sequence[Known | None]) -> list[Checked]:
    """Parses and validates what is not known: the part of reading during which other threads run."""
    checked = iter(check_events([m.value or b"" for m, one in zip(messages, known, strict=True) if one is None]))
    return [one or next(checked) for one in known]


def read(message: Message, checked: Checked, at: datetime) -> tuple[Record | None, DeadLetter | None]:
    """What a message is, got at that time: a record; or a dead letter, with the record that stands in its place where
    headers tell it."""
    try:
        if isinstance(message, Spoiled):
            raise InvalidDocument(message.why, code="undecodable")
        if len(message.headers) > MAX_HEADERS:
            raise InvalidDocument(
                f"{len(message.headers)} headers, at most {MAX_HEADERS} are read", code="too-many-headers"
            )
        if isinstance(checked, InvalidDocument):
            raise checked
        event, reading = checked if isinstance(checked, tuple) else (event_of(checked), None)
        _agree(message, event)
        return of_event(event, at, reading), None
    except HwcensusError as error:
        return _in_its_place(message, error.code, at), dead_letter(message, at, error.code, str(error))


def of_event(event: Event, at: datetime, reading: Reading | None = None) -> Record:
    """The record of an event, with its device if that was read already. Raises InvalidDocument."""
    seq: int | None = getattr(event, "seq", None)
    identity: str = getattr(event, "identity", "")
    if len(event.host) > MAX_ID or len(event.stream) > MAX_ID or len(identity) > MAX_IDENTITY:
        raise InvalidDocument(f"host, stream or identity is longer than {MAX_ID}, {MAX_IDENTITY}", code="schema")
    if reading is None and isinstance(event, Told) and event.device is not None:
        reading = Reading.of(event.device)
    return Record(event.host, event.stream, seq, event.type_, at, event, reading, identity or None)


class Contradiction(HwcensusError):
    """the record's headers are not what its text says"""

    code = "header-mismatch"


def _text(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    """NUL, which PostgreSQL's text does not take, and what is no UTF-8 come as escapes."""
    plain = ((name, (value or b"").decode("utf-8", "backslashreplace")) for name, value in headers)
    return {name.replace("\0", "\\x00"): value.replace("\0", "\\x00") for name, value in plain}


def _agree(message: Message, event: Event) -> None:
    """Headers may be missing (a person with a tool), but not say something else."""
    told = {
        "type": event.type_,
        "format": FORMAT,
        "host": event.host,
        "stream": event.stream,
        "seq": str(getattr(event, "seq", "no")),
        "identity": str(getattr(event, "identity", "no")),
    }
    for name, value in message.headers:
        if name in told and value != told[name].encode():
            raise Contradiction(f"header {name} is {value!r}, the text says {told[name]!r}")


def _in_its_place(message: Message, code: str, at: datetime) -> Record | None:
    """A contradicting record has no place: nobody knows which half of it is right."""
    headers = _text(message.headers[:MAX_HEADERS])
    if code == Contradiction.code or not all(headers.get(name) for name in ("host", "stream", "type")):
        return None
    seq = headers.get("seq", "")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 19):
        return None
    return Record(
        host=headers["host"], stream=headers["stream"], seq=int(seq), type=headers["type"], at=at, event=None,
        identity=headers.get("identity"),
    )  # fmt: skip


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
