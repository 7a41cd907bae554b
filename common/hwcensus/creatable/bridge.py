"""Ethernet bridges: a name and nothing else."""

from lxml import etree

from hwcensus.creatable.interface_name import check_interface_name
from hwcensus.errors import InvalidDocument
from hwcensus.names import COMPUTER


def check(device: etree._Element) -> None:
    """A fact that would be given and not obeyed is refused. Raises InvalidDocument."""
    (net,) = device.findall("capability")
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
