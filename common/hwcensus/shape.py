"""How the facts of one class stand in XML: its elements in order, each with its text and its attributes.

Worked out once a class from its fields, and used alike by the codec, the schema and the survey of documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hwcensus.fact import Fact, facts_of


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One child element: the fact in its text, if any, and those in its attributes, in schema order."""

    tag: str
    text: Fact | None
    attributes: tuple[Fact, ...]

    @property
    def repeated(self) -> bool:
        return self.text is not None and self.text.repeated

    @property
    def required(self) -> bool:
        return any(fact.required for fact in self.facts)

    @property
    def facts(self) -> Iterator[Fact]:
        yield from self.attributes
        if self.text is not None:
            yield self.text


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The attributes of the class's own element, then its child elements in order."""

    attributes: tuple[Fact, ...]
    slots: tuple[Slot, ...]


_SHAPES: dict[type, Shape] = {}


def shape_of(cls: type) -> Shape:
    """The shape of a device, part or state class."""
    if cls not in _SHAPES:
        _SHAPES[cls] = _make(cls)
    return _SHAPES[cls]


def _make(cls: type) -> Shape:
    facts = facts_of(cls)
    tags = dict.fromkeys(fact.element for fact in facts if fact.element)
    return Shape(
        attributes=tuple(fact for fact in facts if not fact.element),
        slots=tuple(_slot(tag, [fact for fact in facts if fact.element == tag]) for tag in tags),
    )


def _slot(tag: str, facts: list[Fact]) -> Slot:
    texts = [fact for fact in facts if fact.attribute is None]
    return Slot(
        tag=tag,
        text=texts[0] if texts else None,
        attributes=tuple(fact for fact in facts if fact.attribute is not None),
    )
