"""Network interfaces (kernel ABI sysfs-class-net; rtnetlink for what sysfs lacks: permanent address, kind, VLAN).

Addresses of higher layers are no business of a census of hardware.
"""

import os
from collections.abc import Mapping

from hwcensus.classes.net import Bond, Bridge, Ethernet, Net, NetState, Vlan, Wireless
from hwcensus.device import Capability
from hwcensus.fact import printable
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import NOT_NOW, Facts, number, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

ETHERNET, INFINIBAND = "1", "32"  # ARPHRD_*, as sysfs `type` has them
PERMANENT = "0"  # NET_ADDR_PERM

#: Ends of tunnels that come and go with every container and guest.
LEFT_OUT = frozenset({"veth", "tun"})


def kind_of(view: View, host: HostView) -> str | None:
    """What software makes of it: bridge, vlan, bond, veth, …; None for hardware."""
    link = host.link(view)
    if link is not None and link.kind is not None:
        return link.kind
    return "tun" if view.has("tun_flags") else view.devtype


def permanent_address(view: View, host: HostView) -> str | None:
    """The address that the hardware was made with; of InfiniBand the port GUID, the rest of it is dealt."""
    link = host.link(view)
    found = None if link is None else link.permanent_address
    if found is None and view.text("addr_assign_type") == PERMANENT:
        found = view.text("address")
    return _significant(found, view)


def current_address(view: View) -> str | None:
    return _significant(view.text("address"), view)


def _significant(address: str | None, view: View) -> str | None:
    if address is None or not address.strip("0:"):
        return None
    parts = address.lower().split(":")
    if view.text("type") == INFINIBAND and len(parts) == 20:
        parts = parts[-8:]
    return ":".join(parts)


@worked_out(path="the kernel's name")
def interface(view: View, _: HostView) -> str:
    return printable(os.fsencode(view.kernel_name))


@worked_out(rtnetlink="IFLA_PERM_ADDRESS", sysfs="`address` where `addr_assign_type` is 0, else `address`")
def address(view: View, host: HostView) -> str | None:
    return permanent_address(view, host) or current_address(view)


@worked_out(rtnetlink="IFLA_PERM_ADDRESS", sysfs="`addr_assign_type` is 0")
def permanent(view: View, host: HostView) -> bool | None:
    return True if permanent_address(view, host) is not None else None


@worked_out(sysfs="`address` where it is not the permanent one")
def other_address(view: View, host: HostView) -> str | None:
    found = permanent_address(view, host)
    return current_address(view) if found not in (None, current_address(view)) else None


@worked_out(sysfs="`dev_port` of hardware")
def port_number(view: View, _: HostView) -> int | None:
    found = view.text("dev_port") if view.has("device") else None
    return None if found is None else int(found)


@worked_out(sysfs="link `master`")
def master(view: View, host: HostView) -> str | None:
    return host.name_of(view.link("master"))


@worked_out(sysfs="`duplex`")
def duplex(view: View, _: HostView) -> str | None:
    found = view.text("duplex", absent=NOT_NOW)
    return None if found == "unknown" else found


@worked_out(sysfs="links `lower_*` of a bridge or bond")
def ports(view: View, host: HostView) -> tuple[str, ...]:
    if kind_of(view, host) not in {"bridge", "bond"}:
        return ()
    return tuple(sorted(_lower(view, host)))


@worked_out(sysfs="`bonding/active_slave`")
def active(view: View, host: HostView) -> str | None:
    name = view.text("bonding/active_slave")
    return None if name is None else host.name_of(view.link(f"lower_{name}"))


@worked_out(sysfs="link `lower_*`")
def lower(view: View, host: HostView) -> str | None:
    return next(iter(_lower(view, host)), None)


def _lower(view: View, host: HostView) -> list[str]:
    """The names of the links below that are in the census."""
    names = (host.name_of(view.link(link)) for link in view.children("lower_"))
    return [name for name in names if name is not None]


@worked_out(sysfs="link `phy80211`")
def phy(view: View, _: HostView) -> str | None:
    return view.link_name("phy80211")


@worked_out(sysfs="`bridge/stp_state`")
def stp(view: View, _: HostView) -> bool | None:
    found = view.text("bridge/stp_state")
    return None if found is None else found != "0"


@worked_out(sysfs="`bonding/mode`")
def mode(view: View, _: HostView) -> str | None:
    return (view.text("bonding/mode") or "").partition(" ")[0] or None


@worked_out(rtnetlink="IFLA_VLAN_ID")
def vlan_id(view: View, host: HostView) -> int | None:
    link = host.link(view)
    return None if link is None else link.vlan_id


@worked_out(rtnetlink="IFLA_VLAN_PROTOCOL")
def vlan_protocol(view: View, host: HostView) -> str | None:
    link = host.link(view)
    return None if link is None else link.vlan_protocol


NET = Facts(
    Net,
    interface=interface,
    permanent=permanent,
    address=address,
    port_name=text("phys_port_name", absent=NOT_NOW),
    port_number=port_number,
    master=master,
)

STATE = Facts(
    NetState,
    Net,
    address=other_address,
    link=text("operstate"),
    speed=number("speed", least=1, absent=NOT_NOW),
    duplex=duplex,
    mtu=number("mtu"),
    active=active,
    port=ports,
)

WIRELESS = Facts(Wireless, phy=phy)

#: Kind → its own facts.
KINDS: Mapping[str, Facts[Bridge] | Facts[Vlan] | Facts[Bond]] = {
    "bridge": Facts(Bridge, stp=stp),
    "vlan": Facts(Vlan, id=vlan_id, protocol=vlan_protocol, lower=lower),
    "bond": Facts(Bond, mode=mode),
}


def describe(view: View, host: HostView) -> Description | None:
    kind = kind_of(view, host)
    if kind in LEFT_OUT:
        return None
    nested = (_medium(view, host), _own(kind, view, host))
    net = NET.of(view, host, nested=nested, state=STATE.of(view, host))
    driver = view.link_name("device/driver") or kind
    return Description(capabilities=() if net is None else (net,), driver=driver)


def _medium(view: View, host: HostView) -> Capability | None:
    if view.devtype == "wlan" or view.has("phy80211") or view.has("wireless"):
        return WIRELESS.of(view, host) or Wireless()
    return Ethernet() if view.text("type") == ETHERNET else None


def _own(kind: str | None, view: View, host: HostView) -> Capability | None:
    facts = KINDS.get(kind or "")
    return None if facts is None else facts.of(view, host) or facts.cls()
