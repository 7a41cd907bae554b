"""NVMe controllers (NVM Express base specification 2.0). Their namespaces are block devices."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import WORD, YES_NO, optional


@dataclass(frozen=True, kw_only=True)
class NvmeState(State):
    """What the driver is doing with it: live, connecting, resetting, …"""

    controller: str | None = optional("@controller", WORD)


@dataclass(frozen=True, kw_only=True)
class Nvme(Capability):
    """A controller, in the machine or reached over a fabric, where its serial is `seen`. It is its model's serial."""

    type_: ClassVar[str] = "nvme"
    state_class: ClassVar[type[State]] = NvmeState

    model: str | None = optional("model")
    serial_san: bool | None = optional("serial@san", YES_NO)
    serial: str | None = optional("serial", identifier="serial", seen_if="san", beside=("model",))
    firmware: str | None = optional("firmware")
    transport: str | None = optional("transport", WORD, doc="pcie, rdma, tcp, fc, loop")
    nqn: str | None = optional("nqn", doc="qualified name of its subsystem")
