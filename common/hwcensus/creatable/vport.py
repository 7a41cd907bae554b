"""Virtual Fibre Channel ports (NPIV, FC-LS-2): names for node and port, and the adapter it is made on.

A command has both names and the adapter's identity; what a person gives may lack them, and may say the adapter by its
names or its fabric's: the collector fills in. Equal WWPN and WWNN are no fault: the kernel's fc_vport_create() and the
drivers behind it compare port names only, and devices of one port are often called so.
"""

from lxml import etree

from hwcensus.errors import InvalidDocument
from hwcensus.wwn import check_new_wwn

#: The names of the adapter by which a person may say which.
PARENT_NAMES = ("wwnn", "wwpn", "fabric_wwn")


def check(device: etree._Element) -> None:
    """Raises InvalidDocument: `zero-wwn`, `wrong-naa`, `bad-parent`, `bad-creation`, `several-capabilities`."""
    (host,) = device.findall("capability")
    fc, *more = host.findall("capability")
    if more:
        types = ", ".join(str(inner.get("type")) for inner in (fc, *more))
        raise InvalidDocument(
            f"a virtual port has one capability in scsihost, fc, not {types}", code="several-capabilities"
        )
    for fact in [*(child for child in host if child is not fc), *(child for child in fc if child.tag != "address")]:
        text = f"<{fact.tag}> cannot be chosen for a new virtual port, only its address and parent"
        raise InvalidDocument(text, code="bad-creation")
    for field, wwn in names(device).items():
        check_new_wwn(wwn, field)
    parent = device.find("parent")
    if parent is not None:
        _check_parent(parent)


def names(device: etree._Element) -> dict[str, str]:
    """`wwnn` and `wwpn` of the port to be made, those that are given."""
    address = device.find("capability/capability/address")
    return {} if address is None else {str(name): str(wwn) for name, wwn in address.items()}


def set_names(device: etree._Element, *, wwnn: str, wwpn: str) -> None:
    """Gives the port both names, in the order of the schema."""
    (fc,) = device.findall("capability/capability")
    for former in fc.findall("address"):
        fc.remove(former)
    fc.insert(0, etree.Element("address", wwnn=wwnn, wwpn=wwpn))


def _check_parent(parent: etree._Element) -> None:
    by = [name for name in PARENT_NAMES if parent.get(name) is not None]
    if not parent.text and not by and parent.get("identity") is None:
        raise InvalidDocument("<parent> is empty: it says a name, a wwpn or a fabric_wwn", code="bad-parent")
    if by == ["wwnn"] and not parent.text:
        wwnn = parent.get("wwnn")
        raise InvalidDocument(f"parent wwnn {wwnn} may name several ports: give its wwpn too", code="bad-parent")
    if "fabric_wwn" in by and (parent.text or len(by) > 1):
        text = "a parent is named by name or WWPN, or chosen in a fabric by fabric_wwn, not both"
        raise InvalidDocument(text, code="bad-parent")
