"""VLANs (IEEE 802.1Q): a name, a number, what it is on top of, and perhaps the other protocol."""

from lxml import etree

from hwcensus.classes.link_kind import VLAN_PROTOCOLS
from hwcensus.creatable.link import check_interface_device, check_link, check_number, check_word, chosen

#: IEEE 802.1Q, table 9-2: 0 is no VLAN but a priority alone, 4095 is reserved.
LEAST, MOST = 1, 4094
DEFAULT_PROTOCOL = "802.1Q"


def check(device: etree._Element) -> None:
    """Raises InvalidDocument."""
    check_link(device, "vlan", ("id", "protocol", "lower"), has_ports=False)
    said = chosen(device, "vlan")
    check_number(said.get("id", ""), LEAST, MOST, "VLAN id", "bad-vlan-id")
    check_word(said.get("protocol", DEFAULT_PROTOCOL), VLAN_PROTOCOLS.values(), "VLAN protocol", "bad-vlan-protocol")
    check_interface_device(said.get("lower", ""), "the lower interface of a VLAN", "bad-lower")
