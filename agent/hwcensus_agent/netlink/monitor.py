"""Hears of changes to network links. It keeps no picture of them and does not list them: see rtnetlink.RouteSocket."""

import errno
from dataclasses import dataclass
from enum import StrEnum

from hwcensus.errors import HwcensusError
from hwcensus_agent.netlink.connection import open_route, receive, widen
from hwcensus_agent.netlink.frame import Message
from hwcensus_agent.netlink.link import Link, fingerprint, is_wireless_event, parse_link

RTMGRP_LINK = 1
RTM_NEWLINK, RTM_DELLINK = 16, 17
AF_UNSPEC, AF_BRIDGE = 0, 7


class Overflow(HwcensusError):
    """the kernel had more to say than the socket's buffer holds"""

    code = "netlink-overflow"


class LinkChange(StrEnum):
    """What an event says of its link."""

    NEW = "new"  # it is there, as described: new or changed
    DELETED = "deleted"
    PORT = "port"  # its part in a bridge began, changed or ended; only index, name and master are told


@dataclass(frozen=True, kw_only=True)
class LinkEvent:
    """One notice of the kernel."""

    change: LinkChange
    link: Link
    fingerprint: int | None = None  # of two that are equal, the second tells nothing new


class LinkMonitor:
    """Hears of every change to a link of this network namespace, from the moment it is made."""

    def __init__(self, *, receive_buffer: int) -> None:
        """`receive_buffer` in bytes, as large as we may. Raises OSError."""
        self._socket = open_route(RTMGRP_LINK)
        self._socket.setblocking(False)
        widen(self._socket, receive_buffer)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def receive(self) -> list[LinkEvent] | None:
        """The events of one datagram, possibly none; None when there is no datagram. Never blocks.

        Raises Overflow once a loss. The kernel then drops all until the socket has been read empty, so go on reading,
        and look at everything only after the None. Raises Malformed for that datagram alone; OSError.
        """
        try:
            return [event for message in receive(self._socket) for event in _events(message)]
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise Overflow from error
            raise


def _events(message: Message) -> list[LinkEvent]:
    if message.type not in (RTM_NEWLINK, RTM_DELLINK):
        return []
    link = parse_link(message.body)
    if link.family == AF_BRIDGE:
        # Its DELLINK says that the port left the bridge, not that the link is gone.
        return [LinkEvent(change=LinkChange.PORT, link=link)]
    if link.family != AF_UNSPEC or is_wireless_event(message.body):
        return []
    if message.type == RTM_DELLINK:
        return [LinkEvent(change=LinkChange.DELETED, link=link)]
    return [LinkEvent(change=LinkChange.NEW, link=link, fingerprint=fingerprint(message.body))]
