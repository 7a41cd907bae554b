"""Device documents as bytes: hardened reading, the one way of writing, digests, and the facts read off a document.

Works on XML elements, so that a collector can read fifty thousand a second without making objects of them; typed
devices are in `codec.py`. Validation is in `schema.py`.
"""

import hashlib
import secrets
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple, cast

from lxml import etree

from hwcensus.classes import BUSES, CAPABILITIES
from hwcensus.device import Device, Part
from hwcensus.errors import InvalidDocument
from hwcensus.fact import Fact, Value
from hwcensus.identity import identifies
from hwcensus.shape import Slot, shape_of

#: Bytes of XML that are looked at: Kafka's largest record (topics.py) bounds what is compressed, this what comes out.
MAX_BYTES = 8 * 1024 * 1024
#: Bytes of one text or attribute. libxml2's own limit is 10 MB, far above any fact.
MAX_TEXT = 64 * 1024

_PARSER = etree.XMLParser(
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    huge_tree=False,
    remove_blank_text=True,
    remove_comments=True,
    remove_pis=True,
)

JsonValue = Value | list[str]
#: The capability that no element has: it is there where `<vports max>` is above zero.
DERIVED = "vports"


def parse(raw: bytes) -> etree._Element:
    """The root element of XML from a stranger: no DOCTYPE, no entities, no network, bounded size and depth.

    Raises InvalidDocument with what is wrong and where (line and column).
    """
    if len(raw) > MAX_BYTES:
        raise InvalidDocument(f"{len(raw)} bytes of XML, at most {MAX_BYTES} are read", code="document-too-large")
    try:
        root = etree.fromstring(raw, _PARSER)
    except etree.XMLSyntaxError as error:
        raise InvalidDocument(f"not well-formed XML: {error.msg}", code="not-xml") from error
    except ValueError as error:
        raise InvalidDocument(f"not XML: {error}", code="not-xml") from error
    if b"<!DOCTYPE" in raw or root.getroottree().docinfo.internalDTD is not None:
        raise InvalidDocument("a DOCTYPE has no place in this format", code="doctype")
    return root


