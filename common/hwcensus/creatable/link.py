"""What the documents of new network links have in common: a name, the choices of their kind, and ports.

They have no parent but the machine. A fact that would be given and not obeyed is refused.
"""

from collections.abc import Collection

from lxml import etree

from hwcensus.creatable.interface_name import check_interface_name
from hwcensus.errors import InvalidDocument
from hwcensus.names import COMPUTER


def check_link(device: etree._Element, kind: str, choices: Collection[str] = (), *, has_ports: bool) -> None:
    """`choices` are the facts of the kind that may be chosen. Raises InvalidDocument."""
    (net,) = device.findall("capability")
    check_interface_name(net.findtext("interface") or "")
    if device.findtext("parent") not in (None, COMPUTER):
        raise InvalidDocument(f"a {kind} has no parent but {COMPUTER!r}", code="bad-parent")
    allowed = [*net.findall("interface"), *_all(net, kind, choices)]
    allowed += net.findall("state/port") if has_ports else []
    for fact in net.iterdescendants():
        if fact not in allowed and not _only_holds(fact, net, kind):
            can = ", ".join(["its interface name", *choices, *(["its ports"] if has_ports else [])])
            raise InvalidDocument(f"<{fact.tag}> cannot be chosen for a new {kind}, only {can}", code="bad-creation")
    _check_ports(ports(device), kind)


def interface(device: etree._Element) -> str:
    """The name of the link that is asked for."""
    return device.findtext("capability/interface") or ""


def ports(device: etree._Element) -> list[str]:
    """What the census calls the interfaces to be enslaved to the new one."""
    return [port.text or "" for port in device.iterfind("capability/state/port")]


def chosen(device: etree._Element, kind: str) -> dict[str, str]:
    """The facts of its kind that a document gives."""
    found = device.find(f"capability/capability[@type='{kind}']")
    return {} if found is None else {fact.tag: fact.text or "" for fact in found}


def check_number(text: str, least: int, most: int, what: str, code: str) -> None:
    """Raises InvalidDocument."""
    if not text.isdecimal() or not least <= int(text) <= most:
        raise InvalidDocument(f"{what} {text!r} is none of {least} to {most}", code=code)


def check_word(text: str, known: Collection[str], what: str, code: str) -> None:
    """Raises InvalidDocument."""
    if text not in known:
        raise InvalidDocument(f"{what} {text!r} is none of {', '.join(known)}", code=code)


def check_interface_device(name: str, what: str, code: str) -> None:
    """Whether it is what the census calls some interface. Raises InvalidDocument."""
    if not name.startswith("net_"):
        raise InvalidDocument(f"{what} {name!r} is no interface's name in the census, such as net_eth0", code=code)


def _all(net: etree._Element, kind: str, choices: Collection[str]) -> list[etree._Element]:
    inner = net.findall(f"capability[@type='{kind}']")
    return [fact for one in inner for fact in one if fact.tag in choices]


def _only_holds(part: etree._Element, net: etree._Element, kind: str) -> bool:
    """Whether it says nothing of its own: what holds the facts, and that it is Ethernet."""
    if part.getparent() is not net:
        return False
    if part.tag == "state":
        return not part.attrib
    return part.tag == "capability" and part.get("type") in ("80203", kind)


def _check_ports(names: list[str], kind: str) -> None:
    for name in names:
        check_interface_device(name, f"a {kind}'s port", "bad-port")
        if names.count(name) > 1:
            raise InvalidDocument(f"port {name} is named twice", code="bad-port")
