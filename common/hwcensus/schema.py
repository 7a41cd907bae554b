"""The RELAX NG schema of everything on the wire: made from the classes, kept beside them, compiled on first use.

`python -m hwcensus.schema` writes `schema/` anew: for every module of `classes/` a compact source (`.rnc`) and the
XML form (`.rng`). The starts (`device.rnc`, `event.rnc`, `command.rnc`) are
written by hand. A test holds both in step.
"""

import copy
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lxml import etree

from hwcensus.classes import BUSES, CAPABILITIES
from hwcensus.device import Device, Part, State
from hwcensus.errors import InvalidDocument
from hwcensus.fact import Fact, Kind
from hwcensus.shape import Shape, Slot, shape_of

RNG = "http://relaxng.org/ns/structure/1.0"
FOLDER = Path(__file__).parent / "schema"
#: Documents a schema starts with.
STARTS = ("device", "event", "command")


@cache
def _compiled(start: str) -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(FOLDER / f"{start}.rng"))


def validate(element: etree._Element, start: str) -> None:
    """Checks an element against the schema of `device`, `event` or `command`.

    Raises InvalidDocument naming line, element and what was expected.
    """
    schema = _compiled(start)
    if schema.validate(element):
        return
    first = schema.error_log[0] if len(schema.error_log) else None
    where = "" if first is None else f" (line {first.line}): {first.message}"
    raise InvalidDocument(f"<{element.tag}> breaks the schema of {start}{where}", code="schema")


def accepts_all(batch: etree._Element) -> bool:
    """Whether every grandchild of a `<batch>` is a valid event (see `event.read_events`); which one is not, it cannot
    say."""
    return bool(_compiled_batch().validate(batch))


@cache
def _compiled_batch() -> etree.RelaxNG:
    grammar = etree.parse(FOLDER / "event.rng").getroot()
    start = grammar.find("{*}start")
    assert start is not None
    one = copy.deepcopy(start[0])
    start[:] = [_element("batch", etree.Element(f"{{{RNG}}}zeroOrMore"))]
    start[0][0].append(_element("r", etree.Element(f"{{{RNG}}}attribute", name="n"), one))
    return etree.RelaxNG(grammar)


@cache
def patterns(define: str) -> dict[str, str]:
    """By attribute: the pattern that its values have. `define` is one of event.rnc, such as a type of event."""
    definition, found = _definition_of(define), {}
    for attribute in definition.iter("{*}attribute"):
        ref = attribute.find("{*}ref")
        data = attribute if ref is None else _definition_of(ref.get("name", ""))
        pattern = data.findtext(".//{*}param[@name='pattern']")
        if pattern is not None:
            found[attribute.findtext("{*}name", "")] = pattern
    for ref in definition.iterchildren("{*}ref"):
        if ref.get("name") != "device":
            found |= patterns(ref.get("name", ""))
    return found


def _definition_of(name: str) -> etree._Element:
    found = _grammar().find(f"{{*}}define[@name='{name}']")
    assert found is not None, name
    return found


@cache
def _grammar() -> etree._Element:
    return etree.parse(FOLDER / "event.rng").getroot()


def _element(name: str, *content: etree._Element) -> etree._Element:
    element = etree.Element(f"{{{RNG}}}element", name=name)
    element.extend(content)
    return element


def compact(module: str) -> str:
    """The compact schema of one module of `classes/`."""
    parts = [cls for cls in _all_parts() if _module(cls) == module]
    return "".join(_definition(cls) for cls in parts)


def compact_frame() -> str:
    """The compact schema of the `<device>` element, with every class by reference and no start."""
    includes = "".join(f'include "{module}.rnc"\n' for module in modules())
    slots = _lines(_slot(slot) for slot in shape_of(Device).slots)
    return (
        f"{includes}"
        f"device = element device {{\n{slots},\n  bus?,\n  capability*,\n  state.device?\n}}\n"
        f"state.device = {_state(State)}\n"
        f"bus = {_choice(f'bus.{type_}' for type_ in BUSES)}\n"
        f"capability = {_choice(f'capability.{cls.type_}' for cls in CAPABILITIES.values() if not cls.within)}\n"
    )


def modules() -> tuple[str, ...]:
    """The modules of `classes/`, each of which has a schema file."""
    return tuple(dict.fromkeys(_module(cls) for cls in _all_parts()))


def _all_parts() -> list[type[Part]]:
    return [*BUSES.values(), *CAPABILITIES.values()]


def _module(cls: type) -> str:
    return cls.__module__.rpartition(".")[2]


def _definition(cls: type[Part]) -> str:
    tag = "bus" if cls in BUSES.values() else "capability"
    inner = [f"capability.{other.type_}" for other in CAPABILITIES.values() if cls.type_ in other.within]
    body = [
        f'  attribute type {{ "{cls.type_}" }}',
        *(f"  {_slot(slot)}" for slot in shape_of(cls).slots),
        *([f"  ({_choice(inner)})*"] if inner and tag == "capability" else []),
        f"  {_state(cls.state_class)}?",
    ]
    return f"{tag}.{cls.type_} = element {tag} {{\n" + ",\n".join(body) + "\n}\n"


def _state(cls: type[State]) -> str:
    shape: Shape = shape_of(cls)
    inner = [_attribute(fact) for fact in shape.attributes] + [_slot(slot) for slot in shape.slots]
    return "element state { " + ", ".join(inner) + " }"


def _slot(slot: Slot) -> str:
    inner = [_attribute(fact) for fact in slot.attributes]
    if slot.text is not None:
        data = _data(slot.text.kind)
        inner.append(data if not slot.attributes or slot.text.required else f"({data} | empty)")
    many = "*" if slot.repeated else "" if slot.required else "?"
    return f"element {slot.tag} {{ {', '.join(inner)} }}{many}"


def _attribute(fact: Fact) -> str:
    return f"attribute {fact.attribute} {{ {_data(fact.kind)} }}{'' if fact.required else '?'}"


def _data(kind: Kind) -> str:
    if kind.pattern is None:
        return 'xsd:string { minLength = "1" }'
    if kind.name == "yes-no":
        return '("yes" | "no")'
    return f'xsd:string {{ pattern = "{kind.pattern}" }}'


def _choice(names: Iterable[str]) -> str:
    return " | ".join(names)


def _lines(parts: Iterable[str]) -> str:
    return ",\n".join(f"  {part}" for part in parts)


def write(folder: Path) -> None:
    """Writes every schema file: compact sources of the classes, then the XML form of all."""
    import rnc2rng  # a tool of development, not needed where schemas are only read

    for module in modules():
        (folder / f"{module}.rnc").write_text(compact(module))
    (folder / "frame.rnc").write_text(compact_frame())
    for source in sorted(folder.glob("*.rnc")):
        with source.open() as stream:
            source.with_suffix(".rng").write_text(rnc2rng.dumps(rnc2rng.load(stream)))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
