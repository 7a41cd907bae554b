"""A socket to the kernel's rtnetlink: open it, widen it, read one datagram. What is asked and told stands elsewhere."""

import socket

from hwcensus_agent.netlink.frame import Malformed, Message, messages

SOL_NETLINK = 270
NETLINK_CAP_ACK, NETLINK_EXT_ACK = 10, 11
SO_RCVBUFFORCE = 33
DATAGRAM_LIMIT = 1 << 16  # the kernel's dumps come in at most 32 KiB, and one link needs about 2


def open_route(groups: int = 0) -> socket.socket:
    """A blocking NETLINK_ROUTE socket that hears the groups of this bit mask. Raises OSError."""
    connection = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        connection.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        connection.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        connection.bind((0, groups))
    except OSError:
        connection.close()
        raise
    return connection


def receive(connection: socket.socket) -> list[Message]:
    """The messages of one datagram, none if another program sent it. Raises Malformed, OSError."""
    datagram, _, flags, sender = connection.recvmsg(DATAGRAM_LIMIT)
    if sender[0] != 0:
        return []
    if flags & socket.MSG_TRUNC:
        raise Malformed(f"a netlink datagram is longer than {DATAGRAM_LIMIT} bytes")
    return list(messages(datagram))


def widen(connection: socket.socket, size: int) -> None:
    """Give the socket a receive buffer of `size` bytes; without CAP_NET_ADMIN at most net.core.rmem_max."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
    except PermissionError:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
