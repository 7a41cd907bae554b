"""Addresses and routes as rtnetlink tells of them (kernel ABI linux/rtnetlink.h, linux/if_addr.h).

Only what keeping an interface's own, and finding the way to another host, takes.
"""

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from hwcensus_agent.netlink.frame import Malformed, attributes, build_attributes, number

ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index of the link
ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, lengths, tos, table, protocol, scope, type, flags
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DESTINATION, RTA_SOURCE, RTA_LINK = 1, 2, 4
UNICAST = 1  # RTN_UNICAST
BY_KERNEL = 2  # RTPROT_KERNEL: it comes with an address, by itself
ON_LINK = 4  # RTNH_F_ONLINK: the one flag of a route that is an order, the others tell of its state
LENGTHS: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 16}  # family → bytes of an address


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address of this host. `body` is the message, fit to be given back to the kernel."""

    index: int  # of its link
    text: str
    body: bytes

    def at(self, index: int) -> Self:
        """The same of another link."""
        family, length, flags, scope, _ = ADDRESS.unpack_from(self.body)
        header = ADDRESS.pack(family, length, flags, scope, index)
        return replace(self, index=index, body=header + self.body[ADDRESS.size :])


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route of people's or programs' making that leaves by one link."""

    index: int  # of that link
    scope: int
    body: bytes

    def at(self, index: int) -> Self:
        """The same by another link."""
        said = attributes(self.body[ROUTE.size :]) | {RTA_LINK: struct.pack("=I", index)}
        return replace(self, index=index, body=self.body[: ROUTE.size] + build_attributes(said))


def parse_address(body: bytes) -> Address | None:
    """None for another family than IP's. Raises Malformed."""
    if len(body) < ADDRESS.size:
        raise Malformed(f"an address message has only {len(body)} bytes")
    family, _, _, _, index = ADDRESS.unpack_from(body)
    said = attributes(body[ADDRESS.size :])
    text = _text(family, said.get(IFA_LOCAL) or said.get(IFA_ADDRESS))
    return None if text is None else Address(index=index, text=text, body=body)


def parse_route(body: bytes) -> Route | None:
    """None for a route that the kernel made itself, or over several links, or that leads nowhere. Raises Malformed."""
    family, _, _, _, _, protocol, scope, kind, flags = _header(body)
    index = leaves_by(body)
    if family not in LENGTHS or protocol == BY_KERNEL or kind != UNICAST or index is None:
        return None
    again = body[: ROUTE.size - 4] + struct.pack("=I", flags & ON_LINK) + body[ROUTE.size :]
    return Route(index=index, scope=scope, body=again)


def leaves_by(body: bytes) -> int | None:
    """The index of the link that a route leaves by. Raises Malformed."""
    _header(body)
    said = attributes(body[ROUTE.size :])
    return number(said[RTA_LINK], 4) if RTA_LINK in said else None


def in_order(routes: Iterable[Route]) -> list[Route]:
    """Those that gateways are found by come first: the nearer the scope, the greater its number."""
    return sorted(routes, key=lambda route: -route.scope)


def question(destination: str, source: str | None) -> bytes:
    """The body that asks which way packets to `destination` go. Raises OSError for what is no IP address."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    packed = {RTA_DESTINATION: socket.inet_pton(family, destination)}
    if source is not None:
        packed[RTA_SOURCE] = socket.inet_pton(family, source)
    bits = len(packed[RTA_DESTINATION]) * 8
    return ROUTE.pack(family, bits, 0 if source is None else bits, 0, 0, 0, 0, 0, 0) + build_attributes(packed)


def _header(body: bytes) -> tuple[int, ...]:
    if len(body) < ROUTE.size:
        raise Malformed(f"a route message has only {len(body)} bytes")
    return ROUTE.unpack_from(body)


def _text(family: int, packed: bytes | None) -> str | None:
    fits = packed is not None and len(packed) == LENGTHS.get(family)
    return socket.inet_ntop(family, packed) if fits and packed is not None else None
