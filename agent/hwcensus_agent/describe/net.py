"""Network interfaces: what hardware and software ones have alike (kernel ABI sysfs-class-net, linux/if_link.h).

sysfs leads; rtnetlink tells what it lacks, and drivers are asked where hardware is behind the interface. What software
makes of one is in `link_kind.py`. Addresses of higher layers are no business of a census of hardware.
"""

import os
import platform
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from hwcensus.classes.net import Ethernet, Infiniband, Net, NetState, Wireless
from hwcensus.device import Capability
from hwcensus.fact import printable
from hwcensus_agent.describe import link_kind
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import NOT_NOW, Facts, From, first, number, stated, text, worked_out
from hwcensus_agent.describe.link_kind import active, is_hardware, kind_of, ports
from hwcensus_agent.ethtool import Ethtool
from hwcensus_agent.host import HostView
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

T = TypeVar("T")

ETHERNET, INFINIBAND = "1", "32"  # ARPHRD_*, as sysfs `type` has them
PERMANENT = "0"  # NET_ADDR_PERM
#: What a permanent address looks like: on Ethernet one interface's, not a group's.
OWN = {
    ETHERNET: re.compile("[0-9a-f][02468ace](:[0-9a-f]{2}){5}"),
    INFINIBAND: re.compile("[0-9a-f]{2}(:[0-9a-f]{2}){7}"),
}
#: ARPHRD_* of IP tunnels: their `address` is an IP address.
TUNNELS = frozenset({"768", "769", "776", "778", "823"})
UNKNOWN_SPEEDS = frozenset({0xFFFF, 0xFFFFFFFF})  # SPEED_UNKNOWN where it has lost its sign
NOTHING_SAID = frozenset({None, "N/A", "n/a"})  # of version or firmware

#: Ends of tunnels that come and go with every container and guest: they come in by `include` alone.
LEFT_OUT = frozenset({"veth", "tun"})

#: libvirt's name of a feature → the kernel's names (net/ethtool/common.c), of which one is enough.
FEATURES: Mapping[str, frozenset[str]] = {
    "rx": frozenset({"rx-checksum"}),
    "tx": frozenset({"tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-ip-generic"}),
    "sg": frozenset({"tx-scatter-gather"}),
    "tso": frozenset({"tx-tcp-segmentation", "tx-tcp6-segmentation"}),
    "gso": frozenset({"tx-generic-segmentation"}),
    "gro": frozenset({"rx-gro"}),
    "lro": frozenset({"rx-lro"}),
    "rxvlan": frozenset({"rx-vlan-hw-parse"}),
    "txvlan": frozenset({"tx-vlan-hw-insert"}),
    "ntuple": frozenset({"rx-ntuple-filter"}),
    "rxhash": frozenset({"rx-hashing"}),
    "txudptnl": frozenset({"tx-udp_tnl-segmentation"}),
}


def hardware_type(view: View) -> str | None:
    found = view.text("type") or view.hal("net.arp_proto_hw_id")
    return None if found is None else str(found)


def asked(view: View, host: HostView, question: Callable[[Ethtool], T]) -> T | None:
    """The driver's answer; None where there is none to ask. Raises Unreadable where it does not give one."""
    tool = host.ethtool(view) if is_hardware(view) else None
    return None if tool is None else view.ask("ethtool", lambda: question(tool))


def asked_awake(view: View, host: HostView, question: Callable[[Ethtool], T]) -> T | None:
    """The same. Raises Unreadable where the question would wake the hardware."""
    if host.live and view.text("device/power/runtime_status") == "suspended":
        raise Unreadable(f"{view.syspath}: the hardware sleeps")
    return asked(view, host, question)


def significant(address: str | None, view: View) -> str | None:
    """The address as documents have it; of InfiniBand the port GUID, for the rest of it is dealt. Zeros are none."""
    kind = hardware_type(view)
    if address is None or not address.strip("0:") or kind in TUNNELS:
        return None
    parts = address.lower().split(":")
    if kind == INFINIBAND and len(parts) == 20:
        parts = parts[-8:]
    return ":".join(parts)


def own(address: str | None, view: View) -> str | None:
    """The address if it can be what the hardware was made with. Software copies such addresses, flags and all (macvlan
    passthru), and what is on top of another interface has that one's (IPoIB child, DSA port)."""
    found, form = significant(address, view), OWN.get(hardware_type(view) or "")
    if found is None or form is None or not form.fullmatch(found) or not is_hardware(view):
        return None
    return found if view.text("iflink") in (None, view.text("ifindex")) else None


@worked_out(rtnetlink="IFLA_PERM_ADDRESS")
def told_permanent(view: View, host: HostView) -> str | None:
    link = host.link(view)
    return None if link is None else own(link.permanent_address, view)


@worked_out(ethtool="ETHTOOL_GPERMADDR")
def asked_permanent(view: View, host: HostView) -> str | None:
    return own(asked(view, host, Ethtool.permanent_address), view)


@worked_out(sysfs="`address` where `addr_assign_type` is 0")
def assigned_permanent(view: View, _: HostView) -> str | None:
    return own(view.text("address"), view) if view.text("addr_assign_type") == PERMANENT else None


PERMANENT_ADDRESS = first(told_permanent, asked_permanent, assigned_permanent)


