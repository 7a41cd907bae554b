"""The kernel's network links: list, make, change and delete them (RouteSocket), hear of changes (LinkMonitor).

Of addresses and routes only what is needed to find a way, and to give back what a link lost. Requests block; the
kernel answers them inside `send`.
"""

import errno
import os
import struct
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from hwcensus.errors import HwcensusError
from hwcensus_agent.netlink import ip
from hwcensus_agent.netlink import link as ifla
from hwcensus_agent.netlink.connection import open_route, receive
from hwcensus_agent.netlink.frame import (
    HEADER,
    Malformed,
    Message,
    attributes,
    build_attributes,
    build_message,
    text,
)
from hwcensus_agent.netlink.link import INFO, Link, parse_link
from hwcensus_agent.netlink.monitor import LinkChange, LinkEvent, LinkMonitor, Overflow
from hwcensus_agent.netlink.new_link import NewLink

__all__ = [
    "DumpInterrupted", "Link", "LinkChange", "LinkEvent", "LinkMonitor", "Malformed", "NewLink", "Overflow",
    "RouteSocket",
]  # fmt: skip

NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_GETROUTE = 20, 22, 24, 26
REQUEST, ACK, DUMP, EXCLUSIVE, CREATE = 0x1, 0x4, 0x300, 0x200, 0x400  # NLM_F_*
DUMP_INTERRUPTED, ACK_HAS_TEXT = 0x10, 0x200  # NLM_F_DUMP_INTR, NLM_F_ACK_TLVS
ERROR_TEXT = 1  # NLMSGERR_ATTR_MSG
SKIP_STATISTICS = 8  # RTEXT_FILTER_SKIP_STATS

NAME_LIMIT = 15  # IFNAMSIZ without NUL, in bytes
ALIAS_LIMIT = 255  # IFALIASZ without NUL, in bytes
DUMP_ATTEMPTS = 10
AF_UNSPEC = 0


class DumpInterrupted(HwcensusError):
    """the links kept changing while they were listed"""

    code = "netlink-dump-interrupted"


