"""What software makes of interfaces: bridges, VLANs, bonds, … (kernel ABI sysfs-class-net, linux/if_link.h).

The kind is rtnetlink's IFLA_INFO_KIND; without it, sysfs tells some. What all interfaces have is in `net.py`.
"""

import os
from collections.abc import Collection, Mapping

from hwcensus.classes.link_kind import (
    CHOOSING_BOND_MODES,
    LACP_MODE,
    Bond,
    Bridge,
    Macvlan,
    Team,
    Tun,
    Vlan,
    Vrf,
    Vxlan,
)
from hwcensus.device import Capability
from hwcensus.fact import original
from hwcensus_agent.describe.facts import Facts, From, flag, number, stated, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

#: Folder or attribute that only this kind has.
SIGNS = {"tun_flags": "tun", "bridge": "bridge", "bonding": "bond"}
#: Those that others are enslaved to. They list them by links `lower_*`; elsewhere such a link is what it is on top of.
MASTERS = frozenset({"bridge", "bond", "team", "vrf", "openvswitch"})
TAP = 0x2  # IFF_TAP


def is_hardware(view: View) -> bool:
    """Whether there is more behind it than software. Kernels before 2.6.25 have all of them in the class's folder."""
    return not view.syspath.startswith(("/sys/devices/virtual/net/", "/sys/class/net/")) or view.has("device")


def kind_of(view: View, host: HostView) -> str | None:
    """What software makes of it: bridge, vlan, bond, veth, …; of hardware at most what sort of hardware it is."""
    link = host.link(view)
    if link is not None and link.kind is not None:
        return link.kind
    if view.devtype is not None or is_hardware(view):
        return view.devtype
    return next((kind for sign, kind in SIGNS.items() if view.has(sign)), None)


def lower_names(view: View, host: HostView) -> list[str]:
    """The names of the links below that are in the census."""
    names = (host.name_of(view.link(link)) for link in view.children("lower_"))
    return [name for name in names if name is not None]


@worked_out(sysfs="links `lower_*` of what others are enslaved to; else `brif`, `bonding/slaves`")
def ports(view: View, host: HostView) -> tuple[str, ...]:
    if kind_of(view, host) not in MASTERS:
        return ()
    return tuple(sorted(lower_names(view, host) or _former_ports(view, host)))


def _former_ports(view: View, host: HostView) -> list[str]:
    """As kernels before 3.13 show them."""
    ports = [view.link(f"brif/{name}") for name in view.children("", "brif")]
    slaves = [view.link(f"slave_{name}") for name in (view.text("bonding/slaves") or "").split()]
    found = [port and port.rpartition("/")[0] for port in ports] + slaves
    return [name for name in map(host.name_of, found) if name is not None]


@worked_out(sysfs="`bonding/active_slave`")
def active(view: View, host: HostView) -> str | None:
    name = view.text("bonding/active_slave")
    if name is None:
        return None
    plain = os.fsdecode(original(name))
    return host.name_of(view.link(f"lower_{plain}") or view.link(f"slave_{plain}"))


def told(field: str, attribute: str) -> From:
    """What rtnetlink says of the link."""
    return stated(lambda view, host: getattr(host.link(view), field, None), rtnetlink=attribute)


def word(attribute: str, *, modes: Collection[str] | None = None) -> From:
    """The first word of a bond's attribute (`layer2 0`); None in modes that do not use it."""

    def read(view: View, _: HostView) -> str | None:
        used = modes is None or _word(view, "bonding/mode") in modes
        return _word(view, attribute) if used else None

    return stated(read, sysfs=f"`{attribute}`" + (f" of {', '.join(sorted(modes))}" if modes else ""))


def _word(view: View, attribute: str) -> str | None:
    return (view.text(attribute) or "").partition(" ")[0] or None


@worked_out(sysfs="link `lower_*`", rtnetlink="IFLA_LINK, of a VXLAN IFLA_VXLAN_LINK")
def lower(view: View, host: HostView) -> str | None:
    found = next(iter(lower_names(view, host)), None)
    link = host.link(view)
    if found is not None or link is None or link.lower is None or link.lower_is_foreign:
        return found
    return host.name_of_link(link.lower)


@worked_out(sysfs="`tun_flags`")
def tun_mode(view: View, _: HostView) -> str | None:
    flags = view.text("tun_flags")
    return None if flags is None else "tap" if int(flags, 16) & TAP else "tun"


_MACVLAN = Facts(Macvlan, mode=told("macvlan_mode", "IFLA_MACVLAN_MODE"), lower=lower)

#: Kind → its own facts. Of all others the kind itself is all that is told, as the driver.
KINDS: Mapping[
    str,
    Facts[Bridge] | Facts[Vlan] | Facts[Bond] | Facts[Team] | Facts[Vrf] | Facts[Macvlan] | Facts[Vxlan] | Facts[Tun],
] = {
    "bridge": Facts(Bridge, stp=flag("bridge/stp_state"), vlan_filtering=flag("bridge/vlan_filtering")),
    "vlan": Facts(
        Vlan, id=told("vlan_id", "IFLA_VLAN_ID"), protocol=told("vlan_protocol", "IFLA_VLAN_PROTOCOL"), lower=lower
    ),
    "bond": Facts(
        Bond,
        mode=word("bonding/mode"),
        xmit_policy=word("bonding/xmit_hash_policy", modes=CHOOSING_BOND_MODES),
        lacp_rate=word("bonding/lacp_rate", modes=(LACP_MODE,)),
        miimon=number("bonding/miimon", least=1),
    ),
    "team": Facts(Team),
    "vrf": Facts(Vrf, table=told("vrf_table", "IFLA_VRF_TABLE")),
    "macvlan": _MACVLAN,
    "macvtap": _MACVLAN,
    "vxlan": Facts(
        Vxlan,
        id=told("vxlan_id", "IFLA_VXLAN_ID"),
        remote=told("vxlan_remote", "IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6"),
        port=told("vxlan_port", "IFLA_VXLAN_PORT"),
        lower=lower,
    ),
    "tun": Facts(Tun, mode=tun_mode),
}


def describe(kind: str | None, view: View, host: HostView) -> Capability | None:
    """None for hardware, and for a kind that has no class."""
    facts = KINDS.get(kind or "")
    return None if facts is None else facts.of(view, host) or facts.cls()
