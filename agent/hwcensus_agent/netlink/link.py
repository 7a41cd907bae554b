"""A network link as rtnetlink tells of it (kernel ABI linux/rtnetlink.h, linux/if_link.h).

It reads the body of RTM_NEWLINK and RTM_DELLINK. What sysfs tells better (speed, driver) is not here.
"""

import socket
import struct
from dataclasses import dataclass

from hwcensus.classes.link_kind import BOND_MODES, VLAN_PROTOCOLS
from hwcensus_agent.netlink.frame import Malformed, attributes, number, text

INFO = struct.Struct("=BxHiII")  # ifinfomsg: family, hardware type, index, flags, change mask

# enum ifla_*
ADDRESS, IFNAME, MTU, LINK, MASTER, WIRELESS, OPERSTATE = 1, 3, 4, 5, 10, 11, 16
LINKINFO, IFALIAS, GROUP, EXT_MASK, LINK_NETNSID, PERM_ADDRESS = 18, 20, 27, 29, 37, 54
STATS, STATS64, AF_SPEC, EVENT = 7, 23, 26, 44
INFO_KIND, INFO_DATA = 1, 2  # in LINKINFO
VLAN_ID, VLAN_PROTOCOL = 1, 5  # in INFO_DATA of a vlan
BOND_MODE, BOND_ACTIVE_SLAVE = 1, 2  # of a bond
BRIDGE_STP = 5  # of a bridge
MACVLAN_MODE = 1  # of a macvlan or macvtap
VXLAN_ID, VXLAN_GROUP, VXLAN_LINK, VXLAN_PORT, VXLAN_GROUP6, VXLAN_METADATA = 1, 2, 3, 15, 16, 25  # of a vxlan
VRF_TABLE = 1  # of a vrf
#: Kinds whose INFO_DATA is read.
KINDS = frozenset({"vlan", "bond", "bridge", "macvlan", "macvtap", "vxlan", "vrf"})

UP = 0x1  # IFF_UP
LOWER_UP = 0x10000  # IFF_LOWER_UP

OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")  # as sysfs writes them
MACVLAN_MODES = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}


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
    group: int | None  # a number that means nothing to the kernel; 0 by default
    master: int | None  # index of the bridge or bond
    lower: int | None  # index of the link below, or of a veth's peer
    lower_is_foreign: bool  # `lower` counts in another network namespace
    vlan_id: int | None
    vlan_protocol: str | None  # 802.1Q or 802.1ad
    bond_mode: str | None  # such as active-backup
    bond_active_slave: int | None  # index
    bridge_stp: bool | None
    macvlan_mode: str | None
    vxlan_id: int | None  # None too where each packet brings its own
    vxlan_remote: str | None  # IPv4 or IPv6 address
    vxlan_port: int | None  # UDP
    vrf_table: int | None


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
    data = {kind: attributes(info.get(INFO_DATA, b""))} if kind in KINDS else {}
    vlan, bond, bridge, vrf = (data.get(one, {}) for one in ("vlan", "bond", "bridge", "vrf"))
    macvlan, vxlan = data.get("macvlan") or data.get("macvtap") or {}, data.get("vxlan", {})
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
        group=_number(said, GROUP, 4),
        master=_number(said, MASTER, 4),
        lower=_number(said, LINK, 4) or _number(vxlan, VXLAN_LINK, 4) or None,
        lower_is_foreign=LINK_NETNSID in said,
        vlan_id=_number(vlan, VLAN_ID, 2),
        vlan_protocol=VLAN_PROTOCOLS.get(_number(vlan, VLAN_PROTOCOL, 2, ">") or 0),
        bond_mode=_named(BOND_MODES, _number(bond, BOND_MODE, 1)),
        bond_active_slave=_number(bond, BOND_ACTIVE_SLAVE, 4),
        bridge_stp=None if stp is None else bool(stp),
        macvlan_mode=MACVLAN_MODES.get(_number(macvlan, MACVLAN_MODE, 4) or 0),
        vxlan_id=None if _number(vxlan, VXLAN_METADATA, 1) else _number(vxlan, VXLAN_ID, 4),
        vxlan_remote=_ip(vxlan.get(VXLAN_GROUP) or vxlan.get(VXLAN_GROUP6)),
        vxlan_port=_number(vxlan, VXLAN_PORT, 2, ">"),
        vrf_table=_number(vrf, VRF_TABLE, 4),
    )


def is_wireless_event(body: bytes) -> bool:
    """Whether this is a wireless extension's event: a NEWLINK that tells only the name. Raises Malformed."""
    return WIRELESS in attributes(body[INFO.size :])


def fingerprint(body: bytes) -> int | None:
    """Equal for two messages that say the same of one link, whatever they count. None for a message that also says why
    it comes: what changed may not be in it (features). Raises Malformed."""
    said = attributes(body[INFO.size :])
    if any(said.get(EVENT, b"")):
        return None
    _, hardware, index, flags, _ = INFO.unpack_from(body)
    counted = (STATS, STATS64, AF_SPEC, EVENT)
    return hash((hardware, index, flags, frozenset(one for one in said.items() if one[0] not in counted)))


def _number(said: dict[int, bytes], attribute: int, size: int, order: str = "=") -> int | None:
    return number(said[attribute], size, order) if attribute in said else None


def _hex(value: bytes | None) -> str | None:
    return value.hex(":") if value else None


def _ip(value: bytes | None) -> str | None:
    family = {4: socket.AF_INET, 16: socket.AF_INET6}.get(len(value or b""))
    return socket.inet_ntop(family, value) if family is not None and value else None


def _named(names: tuple[str, ...], value: int | None) -> str | None:
    return names[value] if value is not None and value < len(names) else None
