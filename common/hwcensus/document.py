"""Device documents as bytes: hardened reading, the one way of writing, digests, and the facts read off a document.

Works on XML elements, so that a collector can read fifty thousand a second without making objects of them; typed
devices are in `codec.py`. Validation is in `schema.py`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from lxml import etree

from hwcensus.classes import BUSES, CAPABILITIES
from hwcensus.device import Device, Part
from hwcensus.errors import InvalidDocument
from hwcensus.fact import Fact, Value
from hwcensus.identity import is_bogus
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


def to_bytes(element: etree._Element) -> bytes:
    """The element as a document of its own: UTF-8, LF, two-space indent, root at column 0, no final newline."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=False, pretty_print=True, with_tail=False).rstrip(
        b"\n"
    )


@dataclass(frozen=True, kw_only=True)
class Document:
    """A device document taken apart: what the digest covers, and what changes while the hardware stays the same."""

    #: The canonical bytes that are hashed: without `<key>` and every `<state>`.
    facts: bytes
    #: `<key>` and every `<state>` in document order, joined by LF.
    state: bytes
    #: SHA-256 of each.
    digest: bytes
    state_hash: bytes


def take_apart(device: etree._Element) -> Document:
    """The digests of a `<device>` element, which loses its `<key>` and every `<state>` by it."""
    moving = list(device.iter("key", "state"))
    state = b"\n".join(to_bytes(element) for element in moving)
    for element in moving:
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
    facts = to_bytes(device)
    return Document(
        facts=facts,
        state=state,
        digest=hashlib.sha256(facts).digest(),
        state_hash=hashlib.sha256(state).digest(),
    )


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """A serial, WWN, MAC, …: the part *is* it (`own`) or is reached through it."""

    kind: str
    value: str
    own: bool


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

    def flat(self) -> Iterator[tuple[str, str]]:
        """Every path with its value as text, for comparing."""
        for part in (self.frame, self.facts, self.state):
            for path, value in part.items():
                yield path, repr(value)


@dataclass(frozen=True)
class _Table:
    """A shape, ready for look-up by tag."""

    prefix: str
    slots: dict[str, Slot]
    attributes: tuple[Fact, ...]


_TABLES: dict[tuple[type, str], _Table] = {}


def _table(cls: type, prefix: str) -> _Table:
    table = _TABLES.get((cls, prefix))
    if table is None:
        shape = shape_of(cls)
        table = _Table(prefix, {slot.tag: slot for slot in shape.slots}, shape.attributes)
        _TABLES[cls, prefix] = table
    return table


def survey(device: etree._Element) -> Survey:
    """All facts of a `<device>` element that the schema has accepted; puts attributes into schema order on the way.

    Raises InvalidDocument for an element, attribute or type that no class has.
    """
    found = Survey()
    table = _table(Device, "")
    for child in device:
        if child.tag in ("bus", "capability"):
            _survey_part(child, found)
        elif child.tag == "state":
            _survey_state(child, "device", _table(Device.state_class, "device."), found)
        else:
            _survey_leaf(child, table, found.frame, found)
    return found


def _survey_part(element: etree._Element, found: Survey) -> None:
    type_ = element.get("type", "")
    cls: type[Part] | None = (BUSES if element.tag == "bus" else CAPABILITIES).get(type_)
    if cls is None:
        raise InvalidDocument(f"<{element.tag} type={type_!r}> is not a type of {element.tag} we know")
    if element.tag == "bus":
        found.bus = type_
    else:
        found.capabilities.append(type_)
    table = _table(cls, f"{type_}.")
    for child in element:
        if child.tag == "capability":
            _survey_part(child, found)
        elif child.tag == "state":
            _survey_state(child, type_, _table(cls.state_class, f"{type_}."), found)
        else:
            _survey_leaf(child, table, found.facts, found)
    if type_ == "fc" and found.facts.get("fc.vports.max"):
        found.capabilities.append("vports")


def _survey_state(element: etree._Element, type_: str, table: _Table, found: Survey) -> None:
    _order(element, table.attributes)
    for fact in table.attributes:
        text = element.get(str(fact.attribute))
        if text is not None:
            found.state[f"{type_}.{fact.label}"] = fact.kind.read(text)
    for child in element:
        _survey_leaf(child, table, found.state, found)


def _survey_leaf(child: etree._Element, table: _Table, into: dict[str, JsonValue], found: Survey) -> None:
    slot = table.slots.get(str(child.tag))
    if slot is None:
        raise InvalidDocument(f"<{child.tag}> has no place in {table.prefix.rstrip('.') or 'device'}")
    if slot.repeated:
        values = into.setdefault(f"{table.prefix}{slot.tag}", [])
        if isinstance(values, list):
            values.append(child.text or "")
        return
    if slot.attributes:
        _order(child, slot.attributes)
    for fact in slot.facts:
        text = child.text if fact.attribute is None else child.get(fact.attribute)
        if text is None:
            continue
        if len(text) > MAX_TEXT:
            raise InvalidDocument(f"{table.prefix}{fact.label}: {len(text)} characters, at most {MAX_TEXT}")
        into[table.prefix + fact.label] = fact.kind.read(text)
        if fact.identifier is not None and not is_bogus(text):
            own = fact.own and (fact.own_if is None or child.get(fact.own_if) == "yes")
            found.identifiers.append(Identifier(kind=fact.identifier, value=text, own=own))


def _order(element: etree._Element, facts: tuple[Fact, ...]) -> None:
    """Puts the attributes into schema order, so that equal facts give equal bytes."""
    if len(element.attrib) < 2:
        return
    given = {str(name): str(value) for name, value in element.attrib.items()}
    ordered = [name for name in (str(fact.attribute) for fact in facts) if name in given]
    if list(given) != ordered:
        element.attrib.clear()
        for name in ordered:
            element.set(name, given[name])


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


def kind_of_change(old: Survey, new: Survey) -> str:
    """`facts`, `renumbered` (only handles differ) or `state` (only key and state differ); see docs/protocol.md."""
    differing = {path for path in changed_paths(old, new) if path != "key"} - set(old.state) - set(new.state)
    if differing - handle_paths():
        return "facts"
    return "renumbered" if differing else "state"
