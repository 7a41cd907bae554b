"""Network interfaces, hardware and made by software (kernel ABI sysfs-class-net, linux/if_link.h)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import MAC, NUMBER, TEXT, WORD, YES_NO, optional, repeated, required


@dataclass(frozen=True, kw_only=True)
class NetState(State):
    """The link as it is now. `port` are the names of the enslaved interfaces of a bridge or bond."""

    address: str | None = optional("@address", MAC, doc="the current address where it is not the permanent one")
    link: str | None = optional("@link", WORD, doc="operstate (RFC 2863)")
    speed: int | None = optional("@speed", NUMBER, doc="Mb/s")
    duplex: str | None = optional("@duplex", WORD)
    mtu: int | None = optional("@mtu", NUMBER, doc="bytes")
    active: str | None = optional("@active", WORD, doc="name of a bond's active slave")
    port: tuple[str, ...] = repeated("port", WORD)


@dataclass(frozen=True, kw_only=True)
class Net(Capability):
    """A network interface. Its address is the permanent one where there is one, which is then an identifier."""

    type_: ClassVar[str] = "net"
    state_class: ClassVar[type[State]] = NetState

    interface: str = required("interface", TEXT, handle=True)
    permanent: bool | None = optional("address@permanent", YES_NO)
    address: str | None = optional("address", MAC, identifier="mac", own_if="permanent")
    port_name: str | None = optional("port@name", TEXT, doc="phys_port_name")
    port_number: int | None = optional("port@number", NUMBER, doc="dev_port")
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
class Bridge(Capability):
    """An Ethernet bridge."""

    type_: ClassVar[str] = "bridge"
    within: ClassVar[tuple[str, ...]] = ("net",)

    stp: bool | None = optional("stp", YES_NO)


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
    """A bond of several links."""

    type_: ClassVar[str] = "bond"
    within: ClassVar[tuple[str, ...]] = ("net",)

    mode: str | None = optional("mode", WORD)
