"""SCSI targets, and the Fibre Channel port that one is reached through (kernel's scsi_transport_fc.c)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import HEX6, NUMBER, TEXT, WWN, optional, required


@dataclass(frozen=True, kw_only=True)
class ScsiTarget(Capability):
    """What answers at one place of a SCSI host, with one logical unit or many."""

    type_: ClassVar[str] = "scsi_target"

    host: int = required("host", NUMBER, handle=True)
    bus: int = required("bus", NUMBER)
    target: int = required("target", NUMBER)


@dataclass(frozen=True, kw_only=True)
class FcRemotePortState(State):
    """The remote port as the host sees it now. Nothing announces a change of it."""

    port_id: str | None = optional("@port_id", HEX6, doc="its address in the fabric")
    port: str | None = optional("@port", TEXT, doc="port_state")


@dataclass(frozen=True, kw_only=True)
class FcRemotePort(Capability):
    """A port of the fabric, of another machine than the host's."""

    type_: ClassVar[str] = "fc_remote_port"
    within: ClassVar[tuple[str, ...]] = ("scsi_target",)
    state_class: ClassVar[type[State]] = FcRemotePortState

    wwnn: str | None = optional("address@wwnn", WWN, label="wwnn", identifier="wwnn", own=False)
    wwpn: str | None = optional("address@wwpn", WWN, label="wwpn", identifier="wwpn", own=False)
    roles: str | None = optional("roles")
