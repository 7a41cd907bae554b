"""Printers on USB, as they name themselves (IEEE 1284 device id; kernel driver usblp)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability
from hwcensus.fact import optional


@dataclass(frozen=True, kw_only=True)
class Printer(Capability):
    """A printer."""

    type_: ClassVar[str] = "printer"

    vendor: str | None = optional("vendor")
    product: str | None = optional("product")
    serial: str | None = optional("serial", identifier="serial", beside=("vendor", "product"))
    description: str | None = optional("description")
    commands: str | None = optional("commands", doc="languages that it understands, with commas between")
