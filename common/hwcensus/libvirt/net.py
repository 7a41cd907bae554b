"""Network interfaces, with the address of now. libvirt knows wired and wireless ones: all others are wired to it."""

from lxml import etree

from hwcensus.classes.net import Net, NetState
from hwcensus.libvirt.element import capability, element, leaf

#: operstate (RFC 2863) as libvirt's schema has it.
_STATES = frozenset({"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"})
#: In libvirt's order.
_FEATURES = ("rx", "tx", "sg", "tso", "gso", "gro", "lro", "rxvlan", "txvlan", "ntuple", "rxhash", "rdma", "txudptnl",
             "switchdev")  # fmt: skip


def write(net: Net) -> etree._Element:
    now = net.state if isinstance(net.state, NetState) else NetState()
    return capability(
        "net",
        [
            leaf("interface", net.interface),
            leaf("address", _address(net, now)),
            _link(now),
            *(element("feature", name=name) for name in _FEATURES if name in now.feature),
            capability("80211" if net.find("80211") is not None else "80203"),
        ],
    )


def _address(net: Net, now: NetState) -> str | None:
    """libvirt's schema knows addresses of six bytes, and so none of InfiniBand's."""
    found = now.address or net.address or ("00:00:00:00:00:00" if net.interface == "lo" else "")
    return found if len(found.split(":")) == 6 else None


def _link(now: NetState) -> etree._Element | None:
    if now.link not in _STATES:
        return None
    return element("link", speed=now.speed if now.link == "up" else None, state=now.link)
