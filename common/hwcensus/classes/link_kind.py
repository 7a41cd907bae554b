"""What software makes of network interfaces, a class a kind (kernel ABI linux/if_link.h, IFLA_INFO_KIND)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability
from hwcensus.fact import NUMBER, WORD, YES_NO, optional

#: EtherType → what the census calls it (linux/if_ether.h).
VLAN_PROTOCOLS = {0x8100: "802.1Q", 0x88A8: "802.1ad"}
#: As sysfs has them; their places are the kernel's numbers (linux/if_bonding.h).
BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")
XMIT_POLICIES = ("layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac")
LACP_RATES = ("slow", "fast")
#: Modes of a bond that choose a slave for what they send (kernel's bonding.rst, xmit_hash_policy).
CHOOSING_BOND_MODES = ("balance-xor", "802.3ad", "balance-tlb")
LACP_MODE = "802.3ad"


@dataclass(frozen=True, kw_only=True)
class Bridge(Capability):
    """An Ethernet bridge."""

    type_: ClassVar[str] = "bridge"
    within: ClassVar[tuple[str, ...]] = ("net",)

    stp: bool | None = optional("stp", YES_NO)
    vlan_filtering: bool | None = optional("vlan_filtering", YES_NO)


@dataclass(frozen=True, kw_only=True)
class Vlan(Capability):
    """A VLAN on top of another link (IEEE 802.1Q)."""

    type_: ClassVar[str] = "vlan"
    within: ClassVar[tuple[str, ...]] = ("net",)

    id: int | None = optional("id", NUMBER)
    protocol: str | None = optional("protocol", WORD, doc="802.1Q or 802.1ad")
    lower: str | None = optional("lower", WORD, doc="name of the link below")


@dataclass(frozen=True, kw_only=True)
class Bond(Capability):
    """A bond of several links. What its mode does not use is left out."""

    type_: ClassVar[str] = "bond"
    within: ClassVar[tuple[str, ...]] = ("net",)

    mode: str | None = optional("mode", WORD)
    xmit_policy: str | None = optional("xmit_policy", WORD, doc="how it spreads what it sends: layer2, layer3+4")
    lacp_rate: str | None = optional("lacp_rate", WORD, doc="slow or fast")
    miimon: int | None = optional("miimon", NUMBER, doc="ms between two looks at the slaves' carriers")


@dataclass(frozen=True, kw_only=True)
class Team(Capability):
    """A team of several links; how it spreads what it sends, only its teamd knows."""

    type_: ClassVar[str] = "team"
    within: ClassVar[tuple[str, ...]] = ("net",)


@dataclass(frozen=True, kw_only=True)
class Vrf(Capability):
    """A routing domain of its own for the interfaces enslaved to it."""

    type_: ClassVar[str] = "vrf"
    within: ClassVar[tuple[str, ...]] = ("net",)

    table: int | None = optional("table", NUMBER, doc="of routes")


@dataclass(frozen=True, kw_only=True)
class Macvlan(Capability):
    """A further address on another link, as a link of its own; a macvtap is one with a character device."""

    type_: ClassVar[str] = "macvlan"
    within: ClassVar[tuple[str, ...]] = ("net",)

    mode: str | None = optional("mode", WORD, doc="private, vepa, bridge, passthru or source")
    lower: str | None = optional("lower", WORD, doc="name of the link below")


@dataclass(frozen=True, kw_only=True)
class Vxlan(Capability):
    """An Ethernet carried over UDP (RFC 7348)."""

    type_: ClassVar[str] = "vxlan"
    within: ClassVar[tuple[str, ...]] = ("net",)

    id: int | None = optional("id", NUMBER, doc="VNI")
    remote: str | None = optional("remote", WORD, doc="address of the other end, or of the group")
    port: int | None = optional("port", NUMBER, doc="UDP, of the other end")
    lower: str | None = optional("lower", WORD, doc="name of the link below")


@dataclass(frozen=True, kw_only=True)
class Tun(Capability):
    """An interface that a program feeds (virtual machines, tunnels)."""

    type_: ClassVar[str] = "tun"
    within: ClassVar[tuple[str, ...]] = ("net",)

    mode: str | None = optional("mode", WORD, doc="tun (IP packets) or tap (Ethernet frames)")