class RouteSocket:
    """Questions and orders about links. Use with `with`.

    Every method may raise OSError: the kernel's errno and, where the kernel gives one, its text.
    """

    def __init__(self, *, timeout: float = 10.0) -> None:
        """`timeout`, in seconds, is a guard only: an answer can be lost where memory is short."""
        self._socket = open_route()
        self._socket.settimeout(timeout)
        self._seq = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def dump_links(self) -> list[Link]:
        """All links of this network namespace. Raises DumpInterrupted, Malformed, OSError."""
        body = _info() + build_attributes({ifla.EXT_MASK: _u32(SKIP_STATISTICS)})
        for _ in range(DUMP_ATTEMPTS):
            answers = self.ask(RTM_GETLINK, DUMP, body)
            if not any(answer.flags & DUMP_INTERRUPTED for answer in answers):
                return [parse_link(answer.body) for answer in answers if answer.type == RTM_NEWLINK]
        raise DumpInterrupted

    def link_by_name(self, name: str) -> Link | None:
        """The link of this name; None where there is none. Raises Malformed, OSError."""
        encoded = os.fsencode(name)
        if not 0 < len(encoded) <= NAME_LIMIT:
            return None  # no link can have it, and the kernel would answer ERANGE
        body = _info() + build_attributes({ifla.IFNAME: encoded + b"\0", ifla.EXT_MASK: _u32(SKIP_STATISTICS)})
        try:
            answers = self.ask(RTM_GETLINK, ACK, body)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return None
        return next((parse_link(answer.body) for answer in answers if answer.type == RTM_NEWLINK), None)

    def create_link(self, new: NewLink, *, alias: str | None = None) -> Link:
        """Make a link, down and without ports, and give it back. Raises FileExistsError where the name is taken (of a
        VLAN also its number), ValueError for a name or alias that cannot be one, OSError.

        `group` is set by the request that creates; `alias` by a second one, for the kernel ignores it in the first
        (measured on 6.18), and that takes the group back. So after a crash either tells for certain who made the link.
        """
        wanted = new.attributes()
        tag = _alias(alias) if alias is not None else None
        self.ask(RTM_NEWLINK, CREATE | EXCLUSIVE | ACK, _info() + wanted)
        made = self.link_by_name(new.name)
        if made is None:
            raise OSError(errno.ENODEV, f"{new.name} was gone as soon as it was made")
        if tag is None:
            return made
        try:
            self.ask(RTM_NEWLINK, ACK, _info(made.index) + build_attributes({ifla.IFALIAS: tag, ifla.GROUP: _u32(0)}))
        except OSError:
            self.delete_link(made.index)
            raise
        return replace(made, alias=alias, group=0)

    def set_master(self, index: int, master: int | None) -> None:
        """Enslave a link to a bridge or bond, or release it. Raises OSError: a bond wants it down, and leaves it up."""
        self.ask(RTM_NEWLINK, ACK, _info(index) + build_attributes({ifla.MASTER: _u32(master or 0)}))

    def set_up(self, index: int, up: bool) -> None:
        """Raises OSError."""
        self.ask(RTM_NEWLINK, ACK, _info(index, ifla.UP if up else 0, ifla.UP))

    def delete_link(self, index: int) -> None:
        """Delete a link made by software. Raises OSError: ENODEV where there is none, EOPNOTSUPP for hardware."""
        if index <= 0:
            raise ValueError(f"a link has no index {index}")
        self.ask(RTM_DELLINK, ACK, _info(index))

    def link_towards(self, destination: str, source: str | None = None) -> int | None:
        """Index of the link by which packets to this IP address leave; None where no route leads there."""
        try:
            answers = self.ask(RTM_GETROUTE, ACK, ip.question(destination, source))
        except OSError:  # no route, or an address that is no longer ours, or none at all
            return None
        return next((ip.leaves_by(answer.body) for answer in answers if answer.type == RTM_NEWROUTE), None)

    def dump_addresses(self) -> list[ip.Address]:
        """The IP addresses of this network namespace. Raises Malformed, OSError."""
        answers = self.ask(RTM_GETADDR, DUMP, ip.ADDRESS.pack(AF_UNSPEC, 0, 0, 0, 0))
        found = (ip.parse_address(answer.body) for answer in answers if answer.type == RTM_NEWADDR)
        return [address for address in found if address is not None]

    def dump_routes(self) -> list[ip.Route]:
        """Its routes, but for what the kernel makes itself. Raises Malformed, OSError."""
        answers = self.ask(RTM_GETROUTE, DUMP, ip.ROUTE.pack(AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0))
        found = (ip.parse_route(answer.body) for answer in answers if answer.type == RTM_NEWROUTE)
        return [route for route in found if route is not None]

    def give_back(self, lost: ip.Address | ip.Route) -> None:
        """Set an address or route as it was dumped; one that is there stays. Raises OSError."""
        with suppress(FileExistsError):
            kind = RTM_NEWADDR if isinstance(lost, ip.Address) else RTM_NEWROUTE
            self.ask(kind, CREATE | EXCLUSIVE | ACK, lost.body)

    def ask(self, kind: int, flags: int, body: bytes) -> list[Message]:
        self._seq += 1
        self._socket.send(build_message(kind, REQUEST | flags, self._seq, body))
        answers: list[Message] = []
        while True:
            for message in receive(self._socket):
                if message.seq != self._seq:
                    continue  # the rest of what an earlier request, given up, was answered
                if message.type == NLMSG_ERROR:
                    _raise_refusal(message)
                    return answers
                answers.append(message)
                if message.type == NLMSG_DONE:
                    _raise_refusal(message)
                    return answers


def _raise_refusal(message: Message) -> None:
    """Nothing for an acknowledgement; OSError with the kernel's errno and text for a refusal."""
    if len(message.body) < 4:
        raise Malformed("an answer without its error code")
    code: int = struct.unpack_from("=i", message.body)[0]
    if code == 0:
        return
    said = os.strerror(-code)
    if message.type == NLMSG_ERROR and message.flags & ACK_HAS_TEXT:
        # NETLINK_CAP_ACK: after the code comes the request's header alone, then the attributes.
        reason = attributes(message.body[4 + HEADER.size :]).get(ERROR_TEXT)
        said = f"{said}: {text(reason)}" if reason else said
    raise OSError(-code, said)


def _info(index: int = 0, flags: int = 0, changed: int = 0) -> bytes:
    return INFO.pack(AF_UNSPEC, 0, index, flags, changed)


def _alias(alias: str) -> bytes:
    encoded = os.fsencode(alias)
    if not 0 < len(encoded) <= ALIAS_LIMIT:
        raise ValueError(f"an alias has 1 to {ALIAS_LIMIT} bytes, not {len(encoded)}")
    return encoded


def _u32(value: int) -> bytes:
    return struct.pack("=I", value)
