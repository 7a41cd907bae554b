"""Serial ports that hardware is behind (kernel ABI sysfs-tty; linux/serial.h)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability
from hwcensus.fact import NUMBER, WORD, optional


@dataclass(frozen=True, kw_only=True)
class Tty(Capability):
    """A serial port."""

    type_: ClassVar[str] = "tty"

    type: str | None = optional("type", WORD, doc="usb, pci, platform (of the board), bluetooth: how it is attached")
    line: int | None = optional("line", NUMBER, handle=True, doc="number among the ports of its kind")
    uart: str | None = optional("uart", WORD, doc="8250, 16550A, …")
    address: str | None = optional("address", WORD, handle=True, doc="of its registers: I/O port or memory")
