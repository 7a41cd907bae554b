"""Uevents as the kernel and udevd multicast them: open the socket, read one message, take it apart.

Ours rather than libudev's monitor, which dies of a message whose header lies about its lengths (252, seen), and costs
50 µs an event by pyudev where this costs 7. What an event means stands elsewhere. Only who has CAP_NET_ADMIN can send
here at all.
"""

import errno
import os
import socket
import struct
from dataclasses import dataclass

from hwcensus_agent.netlink.connection import widen
from hwcensus_agent.netlink.frame import Malformed
from hwcensus_agent.netlink.monitor import Overflow

NETLINK_KOBJECT_UEVENT = 15
KERNEL, UDEV = 1, 2  # groups: what the kernel tells, and the same once udev's rules have run
DATAGRAM_LIMIT = 1 << 16  # the kernel's have 2 KiB at most, udevd's what its rules wrote: seen up to 6

#: systemd, sd-device/device-monitor.c, struct monitor_netlink_header: its size, and where the properties are.
_PREFIX, _MAGIC = b"libudev\0", 0xFEEDCAFE
_HEADER = struct.Struct("=8s4sIII")
_HEADER_SIZE = 40


@dataclass(frozen=True, slots=True)
class Uevent:
    """One event; its properties as they came."""

    action: str
    devpath: str  # below /sys, of whatever bytes (os.fsdecode)
    lines: bytes  # `KEY=value`, each between zeros

    def text(self, key: bytes) -> str | None:
        found = _value(self.lines, key)
        return None if found is None else os.fsdecode(found)


class UeventMonitor:
    """Hears of every device of this network namespace, and of those outside namespaces, from the moment it is made."""

    def __init__(self, group: int, *, receive_buffer: int) -> None:
        """`receive_buffer` in bytes, as large as we may. Raises OSError."""
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._group = group
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_KOBJECT_UEVENT)
        try:
            widen(self._socket, receive_buffer)
            self._socket.bind((0, group))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def receive(self) -> Uevent | None:
        """The next event; None when there is none. Never blocks.

        Raises Overflow once a loss, after which the kernel drops all until the socket has been read empty. Raises
        Malformed for that event alone; OSError.
        """
        try:
            datagram, _, flags, (sender, groups) = self._socket.recvmsg(DATAGRAM_LIMIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise Overflow from error
            raise
        if flags & socket.MSG_TRUNC:
            raise Malformed(f"a uevent is longer than {DATAGRAM_LIMIT} bytes")
        if groups != self._group or (self._group == KERNEL and sender != 0):
            raise Malformed("a uevent is from neither the kernel nor udevd")
        return parse_uevent(datagram)


def parse_uevent(datagram: bytes) -> Uevent:
    """One message of either group. Raises Malformed."""
    lines = b"\0%b\0" % (_udevs(datagram) if datagram.startswith(_PREFIX) else datagram.partition(b"\0")[2])
    action, devpath = _value(lines, b"ACTION"), _value(lines, b"DEVPATH")
    if not action or devpath is None or not devpath.startswith(b"/") or b"/../" in devpath + b"/":
        raise Malformed("a uevent names no action, or no device")
    return Uevent(action.decode("ascii", "replace"), os.fsdecode(devpath), lines)


def _value(lines: bytes, key: bytes) -> bytes | None:
    """Found where it is asked for: of an event's thirty properties five are."""
    sign = b"\0%b=" % key
    at = lines.find(sign)
    return None if at < 0 else lines[at + len(sign) : lines.index(b"\0", at + 1)]


def _udevs(datagram: bytes) -> bytes:
    """The properties in a message of udevd's."""
    if len(datagram) < _HEADER_SIZE:
        raise Malformed(f"udev's header has {_HEADER_SIZE} bytes, here are {len(datagram)}")
    _, magic, _, offset, length = _HEADER.unpack_from(datagram)
    if magic != _MAGIC.to_bytes(4, "big"):
        raise Malformed("a message in libudev's name has another magic number")
    if not _HEADER_SIZE <= offset <= len(datagram) - length:
        raise Malformed(f"{length} bytes of properties at {offset} do not fit into {len(datagram)}")
    return datagram[offset : offset + length]
