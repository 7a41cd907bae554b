"""What `create` takes, by what the document alone shows: one line a class, used by collector and agent alike.

What only the host knows (name taken, policy) is not decided here.
"""

from collections.abc import Callable

from lxml import etree

from hwcensus import document, schema
from hwcensus.errors import InvalidDocument

#: Bytes of an interface name with its closing zero (IFNAMSIZ, linux/if.h).
_IFNAMSIZ = 16


def check_interface_name(name: str) -> None:
    """The kernel's own rule, dev_valid_name() in net/core/dev.c. Raises InvalidDocument."""
    if len(name.encode()) >= _IFNAMSIZ:
        raise InvalidDocument(
            f"interface name {name!r} has {len(name.encode())} bytes, the kernel takes at most {_IFNAMSIZ - 1}",
            code="name-too-long",
        )
    if name in ("", ".", "..") or any(char in "/:" or char.isspace() for char in name):
        raise InvalidDocument(
            f"interface name {name!r} is not one the kernel takes: no '/', ':' or blank, not '.' or '..'",
            code="bad-name",
        )


def _check_bridge(device: etree._Element) -> None:
    check_interface_name(device.findtext("capability[@type='net']/interface") or "")


#: Creatable type → check of the document.
CREATABLE: dict[str, Callable[[etree._Element], None]] = {
    "bridge": _check_bridge,
}


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
    CREATABLE[creatable_type(device)](device)
    return device
