"""Network interfaces, hardware and made by software (kernel ABI sysfs-class-net, linux/if_link.h).

What software makes of them (bridge, VLAN, bond, …) is in `link_kind.py`.
"""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import HEX4, MAC, NUMBER, TEXT, WORD, YES_NO, optional, repeated, required


@dataclass(frozen=True, kw_only=True)
class NetState(State):
    """The link as it is now. `port` are the names of the interfaces enslaved to it."""

    address: str | None = optional("@address", MAC, doc="the current address where it is not the permanent one")
    link: str | None = optional("@link", WORD, doc="operstate (RFC 2863)")
    speed: int | None = optional("@speed", NUMBER, doc="Mb/s")
    duplex: str | None = optional("@duplex", WORD)
    mtu: int | None = optional("@mtu", NUMBER, doc="bytes")
    active: str | None = optional("@active", WORD, doc="name of a bond's active slave")
    port: tuple[str, ...] = repeated("port", WORD)
    feature: tuple[str, ...] = repeated("feature", WORD, doc="what hardware does by itself, in libvirt's words")


@dataclass(frozen=True, kw_only=True)
class Net(Capability):
    """A network interface. Its address is the permanent one where there is one, which is then an identifier."""

    type_: ClassVar[str] = "net"
    state_class: ClassVar[type[State]] = NetState

    interface: str = required("interface", TEXT, handle=True)
    permanent: bool | None = optional("address@permanent", YES_NO)
    address: str | None = optional("address", MAC, identifier="mac", own_if="permanent")
    driver_version: str | None = optional("driver_version", TEXT, doc="where it is not the kernel's own")
    firmware: str | None = optional("firmware", TEXT)
    port_name: str | None = optional("port@name", TEXT, doc="phys_port_name: p0, of a representor pf0vf1")
    port_number: int | None = optional("port@number", NUMBER, doc="dev_port")
    port_switch: str | None = optional("port@switch", WORD, doc="phys_switch_id: equal for all ports of one switch")
    master: str | None = optional("master", WORD, doc="name of the bridge or bond it is enslaved to")


@dataclass(frozen=True, kw_only=True)
class Ethernet(Capability):
    """IEEE 802.3."""

    type_: ClassVar[str] = "80203"
    within: ClassVar[tuple[str, ...]] = ("net",)


@dataclass(frozen=True, kw_only=True)
class Wireless(Capability):
    """IEEE 802.11."""

    type_: ClassVar[str] = "80211"
    within: ClassVar[tuple[str, ...]] = ("net",)

    phy: str | None = optional("phy", WORD, handle=True)


@dataclass(frozen=True, kw_only=True)
class Infiniband(Capability):
    """IP over InfiniBand (RFC 4391, RFC 4755)."""

    type_: ClassVar[str] = "infiniband"
    within: ClassVar[tuple[str, ...]] = ("net",)

    pkey: str | None = optional("pkey", HEX4, doc="partition")
    mode: str | None = optional("mode", WORD, doc="datagram or connected")
