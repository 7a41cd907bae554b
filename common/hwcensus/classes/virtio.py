"""Virtio devices: the smallest complete class, and the one to read first (OASIS virtio 1.2, section 5)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Bus
from hwcensus.fact import NUMBER, optional, required


@dataclass(frozen=True, kw_only=True)
class VirtioBus(Bus):
    """Where a virtual function of the hypervisor sits: vendor and device type."""

    type_: ClassVar[str] = "virtio"

    vendor: int = required("vendor@id", NUMBER, label="vendor")
    product: int = required("product@id", NUMBER, label="product", doc="virtio device type: 1 net, 2 block, …")
    product_name: str | None = optional("product", label="product_name")
    number: int = required("address@number", NUMBER, handle=True)
