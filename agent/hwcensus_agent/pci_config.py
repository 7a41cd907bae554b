"""A function's configuration space (PCI Local Bus 3.0, chapter 6; PCI Express Base 5.0, 7.5), read with checks.

Only the standard header and the words asked for: there are devices that stop when other registers are read. The kernel
gives the header to everybody and the rest to root alone.
"""

import os
from dataclasses import dataclass

HEADER = 64  # bytes
STATUS, REVISION, TYPE, BUSES, POINTER, CARDBUS_POINTER = 0x06, 0x08, 0x0E, 0x18, 0x34, 0x14
HAS_CAPABILITIES = 1 << 4  # in the status register
EXPRESS = 0x10  # capability id
FLAGS, LINK_CAPABILITIES = 0x02, 0x0C  # in the express capability
#: Types of functions inside the root complex, which have no link.
INTEGRATED = frozenset({0x9, 0xA})
MOST_CAPABILITIES = 48  # of four bytes each, from the header's end to the 256th byte
#: Speed codes of link capabilities → GT/s.
SPEEDS = {1: "2.5", 2: "5", 3: "8", 4: "16", 5: "32", 6: "64"}
WIDTHS = frozenset({1, 2, 4, 8, 12, 16, 32})
CARDBUS = 2  # header type
#: Header types of bridges.
BRIDGES = frozenset({1, CARDBUS})


@dataclass(frozen=True, kw_only=True)
class Link:
    """What the express capability says of the link."""

    port: int
    speed: str | None
    width: int | None


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is known of a function by its configuration space."""

    revision: int
    #: Buses that a bridge leads to, the first and the last one.
    secondary: int | None
    subordinate: int | None
    link: Link | None
    #: Whether there are capabilities that only root may read.
    hidden: bool


def read(descriptor: int) -> Config | None:
    """Of the open `config`; None where it is cut short, or the function answers nothing (all ones). Raises OSError."""
    header = os.pread(descriptor, HEADER, 0)
    if len(header) < HEADER or header[:2] in (b"\xff\xff", b"\0\0"):
        return None
    is_bridge = header[TYPE] & 0x7F in BRIDGES
    link, hidden = _link(descriptor, header)
    return Config(
        revision=header[REVISION],
        secondary=header[BUSES + 1] if is_bridge else None,
        subordinate=header[BUSES + 2] if is_bridge else None,
        link=link,
        hidden=hidden,
    )


def _link(descriptor: int, header: bytes) -> tuple[Link | None, bool]:
    """The link, and whether there may be one that we may not see."""
    if not _number(header[STATUS : STATUS + 2]) & HAS_CAPABILITIES:
        return None, False
    at = header[CARDBUS_POINTER if header[TYPE] & 0x7F == CARDBUS else POINTER] & ~3
    for _ in range(MOST_CAPABILITIES):
        if at < HEADER:
            break
        capability = os.pread(descriptor, 2, at)
        if len(capability) < 2:
            return None, True
        if capability[0] == EXPRESS:
            return _express(descriptor, at), False
        at = capability[1] & ~3
    return None, False


def _express(descriptor: int, at: int) -> Link | None:
    found = os.pread(descriptor, 16, at)
    word = _number(found[LINK_CAPABILITIES:])
    if len(found) < 16 or not word or found[FLAGS] >> 4 in INTEGRATED:
        return None
    width = word >> 4 & 0x3F
    return Link(port=word >> 24, speed=SPEEDS.get(word & 0xF), width=width if width in WIDTHS else None)


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
