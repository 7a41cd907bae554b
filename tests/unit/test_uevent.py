"""Uevents taken apart: the kernel's and udevd's, and whatever else somebody may send."""

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.netlink.frame import Malformed
from hwcensus_agent.netlink.uevent import parse_uevent

#: As this kernel sent it, and udevd 252 after it.
LINES = b"ACTION=add\0DEVPATH=/devices/virtual/net/br0\0SUBSYSTEM=net\0INTERFACE=br0\0IFINDEX=7\0SEQNUM=1021\0"
KERNEL = b"add@/devices/virtual/net/br0\0" + LINES


def udevs(lines: bytes, *, magic: int = 0xFEEDCAFE, offset: int = 40, length: int | None = None) -> bytes:
    """As udevd sends them (systemd, sd-device/device-monitor.c, struct monitor_netlink_header)."""
    sizes = struct.pack("=III", 40, offset, len(lines) if length is None else length)
    return b"libudev\0" + struct.pack(">I", magic) + sizes + bytes(16) + lines


@pytest.mark.parametrize("datagram", [KERNEL, udevs(LINES)])
def test_both_say_what_happened_to_which_device(datagram: bytes) -> None:
    event = parse_uevent(datagram)
    assert (event.action, event.devpath, event.text(b"SUBSYSTEM")) == ("add", "/devices/virtual/net/br0", "net")
    assert event.text(b"DEVTYPE") is None


def test_a_path_keeps_its_bytes() -> None:
    event = parse_uevent(KERNEL.replace(b"br0", b"br\xe9"))
    assert os.fsencode(event.devpath) == b"/devices/virtual/net/br\xe9"


MALFORMED = [
    b"",
    b"\xff" * 100,
    b"libudev\0",
    udevs(b"", length=0xFFFFFFFF),
    udevs(LINES, offset=0xFFFFFFFF),
    udevs(LINES, offset=0),
    udevs(LINES, length=len(LINES) + 1),
    udevs(LINES, magic=1),
    udevs(b"no property at all"),
    udevs(b"ACTION=add\0"),
    udevs(b"ACTION=\0DEVPATH=/devices/x\0"),
    udevs(b"ACTION=add\0DEVPATH=devices/x\0"),
    udevs(b"ACTION=add\0DEVPATH=/devices/../../etc\0"),
]


@pytest.mark.parametrize("datagram", MALFORMED)
def test_what_names_no_device_or_lies_about_its_lengths_is_malformed(datagram: bytes) -> None:
    with pytest.raises(Malformed):
        parse_uevent(datagram)


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_whatever_comes_is_an_event_or_malformed(noise: bytes, offset: int, length: int) -> None:
    for datagram in (noise, udevs(noise), udevs(noise, offset=offset, length=length), b"add@/x\0" + noise):
        try:
            assert parse_uevent(datagram).devpath.startswith("/")
        except Malformed:
            continue
