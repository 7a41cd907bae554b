"""One device for people, or its document, in our form or in libvirt's."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from lxml import etree

from hwcensus import document
from hwcensus.document import JsonValue, Survey
from hwcensus_agent.enumerate import Described
from hwcensus_agent.local.visible import visible

Elements = Mapping[str, etree._Element]


def _ours(devices: Sequence[Described]) -> Elements:
    return {one.name: one.element for one in devices}


def _libvirts(devices: Sequence[Described]) -> Elements:
    from hwcensus.libvirt import translate  # the agent that runs has no use for it

    return translate([one.device for one in devices])


#: Form → name and `<device>` element of those of a host's devices that can be written in it.
FORMATS: Mapping[str, Callable[[Sequence[Described]], Elements]] = {"hwcensus": _ours, "libvirt": _libvirts}


def dump(elements: Sequence[etree._Element], *, bare: bool) -> str:
    """The documents as XML: a `<devices>` element, or where `bare` the one `<device>`."""
    if bare:
        return document.to_bytes(elements[0]).decode()
    root = etree.Element("devices")
    root.extend(elements)
    return document.to_bytes(root).decode()


def show(one: Described, output: str) -> str:
    """The facts of one device as `text`, `json` or `xml`."""
    if output == "xml":
        return dump([one.element], bare=True)
    survey = document.survey(one.element)
    if output == "json":
        return json.dumps(_object(one, survey), ensure_ascii=False, indent=2)
    lines = list(_lines(one, survey))
    width = max(len(path) for path, _ in lines)
    return "\n".join(f"{path:{width}}  {value}" for path, value in lines)


def _object(one: Described, survey: Survey) -> dict[str, object]:
    return {
        "identity": one.identity,
        **survey.frame,
        "bus": survey.bus,
        "capabilities": survey.capabilities,
        "facts": survey.facts,
        "state": survey.state,
        "identifiers": [{"kind": i.kind, "value": i.value, "own": i.own} for i in survey.identifiers],
    }


def _lines(one: Described, survey: Survey) -> Iterator[tuple[str, str]]:
    yield "identity", one.identity
    for path, value in survey.frame.items():
        yield path, _text(value)
    if survey.bus is not None:
        yield "bus", survey.bus
    if survey.capabilities:
        yield "capabilities", " ".join(survey.capabilities)
    for path, value in survey.facts.items():
        yield path, _text(value)
    for path, value in survey.state.items():
        yield f"{path} (now)", _text(value)


def _text(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(" ".join(value) if isinstance(value, list) else str(value))
