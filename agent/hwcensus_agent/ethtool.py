"""What the driver of a network interface tells when it is asked (SIOCETHTOOL, kernel ABI linux/ethtool.h).

By ioctl, which kernels before 5.6 have too, rather than by netlink. A question is one system call, answered from memory
by nearly all drivers; nothing is set. It wakes hardware that sleeps: whether to ask is for the caller to decide.
"""

import errno
import fcntl
import os
import socket
import struct
from array import array
from dataclasses import dataclass

from hwcensus.fact import printable
from hwcensus_agent.sysfs import ABSENT, Unreadable

SIOCETHTOOL = 0x8946
GDRVINFO, GSTRINGS, GPERMADDR, GSSET_INFO, GFEATURES = 0x03, 0x1B, 0x20, 0x37, 0x3A  # ETHTOOL_*
FEATURES = 4  # ETH_SS_FEATURES

IFREQ = struct.Struct("16sP16x")  # name, address of request and answer
NAME = 16  # IFNAMSIZ
STRING = 32  # ETH_GSTRING_LEN
ADDRESS = 32  # MAX_ADDR_LEN
MOST_FEATURES = 1024  # kernels of 2026 name 67
DRVINFO = struct.Struct("I32s32s32s96x")  # command, driver, version, firmware
BLOCK = struct.Struct("4I")  # of 32 features: available, requested, active, never changed


@dataclass(frozen=True, kw_only=True)
class DriverInfo:
    """What a driver says of itself."""

    name: str | None
    version: str | None  # the kernel's own where the driver has none (since 5.11)
    firmware: str | None


class Ethtool:
    """Asks about one interface of this network namespace. All that asks may raise Unreadable."""

    def __init__(self, name: str) -> None:
        self._name = os.fsencode(name)
        self._driver: DriverInfo | None = None

    def driver(self) -> DriverInfo | None:
        """What its driver says of itself. It is asked once."""
        self._driver = self._driver or self._driver_info()
        return self._driver

    def _driver_info(self) -> DriverInfo | None:
        answer = self._ask(DRVINFO.pack(GDRVINFO, b"", b"", b""))
        if answer is None:
            return None
        _, name, version, firmware = DRVINFO.unpack(answer)
        return DriverInfo(name=_text(name), version=_text(version), firmware=_text(firmware))

    def permanent_address(self) -> str | None:
        """Lower-case hex with colons, zeros where the hardware has none."""
        answer = self._ask(struct.pack("II", GPERMADDR, ADDRESS) + bytes(ADDRESS))
        if answer is None:
            return None
        size = struct.unpack_from("I", answer, 4)[0]
        return answer[8 : 8 + min(size, ADDRESS)].hex(":") or None

    def features(self) -> frozenset[str]:
        """Names of the features that are in use, as this kernel has them; none where it names none (before 2.6.39)."""
        names = self._feature_names()
        blocks = -(-len(names) // 32)
        answer = self._ask(struct.pack("II", GFEATURES, blocks) + bytes(blocks * BLOCK.size)) if names else None
        if answer is None:
            return frozenset()
        active = [BLOCK.unpack_from(answer, 8 + block * BLOCK.size)[2] for block in range(blocks)]
        return frozenset(name for at, name in enumerate(names) if name and active[at // 32] >> at % 32 & 1)

    def _feature_names(self) -> list[str | None]:
        answer = self._ask(struct.pack("IIQI", GSSET_INFO, 0, 1 << FEATURES, 0))
        if answer is None:
            return []
        _, _, known, count = struct.unpack("IIQI", answer)
        if not known or not 0 < count <= MOST_FEATURES:
            return []
        strings = self._ask(struct.pack("III", GSTRINGS, FEATURES, count) + bytes(count * STRING))
        return [] if strings is None else [_text(strings[at : at + STRING]) for at in range(12, len(strings), STRING)]

    def _ask(self, request: bytes) -> bytes | None:
        """The request as the kernel filled it; None where there is no such thing to ask. Raises Unreadable."""
        if not 0 < len(self._name) < NAME:
            return None
        buffer = array("B", request)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                fcntl.ioctl(connection, SIOCETHTOOL, IFREQ.pack(self._name, buffer.buffer_info()[0]))
        except OSError as error:
            if error.errno in ABSENT or error.errno in {errno.EINVAL, errno.ENOTTY}:
                return None
            raise Unreadable(f"ethtool: {error.strerror}") from error
        return buffer.tobytes()


def _text(raw: bytes) -> str | None:
    return printable(raw.split(b"\0", 1)[0].strip()) or None
