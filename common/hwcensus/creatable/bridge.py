"""Ethernet bridges: a name, and ports."""

from lxml import etree

from hwcensus.creatable.link import check_link


def check(device: etree._Element) -> None:
    """Raises InvalidDocument."""
    check_link(device, "bridge", has_ports=True)
