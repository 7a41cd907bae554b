"""Typed devices to XML elements and back, by the shapes of their classes.

Reading expects an element that the schema has accepted (`schema.validate`); what the schema cannot see raises
`InvalidDocument` all the same. Serialising and hashing are in `document.py`.
"""

from typing import Any, cast

from lxml import etree

from hwcensus.classes import BUSES, CAPABILITIES
from hwcensus.device import Bus, Capability, Device, Part, State
from hwcensus.errors import InvalidDocument
from hwcensus.fact import Fact
from hwcensus.shape import Slot, shape_of


def write_device(device: Device) -> etree._Element:
    """The `<device>` element, children and attributes in schema order."""
    root = etree.Element("device")
    _write_facts(root, device)
    if device.bus is not None:
        root.append(_write_part("bus", device.bus))
    for capability in device.capabilities:
        root.append(_write_part("capability", capability))
    _write_state(root, device.state)
    return root


def _write_part(tag: str, part: Part) -> etree._Element:
    element = etree.Element(tag, {"type": part.type_})
    _write_facts(element, part)
    for inner in part.nested:
        element.append(_write_part("capability", inner))
    _write_state(element, part.state)
    return element


def _write_state(parent: etree._Element, state: State | None) -> None:
    if state is None:
        return
    element = etree.Element("state")
    for fact in shape_of(type(state)).attributes:
        _set(element, fact, state)
    _write_facts(element, state)
    if len(element) or len(element.attrib):
        parent.append(element)


def _write_facts(parent: etree._Element, owner: object) -> None:
    for slot in shape_of(type(owner)).slots:
        if slot.repeated:
            _write_list(parent, slot, owner)
        else:
            _write_slot(parent, slot, owner)


def _write_list(parent: etree._Element, slot: Slot, owner: object) -> None:
    fact = cast(Fact, slot.text)
    for value in getattr(owner, fact.field):
        etree.SubElement(parent, slot.tag).text = fact.kind.write(value)


def _write_slot(parent: etree._Element, slot: Slot, owner: object) -> None:
    element = etree.Element(slot.tag)
    for fact in slot.attributes:
        _set(element, fact, owner)
    text = None if slot.text is None else getattr(owner, slot.text.field)
    if text is not None and slot.text is not None:
        element.text = slot.text.kind.write(text)
    if text is not None or len(element.attrib):
        parent.append(element)


def _set(element: etree._Element, fact: Fact, owner: object) -> None:
    value = getattr(owner, fact.field)
    if value is not None:
        element.set(cast(str, fact.attribute), fact.kind.write(value))


def read_device(root: etree._Element) -> Device:
    """The device that a `<device>` element describes.

    Raises InvalidDocument for a type of bus or capability that is not in `classes`.
    """
    bus = root.find("bus")
    return Device(
        **_read_facts(root, Device),
        bus=None if bus is None else cast(Bus, _read_part(bus)),
        capabilities=_read_nested(root),
        state=_read_state(root, Device.state_class),
    )


def _read_nested(parent: etree._Element) -> tuple[Capability, ...]:
    return tuple(cast(Capability, _read_part(child)) for child in parent.iterchildren("capability"))


def _read_part(element: etree._Element) -> Part:
    known: dict[str, type[Bus]] | dict[str, type[Capability]] = BUSES if element.tag == "bus" else CAPABILITIES
    type_ = element.get("type", "")
    cls = known.get(type_)
    if cls is None:
        raise InvalidDocument(f"<{element.tag} type={type_!r}> is not a type of {element.tag} we know")
    return cls(
        **_read_facts(element, cls),
        nested=_read_nested(element),
        state=_read_state(element, cls.state_class),
    )


def _read_state(parent: etree._Element, cls: type[State]) -> State | None:
    element = parent.find("state")
    if element is None:
        return None
    own: dict[str, Any] = {fact.field: _value(fact, element) for fact in shape_of(cls).attributes}
    return cls(**_read_facts(element, cls), **own)


def _read_facts(parent: etree._Element, cls: type) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for slot in shape_of(cls).slots:
        if slot.repeated:
            fact = cast(Fact, slot.text)
            values[fact.field] = tuple(_read(fact, child.text) for child in parent.iterchildren(slot.tag))
            continue
        element = parent.find(slot.tag)
        values |= {fact.field: None if element is None else _value(fact, element) for fact in slot.facts}
    return values


def _value(fact: Fact, element: etree._Element) -> object:
    return _read(fact, element.text if fact.attribute is None else element.get(fact.attribute))


def _read(fact: Fact, text: str | None) -> object:
    return None if text is None else fact.kind.read(text)
