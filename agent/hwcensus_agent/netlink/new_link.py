"""What a request for a new link says (kernel ABI linux/if_link.h): bridges, VLANs, bonds.

What the kernel takes of it, it says itself.
"""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from hwcensus.classes.link_kind import BOND_MODES, LACP_RATES, VLAN_PROTOCOLS, XMIT_POLICIES
from hwcensus_agent.netlink import link as ifla
from hwcensus_agent.netlink.frame import build_attributes

# in INFO_DATA of a bond
BOND_MIIMON, BOND_XMIT_POLICY, BOND_LACP_RATE = 3, 14, 21


@dataclass(frozen=True, kw_only=True)
class NewLink:
    """A link to be made, down. `group` is a number that the kernel keeps for whoever wants to know it again; `data` is
    the kind's own."""

    name: str
    kind: str
    group: int = 0
    lower: int | None = None  # index of the link below
    data: Mapping[int, bytes] = field(default_factory=dict)

    def attributes(self) -> bytes:
        """Raises ValueError for a name that cannot be one."""
        encoded = os.fsencode(self.name)
        if not encoded or b"\0" in encoded or b"%" in encoded:
            raise ValueError(f"{self.name!r} cannot name a link (the kernel takes % for a pattern)")
        info = {ifla.INFO_KIND: self.kind.encode()}
        if self.data:
            info[ifla.INFO_DATA] = build_attributes(self.data)
        wanted = {ifla.IFNAME: encoded + b"\0", ifla.LINKINFO: build_attributes(info)}
        if self.group:
            wanted[ifla.GROUP] = struct.pack("=I", self.group)
        if self.lower is not None:
            wanted[ifla.LINK] = struct.pack("=I", self.lower)
        return build_attributes(wanted)


def vlan_data(id_: int, protocol: str) -> dict[int, bytes]:
    """Of a VLAN; `protocol` is 802.1Q or 802.1ad."""
    number = next(number for number, name in VLAN_PROTOCOLS.items() if name == protocol)
    return {ifla.VLAN_ID: struct.pack("=H", id_), ifla.VLAN_PROTOCOL: struct.pack(">H", number)}


def bond_data(
    *, mode: str | None, miimon: int | None, xmit_policy: str | None, lacp_rate: str | None
) -> dict[int, bytes]:
    """Of a bond, in the words of sysfs; what is None is the driver's to choose."""
    numbers = {
        ifla.BOND_MODE: _number(BOND_MODES, mode),
        BOND_XMIT_POLICY: _number(XMIT_POLICIES, xmit_policy),
        BOND_LACP_RATE: _number(LACP_RATES, lacp_rate),
    }
    said = {attribute: struct.pack("=B", number) for attribute, number in numbers.items() if number is not None}
    return said if miimon is None else said | {BOND_MIIMON: struct.pack("=I", miimon)}


def _number(names: tuple[str, ...], name: str | None) -> int | None:
    return None if name is None else names.index(name)
