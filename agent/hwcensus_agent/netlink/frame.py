"""Netlink frames: messages in a datagram, attributes in a message, both ways (kernel ABI linux/netlink.h).

Every length is checked against what is there, and nothing recurses: a malformed datagram raises, whatever it holds.
What messages and attributes mean stands elsewhere.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hwcensus.errors import HwcensusError

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length with header, type, flags, sequence, port
ATTRIBUTE = struct.Struct("=HH")  # rtattr: length with header, type
TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER


class Malformed(HwcensusError):
    """a netlink message is not as the kernel's ABI has it"""

    code = "netlink-malformed"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One netlink message."""

    type: int  # RTM_*, or NLMSG_*
    flags: int  # NLM_F_*
    seq: int  # the request's, 0 for what was not asked for
    body: bytes  # without the header


def messages(datagram: bytes) -> Iterator[Message]:
    """The messages of one datagram, in order. Raises Malformed when it comes to a broken one."""
    at = 0
    while at < len(datagram):
        if len(datagram) - at < HEADER.size:
            raise Malformed(f"{len(datagram) - at} bytes are left where a message of {HEADER.size} or more must begin")
        length, kind, flags, seq, _ = HEADER.unpack_from(datagram, at)
        if not HEADER.size <= length <= len(datagram) - at:
            raise Malformed(f"a message says that it has {length} bytes, where {len(datagram) - at} are left")
        yield Message(type=kind, flags=flags, seq=seq, body=datagram[at + HEADER.size : at + length])
        at += _aligned(length)


def attributes(payload: bytes) -> dict[int, bytes]:
    """Attribute type to value; of two of one type the last, as the kernel reads them. Raises Malformed."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(payload):
        if len(payload) - at < ATTRIBUTE.size:
            raise Malformed(f"{len(payload) - at} bytes are left where an attribute must begin")
        length, kind = ATTRIBUTE.unpack_from(payload, at)
        if not ATTRIBUTE.size <= length <= len(payload) - at:
            raise Malformed(f"attribute {kind} says that it has {length} bytes, where {len(payload) - at} are left")
        found[kind & TYPE_MASK] = payload[at + ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def number(value: bytes, size: int, order: str = "=") -> int:
    """An unsigned integer of `size` bytes (1, 2, 4), in host order or, with ">", in network order. Raises Malformed."""
    if len(value) < size:
        raise Malformed(f"an integer of {size} bytes has only {len(value)}")
    result: int = struct.unpack_from(order + {1: "B", 2: "H", 4: "I"}[size], value)[0]
    return result


def text(value: bytes) -> str:
    """A string that may or may not end in NUL. What is not UTF-8 is kept as surrogates, as `os.fsdecode` does."""
    return value.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def build_message(kind: int, flags: int, seq: int, body: bytes) -> bytes:
    """One whole message."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, seq, 0) + body


def build_attributes(values: Mapping[int, bytes]) -> bytes:
    """The attributes one after the other, padded. Raises ValueError for a value that has no room in one."""
    return b"".join(_attribute(kind, value) for kind, value in values.items())


def _attribute(kind: int, value: bytes) -> bytes:
    length = ATTRIBUTE.size + len(value)
    if length > 0xFFFF:
        raise ValueError(f"a value of {len(value)} bytes does not fit into a netlink attribute")
    return ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
