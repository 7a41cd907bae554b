"""What `create` takes, by what the document alone shows: a file and a line a class, used by collector and agent alike.

What only the host knows (name taken, policy) is not decided here.
"""

from collections.abc import Callable
from typing import NamedTuple

from lxml import etree

from hwcensus import document, schema
from hwcensus.creatable import bond, bridge, virt_functions, vlan, vport
from hwcensus.errors import InvalidDocument


class Form(NamedTuple):
    """How a creation document asks for a class."""

    #: The capability at the top, and those within it.
    capabilities: tuple[str, ...]
    #: Looks at the rest of the document. Raises InvalidDocument.
    check: Callable[[etree._Element], None]


#: Creatable type → its form.
CREATABLE: dict[str, Form] = {
    "bridge": Form(("net", "bridge"), bridge.check),
    "vlan": Form(("net", "vlan"), vlan.check),
    "bond": Form(("net", "bond"), bond.check),
    "vport": Form(("scsihost", "fc"), vport.check),
    "virt_functions": Form(("pci",), virt_functions.check),
}


def check_creation(device: etree._Element) -> str:
    """Checks a creation document as far as it alone shows, and tells its creatable type. Raises InvalidDocument."""
    type_ = creatable_type(device)
    CREATABLE[type_].check(device)
    return type_


def creatable_type(device: etree._Element) -> str:
    """The class that a creation document asks for.

    Raises InvalidDocument (`no-capability`, `several-capabilities`, `not-creatable`) naming what was asked for and what
    there is.
    """
    tops = [capability.get("type", "(no type)") for capability in device.iterchildren("capability")]
    if not tops:
        raise InvalidDocument("a device without a capability says nothing of what to create", code="no-capability")
    if len(tops) > 1:
        raise InvalidDocument(
            f"one capability is created at a time, not {', '.join(tops)}", code="several-capabilities"
        )
    for type_, form in CREATABLE.items():
        if device.find("/".join(f"capability[@type='{inner}']" for inner in form.capabilities)) is not None:
            return type_
    types = ", ".join(capability.get("type", "(no type)") for capability in device.iter("capability"))
    can = ", ".join(f"{type_} ({' with '.join(form.capabilities)})" for type_, form in CREATABLE.items())
    raise InvalidDocument(f"a device with capability {types} cannot be created; can be: {can}", code="not-creatable")


def read_creation(raw: bytes) -> etree._Element:
    """The creation document a person gives, in our form or libvirt's, checked as far as it alone shows.

    Raises InvalidDocument.
    """
    from hwcensus.libvirt.creation import normal_form  # agents, which import this module, read commands only

    device = document.parse(raw)
    if device.tag != "device":
        raise InvalidDocument(f"<{device.tag}> is not a <device>", code="schema")
    normal_form(device)
    type_ = creatable_type(device)
    schema.validate(device, "command")
    CREATABLE[type_].check(device)
    return device
