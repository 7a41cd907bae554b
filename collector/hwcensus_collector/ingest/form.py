"""Records of one form: what differs from an accepted record in plain values only is read without parsing it again.

A form is a record's text with its values cut out. It is learned from a record that the schema accepts: with a number in
the place of each value that one is read once more, and where the numbers turn up is where the values of others go.
What is not plain (markup, escapes, other scripts) is no value but part of the form, the same to the letter.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any, cast

from lxml import etree

from hwcensus import document, schema
from hwcensus.document import Document, Identifier, JsonValue, Reader, Survey
from hwcensus.envelope import FORMAT, readers
from hwcensus.errors import InvalidDocument
from hwcensus.event import TYPES, Told, read_event
from hwcensus.identity import identifies
from hwcensus_collector.ingest.record import Known, Message, Reading

#: What stands before a value, and the value: printable ASCII that needs no escape, and no indentation. Types and kinds,
#: yes and no are none, for other things depend on them.
VALUE = re.compile(
    r"""([=>](?<! type=)(?<! format=)(?<! kind=)(?<! changed=)"?)(?!(?:yes|no)["<])"""
    r"""([!#-%'-;=?-~][ !#-%'-;=?-~]*)(?=["<])"""
)
#: Bytes and values of a record that may have a form.
MOST_BYTES, MOST_VALUES = 16 * 1024, 200
#: Forms that are kept; then all are learned anew.
MOST_FORMS = 2000
#: The pattern of an attribute that has none, and for which therefore no value stands.
NEVER = "(?!)"

TOLD = {cls.type_: cls for cls in TYPES.values() if issubclass(cls, Told)}
#: How they begin: in UTF-8, for nothing says otherwise.
BEGINNINGS = tuple(f'<event format="{FORMAT}" type="{type_}" '.encode() for type_ in TOLD)

Pieces = tuple[str, ...]
#: A value by its number in the text, and what it is to be like.
Check = tuple[int, Callable[[str], object]]
Get = Callable[[list[str]], JsonValue]
Field = tuple[str, Callable[[str], Any], int]


class Forms:
    """The forms met lately. One that is met again is learned."""

    def __init__(self) -> None:
        #: Hashes of what was met once.
        self._met: set[int] = set()
        self._forms: dict[Pieces, Form | None] = {}

    def read_all(self, messages: Sequence[Message]) -> list[Known | None]:
        """For each message: what it says, if that can be told by its form."""
        return [self.read(message.value or b"") for message in messages]

    def read(self, raw: bytes) -> Known | None:
        """What the record says, if it has a form that is known and nothing is wrong with it."""
        if not raw.startswith(BEGINNINGS) or len(raw) > MOST_BYTES:
            return None
        try:
            pieces = VALUE.split(raw.decode())
            values = pieces[2::3]
            del pieces[2::3]
            form = self._forms.get(tuple(pieces))
            if form is not None:
                return form.fill(values)
            if len(values) <= MOST_VALUES:
                self._meet(raw, tuple(pieces))
        except (UnicodeDecodeError, InvalidDocument):
            pass
        return None

    def _meet(self, raw: bytes, pieces: Pieces) -> None:
        seen = hash(pieces)
        if seen not in self._met:
            if len(self._met) == MOST_FORMS:
                self._met.clear()
                self._forms.clear()
            self._met.add(seen)
        elif pieces not in self._forms:
            self._forms[pieces] = None
            self._forms[pieces] = learn(raw, pieces)


class Template:
    """Text with places for values."""

    def __init__(self, text: str, places: list[int]) -> None:
        self._text, self._places = text, places

    def fill(self, values: list[str]) -> bytes:
        return (self._text % tuple([values[place] for place in self._places])).encode()


@dataclass(frozen=True, kw_only=True)
class Form:
    """Where the values of its records go, by their number in the text; behind them come the constants."""

    checks: list[Check]
    constants: list[str]
    event: type[Told]
    fields: list[Field]
    frame: list[tuple[str, Get]]
    facts: list[tuple[str, Get]]
    state: list[tuple[str, Get]]
    capabilities: list[str]
    bus: str | None
    known_by: list[tuple[str, int, bool]]
    xml: Template
    hashed: Template
    state_hashed: Template

    def fill(self, values: list[str]) -> Known | None:
        """What the record with these values says. Raises InvalidDocument for a time that is none."""
        for place, matches in self.checks:
            if not matches(values[place]):
                return None
        values = values + self.constants
        event = self.event(device=None, **{name: read(values[place]) for name, read, place in self.fields})
        survey = Survey(
            frame={path: get(values) for path, get in self.frame},
            facts={path: get(values) for path, get in self.facts},
            state={path: get(values) for path, get in self.state},
            capabilities=list(self.capabilities),
            identifiers=[
                Identifier(kind, values[place], own)
                for kind, place, own in self.known_by
                if identifies(kind, values[place])
            ],
            bus=self.bus,
        )
        survey.derive()
        parts = Document.of(self.hashed.fill(values), self.state_hashed.fill(values))
        return event, Reading(survey, self.xml.fill(values), parts)


def learn(raw: bytes, pieces: Pieces) -> Form | None:
    """The form of a record of which these are the pieces; None where one of its values is not the whole of a fact.

    Raises InvalidDocument for a record that is not accepted.
    """
    read_event(raw)
    numbers = _Numbers(len(pieces) // 2)
    root = document.parse(numbers.between(pieces))
    event, device = TOLD[str(root.get("type"))], root[0]
    outline = _Outline(numbers=numbers)
    document.walk(device, outline)
    fields = list(_fields(root, event, numbers))
    xml, parts = document.to_bytes(device), document.take_apart(device)
    form = Form(
        checks=numbers.checks,
        constants=numbers.constants,
        event=event,
        fields=fields,
        frame=outline.gets(outline.frame),
        facts=outline.gets(outline.facts),
        state=outline.gets(outline.state),
        capabilities=outline.capabilities,
        bus=outline.bus,
        known_by=outline.known_by,
        xml=numbers.template(xml),
        hashed=numbers.template(parts.facts),
        state_hashed=numbers.template(parts.state),
    )
    return None if numbers.lost else form


def _fields(root: etree._Element, event: type, numbers: "_Numbers") -> Iterator[Field]:
    known, patterns = readers(event), schema.patterns(str(root.get("type")))
    for name, text in cast("list[tuple[str, str]]", root.items()):
        if name in known:
            field_, read = known[name]
            yield field_, read, numbers.place(text, patterns.get(name, NEVER))


class _Numbers:
    """Numbers in the place of values. Nobody can guess them: where one turns up, there goes its value."""

    def __init__(self, count: int) -> None:
        self._nonce = str(10**15 + secrets.randbelow(10**15))
        self._places = {f"{self._nonce}{i:03}": i for i in range(count)}
        #: Those that have not turned up.
        self.lost = set(range(count))
        self.constants: list[str] = []
        self.checks: list[Check] = []

    def between(self, pieces: Pieces) -> bytes:
        """A record's text with the numbers for its values."""
        befores, ends = pieces[1::2], pieces[2::2]
        rest = zip(befores, self._places, ends, strict=True)
        return "".join([pieces[0], *chain.from_iterable(rest)]).encode()

    def place(self, text: str, pattern: str | None) -> int:
        """The place of the value that the text stands for, checked by that pattern; a text of its own is a constant."""
        place = self._places.get(text)
        if place is None:
            self.constants.append(text)
            return len(self._places) + len(self.constants) - 1
        self.lost.discard(place)
        if pattern is not None:
            self.checks.append((place, re.compile(pattern, re.ASCII).fullmatch))
        return place

    def template(self, written: bytes) -> Template:
        """What was written with the numbers, ready for values."""
        parts = re.split(rf"({self._nonce}\d\d\d)", written.decode())
        text = "%s".join(part.replace("%", "%%") for part in parts[::2])
        return Template(text, [self._places[number] for number in parts[1::2]])


@dataclass(kw_only=True)
class _Outline(Survey):
    """A survey that notes where the facts stand."""

    numbers: _Numbers
    known_by: list[tuple[str, int, bool]] = field(default_factory=list)
    _noted: list[tuple[dict[str, JsonValue], Reader, int]] = field(default_factory=list)

    def note(self, into: dict[str, JsonValue], reader: Reader, text: str, element: etree._Element) -> None:
        place = self.numbers.place(text, reader.pattern)
        self._noted.append((into, reader, place))
        if reader.identifier is not None:
            self.known_by.append((reader.identifier, place, reader.owns(element)))

    def gets(self, part: dict[str, JsonValue]) -> list[tuple[str, Get]]:
        """How each fact of the frame, the facts or the state is got out of the values."""
        places: dict[Reader, list[int]] = {}
        for into, reader, place in self._noted:
            if into is part:
                places.setdefault(reader, []).append(place)
        return [(reader.path, _get(reader, at)) for reader, at in places.items()]


def _get(reader: Reader, places: list[int]) -> Get:
    if reader.repeated:
        return lambda values: [values[place] for place in places]
    last, read = places[-1], reader.read
    return itemgetter(last) if read is None else lambda values: read(values[last])
