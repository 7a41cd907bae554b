"""What an agent tells: the events of docs/protocol.md as values, to XML and back.

Reading validates against the schema; writing does not need to. The headers that repeat the envelope are here too.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from lxml import etree

from hwcensus import document, schema
from hwcensus.envelope import FORMAT, child, read_attributes, write_attributes
from hwcensus.errors import InvalidDocument

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, kw_only=True)
class Event:
    """What every event says: whose stream it is in, and when by the agent's clock."""

    type_: ClassVar[str] = ""
    host: str
    stream: str
    time: datetime

    def children(self) -> Iterable[etree._Element]:
        """The child elements, in schema order."""
        return ()

    @classmethod
    def from_children(cls, element: etree._Element) -> dict[str, Any]:
        """The fields that stand in child elements."""
        return {}

    def to_element(self) -> etree._Element:
        root = etree.Element("event", format=FORMAT, type=self.type_)
        write_attributes(root, self)
        root.extend(list(self.children()))
        return root

    def to_bytes(self) -> bytes:
        return document.to_bytes(self.to_element())

    def headers(self) -> Headers:
        """What Kafka carries beside the value, so that a reader can route, and a broken record still be placed."""
        seq = getattr(self, "seq", None)
        plain = {"type": self.type_, "format": FORMAT, "host": self.host, "stream": self.stream}
        if seq is not None:
            plain["seq"] = str(seq)
        identity = getattr(self, "identity", None)
        if identity is not None:
            plain["identity"] = identity
        return [(name, value.encode()) for name, value in plain.items()]

    @classmethod
    def from_element(cls, root: etree._Element) -> Self:
        return cls(**read_attributes(root, cls), **cls.from_children(root))


@dataclass(frozen=True, kw_only=True)
class Numbered(Event):
    """An event with a place in its stream, counted from 1."""

    seq: int


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What tells one host from another; a piece that cannot be read is left out."""

    system_uuid: str | None = None
    board_serial: str | None = None
    machine_id: str | None = None
    macs: tuple[str, ...] = ()

    def contradicts(self, other: "Evidence") -> bool:
        """Whether a single-valued piece known to both differs, or both have MACs and share none."""
        pairs = [
            (self.system_uuid, other.system_uuid),
            (self.board_serial, other.board_serial),
            (self.machine_id, other.machine_id),
        ]
        if any(mine is not None and theirs is not None and mine != theirs for mine, theirs in pairs):
            return True
        return bool(self.macs and other.macs and not set(self.macs) & set(other.macs))


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """Whether a source of signals works on this host, and why not."""

    name: str
    works: bool
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class AgentState:
    """Which agent speaks: `model` changes when describers do."""

    version: str
    model: str
    kernel: str


@dataclass(frozen=True, kw_only=True)
class Hello(Numbered):
    """A stream begins. Digests and count are those of the published census."""

    type_ = "hello"
    after_stream: str | None = None
    after_seq: int | None = None
    count: int
    digest: str
    state_digest: str
    down_since: datetime | None = None
    boot: str | None = None
    moved_from: int | None = None
    name: str = child()
    evidence: Evidence = child()
    agent: AgentState = child()
    sources: tuple[SourceState, ...] = child(())
    creatable: tuple[str, ...] = child(())
    commands_partition: int | None = child(None)

    def children(self) -> Iterable[etree._Element]:
        name = etree.Element("name")
        name.text = self.name
        yield name
        yield _plain("evidence", self.evidence)
        yield _plain("agent", self.agent)
        yield from (_plain("source", source) for source in self.sources)
        yield from (etree.Element("creatable", type=type_) for type_ in self.creatable)
        if self.commands_partition is not None:
            yield etree.Element("commands", partition=str(self.commands_partition))

    @classmethod
    def from_children(cls, element: etree._Element) -> dict[str, Any]:
        commands = element.find("commands")
        return {
            "name": element.findtext("name"),
            "evidence": Evidence(**read_attributes(_only(element, "evidence"), Evidence)),
            "agent": AgentState(**read_attributes(_only(element, "agent"), AgentState)),
            "sources": tuple(SourceState(**read_attributes(s, SourceState)) for s in element.iterchildren("source")),
            "creatable": tuple(str(c.get("type")) for c in element.iterchildren("creatable")),
            "commands_partition": None if commands is None else int(commands.get("partition", "0")),
        }


def _plain(tag: str, value: object) -> etree._Element:
    element = etree.Element(tag)
    write_attributes(element, value)
    return element


def _only(parent: etree._Element, tag: str) -> etree._Element:
    for element in parent.iterchildren(tag):
        return element
    raise InvalidDocument(f"<{parent.tag}> has no <{tag}>")


@dataclass(frozen=True, kw_only=True)
class Told(Numbered):
    """An event that carries the document of one device, as an element with key and state."""

    identity: str
    #: None where it has been read already.
    device: etree._Element | None = child()

    def children(self) -> Iterable[etree._Element]:
        if self.device is not None:
            yield self.device

    @classmethod
    def from_children(cls, element: etree._Element) -> dict[str, Any]:
        return {"device": _only(element, "device")}


@dataclass(frozen=True, kw_only=True)
class Add(Told):
    """New to the published census."""

    type_ = "add"
    source: str | None = None
    command: str | None = None
    stands_for: int | None = None


@dataclass(frozen=True, kw_only=True)
class Change(Told):
    """Differs from what was published; `changed` are the paths of the facts, `was` a former identity."""

    type_ = "change"
    kind: str
    changed: tuple[str, ...] = ()
    was: str | None = None
    source: str | None = None
    command: str | None = None
    stands_for: int | None = None


@dataclass(frozen=True, kw_only=True)
class Present(Told):
    """The answer to a resync: this is what it looks like."""

    type_ = "present"
    for_: str


@dataclass(frozen=True, kw_only=True)
class Remove(Numbered):
    """Gone."""

    type_ = "remove"
    identity: str
    source: str | None = None
    command: str | None = None
    stands_for: int | None = None
    name: str = child()
    key: str | None = child(None)

    def children(self) -> Iterable[etree._Element]:
        device = etree.Element("device")
        etree.SubElement(device, "name").text = self.name
        if self.key is not None:
            etree.SubElement(device, "key").text = self.key
        yield device

    @classmethod
    def from_children(cls, element: etree._Element) -> dict[str, Any]:
        device = _only(element, "device")
        return {"name": device.findtext("name"), "key": device.findtext("key")}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One device of a manifest: the first 16 bytes of its digest, the first 4 of its state hash."""

    identity: str
    digest: bytes
    state: bytes

    DIGEST_BYTES: ClassVar[int] = 16
    STATE_BYTES: ClassVar[int] = 4


