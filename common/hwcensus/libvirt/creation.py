"""The document that a person gives to `create`, brought into our one form: libvirt's words and places, and how WWNs are
written.

In place, before anything is checked. libvirt's form of a virtual port is its `scsi_host` with an `fc_host`, as for
`virsh nodedev-create`; the parent's attributes are the same in both. What the kernel deals and only a dump has (name,
path, host, unique_id, the fabric) is left out, as libvirt itself does.
"""

from lxml import etree

from hwcensus.classes import capability_type
from hwcensus.creatable.vport import PARENT_NAMES
from hwcensus.errors import InvalidDocument
from hwcensus.wwn import read_wwn

#: Element that holds them → children that the kernel deals.
_DEALT = {"device": ("name", "path"), "scsihost": ("host", "unique_id"), "fc": ("fabric_wwn",)}


def normal_form(device: etree._Element) -> None:
    """Raises InvalidDocument: `bad-wwn`; `bad-creation` for what libvirt has and a new port has not."""
    for capability in device.iter("capability"):
        type_ = capability.get("type")
        if type_ is not None:
            capability.set("type", capability_type(type_))
    for host in device.iterchildren("capability"):
        if host.get("type") == "scsihost":
            _vport(device, host)


def _vport(device: etree._Element, host: etree._Element) -> None:
    _leave_out(device, "device")
    _leave_out(host, "scsihost")
    for inner in list(host.iterchildren("capability")):
        if inner.get("type") == "fc":
            _leave_out(inner, "fc")
            _address(inner)
        elif inner.get("type") == "vports":
            text = "vport_ops is what an adapter has; a virtual port is made without it"
            raise InvalidDocument(text, code="bad-creation")
    for parent in device.iterchildren("parent"):
        _read_names(parent, PARENT_NAMES, "parent ")
        parent.text = (parent.text or "").strip() or None


def _address(fc: etree._Element) -> None:
    """The elements wwnn and wwpn become attributes of one address. An empty one is as good as an absent one."""
    given = {name: element for name in ("wwnn", "wwpn") for element in fc.iterchildren(name)}
    addresses = fc.findall("address")
    if given and addresses:
        raise InvalidDocument("the names of the port are given twice, in <address> and outside", code="bad-creation")
    address = addresses[0] if addresses else etree.Element("address")
    for name, element in given.items():
        if (element.text or "").strip():
            address.set(name, element.text or "")
        fc.remove(element)
    _read_names(address, ("wwnn", "wwpn"))
    if not addresses and address.attrib:
        fc.insert(0, address)


def _read_names(element: etree._Element, names: tuple[str, ...], whose: str = "") -> None:
    for name in names:
        written = element.get(name)
        if written is not None:
            element.set(name, read_wwn(written, whose + name))


def _leave_out(element: etree._Element, what: str) -> None:
    for child in [child for tag in _DEALT[what] for child in element.iterchildren(tag)]:
        element.remove(child)