def parse_all(raws: Sequence[bytes]) -> etree._Element | None:
    """Many documents in one piece, `<batch><r n="…">document</r>…</batch>`, so that the work is one call into libxml2.

    None where they are to be looked at one by one: something is wrong with one of them, or it reaches out of its
    place. (Nobody can guess the numbers, so nobody's document can end its own `<r>` and begin another.) What is more
    than a document, an empty CDATA section beside its root, is well-formed here only, and leaves an empty text.
    """
    if any(b"<!DOCTYPE" in raw or len(raw) > MAX_BYTES for raw in raws):
        return None
    nonce = secrets.token_hex(8)
    parts = [b'<r n="%s-%d">%s</r>' % (nonce.encode(), i, raw) for i, raw in enumerate(raws)]
    try:
        root = etree.fromstring(b"<batch>%s</batch>" % b"".join(parts), _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        return None
    whole = len(root) == len(raws) and all(_holds_one(r, f"{nonce}-{i}") for i, r in enumerate(root))
    return root if whole else None


def _holds_one(r: etree._Element, number: str) -> bool:
    return r.tag == "r" and r.get("n") == number and len(r) == 1 and r.text is None and r[0].tail is None


def to_bytes(element: etree._Element) -> bytes:
    """The element as a document of its own: UTF-8, LF, two-space indent, root at column 0, no final newline."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=False, pretty_print=True, with_tail=False).rstrip(
        b"\n"
    )


class Document(NamedTuple):
    """A device document taken apart: what the digest covers, and what changes while the hardware stays the same."""

    #: The canonical bytes that are hashed: without `<key>` and every `<state>`.
    facts: bytes
    #: `<key>` and every `<state>` in document order, joined by LF.
    state: bytes
    #: SHA-256 of each.
    digest: bytes
    state_hash: bytes

    @classmethod
    def of(cls, facts: bytes, state: bytes) -> "Document":
        """With the digests."""
        return cls(facts, state, hashlib.sha256(facts).digest(), hashlib.sha256(state).digest())


def take_apart(device: etree._Element) -> Document:
    """The digests of a `<device>` element, which loses its `<key>` and every `<state>` by it."""
    moving = list(device.iter("key", "state"))
    state = b"\n".join(to_bytes(element) for element in moving)
    for element in moving:
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
    return Document.of(to_bytes(device), state)


class Identifier(NamedTuple):
    """A serial, WWN, MAC, …: the part *is* it (`own`) or is reached through it."""

    kind: str
    value: str
    own: bool


class Reader(NamedTuple):
    """How one fact is read, and whether it is an identifier."""

    path: str
    repeated: bool
    #: None for text, which stays as it is.
    read: Callable[[str], Value] | None
    pattern: str | None
    identifier: str | None
    own: bool
    own_if: str | None
    seen_if: str | None

    def owns(self, element: etree._Element) -> bool:
        """Whether the part *is* the identifier that stands in this element."""
        own = self.own and (self.own_if is None or element.get(self.own_if) == "yes")
        return own and (self.seen_if is None or element.get(self.seen_if) != "yes")


@dataclass(kw_only=True)
class Survey:
    """What one document says, by the paths that `where`, JSON and `changed` use.

    `facts` and `state` map path to value; frame facts (name, key, parent, driver, devnode) are in `frame`.
    """

    frame: dict[str, JsonValue] = field(default_factory=dict)
    facts: dict[str, JsonValue] = field(default_factory=dict)
    state: dict[str, JsonValue] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    identifiers: list[Identifier] = field(default_factory=list)
    bus: str | None = None

    def note(self, into: dict[str, JsonValue], reader: Reader, text: str, element: etree._Element) -> None:
        """A fact, as it stands in an element. Raises InvalidDocument for one that is longer than any fact."""
        path, repeated, read, _, identifier, *_ = reader
        if len(text) > MAX_TEXT:
            raise InvalidDocument(f"{path}: {len(text)} characters, at most {MAX_TEXT}")
        if repeated:
            cast("list[str]", into.setdefault(path, [])).append(text)
            return
        into[path] = text if read is None else read(text)
        if identifier is not None and identifies(identifier, text):
            self.identifiers.append(Identifier(kind=identifier, value=text, own=reader.owns(element)))

    def derive(self) -> None:
        """The capability that follows from a fact."""
        if self.facts.get("fc.vports.max"):
            self.capabilities.append(DERIVED)

    def flat(self) -> Iterator[tuple[str, str]]:
        """Every path with its value as text, for comparing."""
        yield from (
            (path, repr(value)) for part in (self.frame, self.facts, self.state) for path, value in part.items()
        )
        yield from self._types()

    def lasting(self) -> Iterator[tuple[str, str]]:
        """The same of what the digest covers: without key and state, which may use a fact's path for another value."""
        yield from ((path, repr(value)) for path, value in self.frame.items() if path != "key")
        yield from ((path, repr(value)) for path, value in self.facts.items())
        yield from self._types()

    def _types(self) -> Iterator[tuple[str, str]]:
        """The capabilities: some say all they say by being there."""
        yield from ((type_, "") for type_ in self.capabilities if type_ != DERIVED)


class _Leaf(NamedTuple):
    """A child element, ready for look-up: what its text and its attributes (in schema order) mean."""

    text: Reader | None
    attributes: dict[str, Reader]
    names: list[str]


class _Table(NamedTuple):
    """A shape, ready for look-up by tag; its own attributes stand as a leaf."""

    prefix: str
    leaves: dict[str, _Leaf]
    own: _Leaf


_TABLES: dict[tuple[type, str], _Table] = {}


def _table(cls: type, prefix: str) -> _Table:
    table = _TABLES.get((cls, prefix))
    if table is None:
        shape = shape_of(cls)
        leaves = {slot.tag: _leaf(prefix, slot) for slot in shape.slots}
        own = _leaf(prefix, Slot(tag="", text=None, attributes=shape.attributes))
        table = _TABLES[cls, prefix] = _Table(prefix, leaves, own)
    return table


def _leaf(prefix: str, slot: Slot) -> _Leaf:
    attributes = {str(fact.attribute): _reader(prefix, fact) for fact in slot.attributes}
    text = None if slot.text is None else _reader(prefix, slot.text)
    return _Leaf(text, attributes, list(attributes))


def _reader(prefix: str, fact: Fact) -> Reader:
    kind = fact.kind
    return Reader(
        path=prefix + fact.label,
        repeated=fact.repeated,
        read=None if kind.read is str else kind.read,
        pattern=kind.pattern,
        identifier=fact.identifier,
        own=fact.own,
        own_if=fact.own_if,
        seen_if=fact.seen_if,
    )


def survey(device: etree._Element) -> Survey:
    """All facts of a `<device>` element that the schema has accepted; puts attributes into schema order on the way.

    Raises InvalidDocument for an element, attribute or type that no class has.
    """
    found = Survey()
    walk(device, found)
    found.derive()
    return found


def walk(device: etree._Element, found: Survey) -> None:
    """Goes through a device for the survey, which notes every fact."""
    table = _table(Device, "")
    for child in device:
        tag = child.tag
        if tag in ("bus", "capability"):
            _survey_part(child, found)
        elif tag == "state":
            _survey_state(child, _table(Device.state_class, "device."), found)
        else:
            _survey_leaf(child, str(tag), table, found.frame, found)


def _survey_part(element: etree._Element, found: Survey) -> None:
    tag, type_ = str(element.tag), element.get("type", "")
    if tag == "bus":
        found.bus = type_
    else:
        found.capabilities.append(type_)
    table, state = _tables_of(tag, type_)
    for child in element:
        tag = str(child.tag)
        if tag == "capability":
            _survey_part(child, found)
        elif tag == "state":
            _survey_state(child, state, found)
        else:
            _survey_leaf(child, tag, table, found.facts, found)


@cache
def _tables_of(tag: str, type_: str) -> tuple[_Table, _Table]:
    """Of a part, and of its state."""
    cls: type[Part] | None = (BUSES if tag == "bus" else CAPABILITIES).get(type_)
    if cls is None:
        raise InvalidDocument(f"<{tag} type={type_!r}> is not a type of {tag} we know")
    return _table(cls, f"{type_}."), _table(cls.state_class, f"{type_}.")


def _survey_state(element: etree._Element, table: _Table, found: Survey) -> None:
    _survey_attributes(element, table.own, found.state, found)
    for child in element:
        _survey_leaf(child, str(child.tag), table, found.state, found)


def _survey_leaf(child: etree._Element, tag: str, table: _Table, into: dict[str, JsonValue], found: Survey) -> None:
    leaf = table.leaves.get(tag)
    if leaf is None:
        raise InvalidDocument(f"<{tag}> has no place in {table.prefix.rstrip('.') or 'device'}")
    if leaf.names:
        _survey_attributes(child, leaf, into, found)
    if leaf.text is not None and (text := child.text) is not None:
        found.note(into, leaf.text, text, child)


def _survey_attributes(element: etree._Element, leaf: _Leaf, into: dict[str, JsonValue], found: Survey) -> None:
    given = cast("list[tuple[str, str]]", element.items())
    if len(given) > 1:
        given = _order(element, given, leaf.names)
    for name, text in given:
        reader = leaf.attributes.get(name)
        if reader is not None:
            found.note(into, reader, text, element)


def _order(element: etree._Element, given: list[tuple[str, str]], names: list[str]) -> list[tuple[str, str]]:
    """Puts the attributes into schema order, so that equal facts give equal bytes."""
    found = [name for name, _ in given]
    if found == names or found == [name for name in names if name in found]:
        return given
    values = dict(given)
    ordered = [(name, values[name]) for name in names if name in values]
    element.attrib.clear()
    for name, text in ordered:
        element.set(name, text)
    return ordered


@cache
def handle_paths() -> frozenset[str]:
    """Paths of the facts that the kernel deals anew: name, numbers of hosts and nodes."""
    frame = {fact.label for slot in shape_of(Device).slots for fact in slot.facts if fact.handle}
    parts = {
        f"{cls.type_}.{fact.label}"
        for known in (BUSES, CAPABILITIES)
        for cls in known.values()
        for slot in shape_of(cls).slots
        for fact in slot.facts
        if fact.handle
    }
    return frozenset(frame | parts)


def changed_paths(old: Survey, new: Survey) -> tuple[str, ...]:
    """The paths of all facts that differ, sorted."""
    return tuple(sorted({path for path, _ in set(old.flat()) ^ set(new.flat())}))


def known_to_one(old: Survey, new: Survey) -> frozenset[str]:
    """The paths that only one of the two tells."""
    told, now = {path for path, _ in old.lasting()}, {path for path, _ in new.lasting()}
    return frozenset(told ^ now)


def kind_of_change(old: Survey, new: Survey, unknown: Container[str] = frozenset()) -> str:
    """`facts`, `redescribed`, `renumbered` (only handles differ) or `state` (only key and state differ).

    `unknown`: paths that whoever told `old` did not know, or read elsewhere; see docs/protocol.md.
    """
    differing = {path for path, _ in set(old.lasting()) ^ set(new.lasting())}
    telling = differing - handle_paths()
    if any(path not in unknown for path in telling):
        return "facts"
    return "redescribed" if telling else "renumbered" if differing else "state"
