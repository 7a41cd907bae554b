"""SD and MMC cards (kernel: drivers/mmc/core/sd.c and mmc.c; the card's CID register)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Bus
from hwcensus.fact import HEX4, NUMBER, WORD, optional, required


@dataclass(frozen=True, kw_only=True)
class MmcBus(Bus):
    """A card in its slot. The address is the one that it was given when it was put in."""

    type_: ClassVar[str] = "mmc"

    vendor: int | None = optional("vendor@id", NUMBER, label="vendor", doc="manufacturer id")
    oem: int | None = optional("oem@id", NUMBER, label="oem")
    product_name: str | None = optional("product", label="product_name")
    type: str | None = optional("type", WORD, doc="SD, MMC, SDIO, SDcombo")
    serial: str | None = optional("serial", identifier="serial", beside=("vendor", "oem", "product_name"))
    cid: str | None = optional("cid", WORD)
    date: str | None = optional("date", WORD, doc="of manufacture, MM/YYYY")
    hardware: int | None = optional("revision@hardware", NUMBER)
    firmware: int | None = optional("revision@firmware", NUMBER)
    host: int = required("address@host", NUMBER, handle=True)
    card: str = required("address@card", HEX4, handle=True)