@dataclass(frozen=True, kw_only=True)
class Manifest(Numbered):
    """The whole published census without the documents, in `parts` parts with consecutive seq."""

    type_ = "manifest"
    for_: str | None = None
    part: int
    parts: int
    count: int
    digest: str
    state_digest: str
    entries: tuple[Entry, ...] = child(())

    def children(self) -> Iterable[etree._Element]:
        for entry in self.entries:
            digest, state = base64.b64encode(entry.digest).decode(), base64.b64encode(entry.state).decode()
            yield etree.Element("d", identity=entry.identity, digest=digest, state=state)

    @classmethod
    def from_children(cls, element: etree._Element) -> dict[str, Any]:
        return {"entries": tuple(_entry(d) for d in element.iterchildren("d"))}


def _entry(d: etree._Element) -> Entry:
    return Entry(
        identity=str(d.get("identity")),
        digest=base64.b64decode(d.get("digest", "")),
        state=base64.b64decode(d.get("state", "")),
    )


@dataclass(frozen=True, kw_only=True)
class Gap(Numbered):
    """Signals of a source were lost between two times."""

    type_ = "gap"
    source: str
    from_: datetime
    to: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Heartbeat(Event):
    """Alive, and agrees: `at` is the last acknowledged seq, `rss` bytes, `cpu` a share of one core, `spool` events."""

    type_ = "heartbeat"
    at: int
    count: int
    digest: str
    state_digest: str
    spool: int
    rss: int | None = None
    cpu: float | None = None


@dataclass(frozen=True, kw_only=True)
class Produced:
    """A device that a command made."""

    identity: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Result(Numbered):
    """A step in the life of a command, told by the agent: accepted, succeeded, failed or expired."""

    type_ = "result"
    command: str
    state: str
    code: str | None = None
    text: str | None = child(None)
    produced: tuple[Produced, ...] = child(())

    def children(self) -> Iterable[etree._Element]:
        if self.text is not None:
            text = etree.Element("text")
            text.text = self.text
            yield text
        yield from (_plain("produced", produced) for produced in self.produced)

    @classmethod
    def from_children(cls, element: etree._Element) -> dict[str, Any]:
        produced = tuple(Produced(**read_attributes(p, Produced)) for p in element.iterchildren("produced"))
        return {"text": element.findtext("text"), "produced": produced}


TYPES: dict[str, type[Event]] = {
    cls.type_: cls for cls in (Hello, Add, Change, Remove, Present, Manifest, Gap, Heartbeat, Result)
}


def read_event(raw: bytes) -> Event:
    """The event that a record's value holds.

    Raises InvalidDocument: `not-xml`, `doctype`, `document-too-large`, `unknown-format`, `bad-time` or `schema`.
    """
    return event_of(_checked(raw))


def event_of(root: etree._Element) -> Event:
    """The event of an element that the schema has accepted. Raises InvalidDocument (`bad-time`)."""
    return TYPES[str(root.get("type"))].from_element(root)


def _checked(raw: bytes) -> etree._Element:
    root = document.parse(raw)
    if root.tag == "event" and root.get("format") != FORMAT:
        raise InvalidDocument(
            f"format {root.get('format')!r} is not {FORMAT!r}, the one we read", code="unknown-format"
        )
    schema.validate(root, "event")
    return root


#: Documents, and bytes of them, that are parsed and checked in one piece.
AT_ONCE, AT_ONCE_BYTES = 2000, 4 * 1024 * 1024


def check_events(raws: Sequence[bytes]) -> list[etree._Element | InvalidDocument]:
    """The root of each document that is an event by the schema, or why it is none.

    Where all is well, many are parsed and checked in two calls into libxml2, during which other threads run.
    """
    roots: list[etree._Element | InvalidDocument] = []
    for some in _pieces(raws):
        batch = document.parse_all(some)
        if batch is not None and schema.accepts_all(batch):
            roots.extend(r[0] for r in batch)
        else:
            roots.extend(_check(raw) for raw in some)
    return roots


def _check(raw: bytes) -> etree._Element | InvalidDocument:
    try:
        return _checked(raw)
    except InvalidDocument as error:
        return error


def _pieces(raws: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    first = size = 0
    for i, raw in enumerate(raws):
        if i > first and (i - first == AT_ONCE or size + len(raw) > AT_ONCE_BYTES):
            yield raws[first:i]
            first, size = i, 0
        size += len(raw)
    if raws:
        yield raws[first:]
