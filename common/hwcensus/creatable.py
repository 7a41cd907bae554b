"""What `create` takes, by what the document alone shows: one line a class, used by collector and agent alike.

What only the host knows (name taken, policy) is not decided here.
"""

from collections.abc import Callable

from lxml import etree

from hwcensus import document, schema
from hwcensus.errors import InvalidDocument
from hwcensus.names import COMPUTER

#: Bytes of an interface name with its closing zero (IFNAMSIZ, linux/if.h).
_IFNAMSIZ = 16


def check_interface_name(name: str) -> None:
    """The kernel's own rule, dev_valid_name() in net/core/dev.c. Raises InvalidDocument."""
    if len(name.encode()) >= _IFNAMSIZ:
        raise InvalidDocument(
            f"interface name {name!r} has {len(name.encode())} bytes, the kernel takes at most {_IFNAMSIZ - 1}",
            code="name-too-long",
        )
    # '%' is no part of that rule: the kernel takes a name with it for a pattern, and picks another.
    if name in ("", ".", "..") or any(char in "/:%" or char.isspace() for char in name):
        raise InvalidDocument(
            f"interface name {name!r} is not one the kernel takes: no '/', ':', '%' or blank, not '.' or '..'",
            code="bad-name",
        )


def _check_bridge(device: etree._Element) -> None:
    """A name and nothing else: a fact that would be given and not obeyed is refused."""
    net, *more = device.findall("capability")
    if more or net.get("type") != "net":
        raise InvalidDocument("a bridge has one capability at the top, net", code="bad-creation")
    check_interface_name(net.findtext("interface") or "")
    if device.findtext("parent") not in (None, COMPUTER):
        raise InvalidDocument(f"a bridge has no parent but {COMPUTER!r}", code="bad-parent")
    for fact in _further(net):
        text = f"<{fact.tag}> cannot be chosen for a new bridge, only its interface name"
        raise InvalidDocument(text, code="bad-creation")


def _further(net: etree._Element) -> list[etree._Element]:
    """What stands in a net capability besides its interface, and an empty 80203 or bridge."""
    plain = [inner for inner in net.iterchildren("capability") if inner.get("type") in ("80203", "bridge")]
    inside = [fact for inner in plain for fact in inner]
    return inside + [child for child in net if child.tag != "interface" and child not in plain]


#: Creatable type → check of the document.
CREATABLE: dict[str, Callable[[etree._Element], None]] = {
    "bridge": _check_bridge,
}


def check_creation(device: etree._Element) -> str:
    """Checks a creation document as far as it alone shows, and tells its creatable type. Raises InvalidDocument."""
    type_ = creatable_type(device)
    CREATABLE[type_](device)
    return type_


def creatable_type(device: etree._Element) -> str:
    """The innermost capability of a creation document that can be created.

    Raises InvalidDocument (`not-creatable`) naming what was asked for and what there is.
    """
    types = [str(capability.get("type")) for capability in device.iter("capability")]
    for type_ in types:
        if type_ in CREATABLE:
            return type_
    raise InvalidDocument(
        f"a device with capabilities {', '.join(types) or '(none)'} cannot be created; can be: {', '.join(CREATABLE)}",
        code="not-creatable",
    )


def read_creation(raw: bytes) -> etree._Element:
    """The creation document a person gives, checked as far as it alone shows. Raises InvalidDocument."""
    device = document.parse(raw)
    schema.validate(device, "command")
    if device.tag != "device":
        raise InvalidDocument(f"<{device.tag}> is not a <device>", code="schema")
    check_creation(device)
    return device
