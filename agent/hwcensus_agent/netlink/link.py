"""A network link as rtnetlink tells of it (kernel ABI linux/rtnetlink.h, linux/if_link.h).

It reads the body of RTM_NEWLINK and RTM_DELLINK. What sysfs tells better (speed, driver) is not here.
"""

import struct
from dataclasses import dataclass

from hwcensus_agent.netlink.frame import Malformed, attributes, number, text

INFO = struct.Struct("=BxHiII")  # ifinfomsg: family, hardware type, index, flags, change mask

# enum ifla_*
ADDRESS, IFNAME, MTU, LINK, MASTER, WIRELESS, OPERSTATE = 1, 3, 4, 5, 10, 11, 16
LINKINFO, IFALIAS, EXT_MASK, LINK_NETNSID, PERM_ADDRESS = 18, 20, 29, 37, 54
INFO_KIND, INFO_DATA = 1, 2  # in LINKINFO
VLAN_ID, VLAN_PROTOCOL = 1, 5  # in INFO_DATA of a vlan
BOND_MODE, BOND_ACTIVE_SLAVE = 1, 2  # of a bond
BRIDGE_STP = 5  # of a bridge

UP = 0x1  # IFF_UP
LOWER_UP = 0x10000  # IFF_LOWER_UP

OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")  # as sysfs writes them
BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")
VLAN_PROTOCOLS = {0x8100: "802.1Q", 0x88A8: "802.1ad"}


@dataclass(frozen=True, kw_only=True)
class Link:
    """One link. None is what the kernel did not say."""

    index: int
    name: str
    family: int  # AF_UNSPEC, or whose part of the link this is about: such a message tells little else
    hardware: int  # ARPHRD_*, 1 is Ethernet
    up: bool  # administratively
    carrier: bool  # up, and so is what it sends over
    kind: str | None  # bridge, vlan, bond, veth, ifb, …; None for hardware
    address: str | None  # lower-case hex with colons; on Ethernet a MAC
    permanent_address: str | None
    mtu: int | None  # bytes
    operstate: str | None  # as sysfs writes it
    alias: str | None
    master: int | None  # index of the bridge or bond
    lower: int | None  # index of the link below, or of a veth's peer
    lower_is_foreign: bool  # `lower` counts in another network namespace
    vlan_id: int | None
    vlan_protocol: str | None  # 802.1Q or 802.1ad
    bond_mode: str | None  # such as active-backup
    bond_active_slave: int | None  # index
    bridge_stp: bool | None


def parse_link(body: bytes) -> Link:
    """The link that the body of a link message is about. Raises Malformed, and nothing else, for any bytes."""
    if len(body) < INFO.size:
        raise Malformed(f"a link message has only {len(body)} bytes")
    family, hardware, index, flags, _ = INFO.unpack_from(body)
    said = attributes(body[INFO.size :])
    if index <= 0 or IFNAME not in said:
        raise Malformed("a link message without an index or a name")
    info = attributes(said.get(LINKINFO, b""))
    kind = text(info[INFO_KIND]) if INFO_KIND in info else None
    # What the numbers in INFO_DATA mean depends on the kind.
    data = attributes(info.get(INFO_DATA, b"")) if kind in {"vlan", "bond", "bridge"} else {}
    vlan = data if kind == "vlan" else {}
    bond = data if kind == "bond" else {}
    bridge = data if kind == "bridge" else {}
    stp = _number(bridge, BRIDGE_STP, 4)
    return Link(
        index=index,
        name=text(said[IFNAME]),
        family=family,
        hardware=hardware,
        up=bool(flags & UP),
        carrier=bool(flags & LOWER_UP),
        kind=kind,
        address=_hex(said.get(ADDRESS)),
        permanent_address=_hex(said.get(PERM_ADDRESS)),
        mtu=_number(said, MTU, 4),
        operstate=_named(OPERSTATES, _number(said, OPERSTATE, 1)),
        alias=text(said[IFALIAS]) if IFALIAS in said else None,
        master=_number(said, MASTER, 4),
        lower=_number(said, LINK, 4) or None,
        lower_is_foreign=LINK_NETNSID in said,
        vlan_id=_number(vlan, VLAN_ID, 2),
        vlan_protocol=VLAN_PROTOCOLS.get(_number(vlan, VLAN_PROTOCOL, 2, ">") or 0),
        bond_mode=_named(BOND_MODES, _number(bond, BOND_MODE, 1)),
        bond_active_slave=_number(bond, BOND_ACTIVE_SLAVE, 4),
        bridge_stp=None if stp is None else bool(stp),
    )


def is_wireless_event(body: bytes) -> bool:
    """Whether this is a wireless extension's event: a NEWLINK that tells only the name. Raises Malformed."""
    return WIRELESS in attributes(body[INFO.size :])


def _number(said: dict[int, bytes], attribute: int, size: int, order: str = "=") -> int | None:
    return number(said[attribute], size, order) if attribute in said else None


def _hex(value: bytes | None) -> str | None:
    return value.hex(":") if value else None


def _named(names: tuple[str, ...], value: int | None) -> str | None:
    return names[value] if value is not None and value < len(names) else None