@worked_out(sysfs="`address`", hal="`net.address`, else `net.80203.mac_address`, `net.80211.mac_address`")
def current_address(view: View, _: HostView) -> str | None:
    said = view.text("address") or view.hal("net.address")
    return significant(said if isinstance(said, str) else _hal_number(view), view)


def _hal_number(view: View) -> str | None:
    """The address as a number, as HAL has it for interfaces of one kind each."""
    numbers = (view.hal(f"net.{kind}.mac_address") for kind in ("80203", "80211", "bridge"))
    found = next((number for number in numbers if isinstance(number, int)), 0)
    return found.to_bytes(6, "big").hex(":") if 0 < found < 1 << 48 else None


def is_permanent(view: View, host: HostView) -> bool | None:
    return True if PERMANENT_ADDRESS.read(view, host) is not None else None


@worked_out(sysfs="`address` where it is not the permanent one")
def other_address(view: View, host: HostView) -> str | None:
    permanent, current = PERMANENT_ADDRESS.read(view, host), significant(view.text("address"), view)
    return current if permanent not in (None, current) else None


@worked_out(path="the kernel's name")
def interface(view: View, _: HostView) -> str:
    return printable(os.fsencode(view.kernel_name))


@worked_out(ethtool="ETHTOOL_GDRVINFO version, where it is not the kernel's own")
def driver_version(view: View, host: HostView) -> str | None:
    driver = asked_awake(view, host, Ethtool.driver)
    return None if driver is None or driver.version in NOTHING_SAID | {platform.release()} else driver.version


@worked_out(ethtool="ETHTOOL_GDRVINFO firmware version")
def firmware(view: View, host: HostView) -> str | None:
    driver = asked_awake(view, host, Ethtool.driver)
    return None if driver is None or driver.firmware in NOTHING_SAID else driver.firmware


@worked_out(sysfs="`dev_port` of hardware")
def port_number(view: View, _: HostView) -> int | None:
    found = view.text("dev_port") if view.has("device") else None
    return None if found is None else int(found)


def related(link: str) -> From:
    """The name of the device that a link leads to."""
    return stated(lambda view, host: host.name_of(view.link(link)), sysfs=f"link `{link}`")


@worked_out(sysfs="`speed`, unless the driver does not know it")
def speed(view: View, _: HostView) -> int | None:
    found = int(view.text("speed", absent=NOT_NOW) or 0)
    return found if found > 0 and found not in UNKNOWN_SPEEDS else None


@worked_out(sysfs="`duplex`")
def duplex(view: View, _: HostView) -> str | None:
    found = view.text("duplex", absent=NOT_NOW)
    return None if found == "unknown" else found


@worked_out(
    ethtool="ETHTOOL_GFEATURES, of hardware", sysfs="rdma: `device/infiniband` is there; switchdev: `phys_switch_id` is"
)
def features(view: View, host: HostView) -> tuple[str, ...]:
    in_use = asked_awake(view, host, Ethtool.features) or frozenset()
    found = [name for name, kernels in FEATURES.items() if kernels & in_use]
    found += ["rdma"] if view.has("device/infiniband") else []
    found += ["switchdev"] if view.text("phys_switch_id", absent=NOT_NOW) is not None else []
    return tuple(sorted(found))


@worked_out(sysfs="link `phy80211`")
def phy(view: View, _: HostView) -> str | None:
    return view.link_name("phy80211")


@worked_out(sysfs="`pkey`")
def pkey(view: View, _: HostView) -> str | None:
    found = view.text("pkey")
    return None if found is None else f"{int(found, 16):04x}"


NET = Facts(
    Net,
    interface=interface,
    permanent=From(is_permanent, PERMANENT_ADDRESS.origins),
    address=first(PERMANENT_ADDRESS, current_address),
    driver_version=driver_version,
    firmware=firmware,
    port_name=text("phys_port_name", absent=NOT_NOW),
    port_number=port_number,
    port_switch=text("phys_switch_id", absent=NOT_NOW),
    master=first(related("master"), related("brport/bridge")),
)

STATE = Facts(
    NetState,
    Net,
    address=other_address,
    link=text("operstate"),
    speed=speed,
    duplex=duplex,
    mtu=number("mtu"),
    active=active,
    port=ports,
    feature=features,
)

WIRELESS = Facts(Wireless, phy=phy)

IPOIB = Facts(Infiniband, pkey=pkey, mode=text("mode"))


def describe(view: View, host: HostView) -> Description | None:
    return None if kind_of(view, host) in LEFT_OUT else describe_any(view, host)


def describe_any(view: View, host: HostView) -> Description:
    kind = kind_of(view, host)
    nested = (_medium(view, host), link_kind.describe(kind, view, host))
    net = NET.of(view, host, nested=nested, state=STATE.of(view, host))
    driver = view.link_name("device/driver") or kind
    return Description(capabilities=() if net is None else (net,), driver=driver)


def _medium(view: View, host: HostView) -> Capability | None:
    if view.devtype == "wlan" or view.has("phy80211") or view.has("wireless"):
        return WIRELESS.of(view, host) or Wireless()
    if hardware_type(view) == INFINIBAND:
        return IPOIB.of(view, host) or Infiniband()
    return Ethernet() if hardware_type(view) == ETHERNET else None
