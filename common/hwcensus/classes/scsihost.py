"""SCSI hosts, and Fibre Channel ports among them, physical and virtual (kernel's scsi_transport_fc.c; NPIV: FC-LS-2).

Also the form that commands to create a virtual port are written in.
"""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import DECIMAL, NUMBER, TEXT, WWN, optional, repeated


@dataclass(frozen=True, kw_only=True)
class FcState(State):
    """The port as it is now. Nothing announces a change of it."""

    port: str | None = optional("@port", TEXT, doc="port_state")
    speed: str | None = optional("@speed", DECIMAL, doc="Gb/s")
    fabric_wwn: str | None = optional("@fabric_wwn", WWN, identifier="wwnn", own=False)
    symbolic_name: str | None = optional("@symbolic_name", TEXT, doc="what the port is registered as in the fabric")
    vports: int | None = optional("@vports", NUMBER, doc="npiv_vports_inuse")
    vport: str | None = optional("@vport", TEXT, doc="vport_state, of a virtual port")
    wanted: tuple[str, ...] = repeated(
        "wanted", WWN, doc="WWPNs of the virtual ports that the host makes again at boot"
    )


@dataclass(frozen=True, kw_only=True)
class Fc(Capability):
    """A Fibre Channel port, physical (`vports_max`) or virtual (`parent_wwpn`).

    Model, firmware and serial are the adapter's, which all its ports show.
    """

    type_: ClassVar[str] = "fc"
    within: ClassVar[tuple[str, ...]] = ("scsihost",)
    state_class: ClassVar[type[State]] = FcState

    wwnn: str | None = optional("address@wwnn", WWN, label="wwnn", identifier="wwnn")
    wwpn: str | None = optional("address@wwpn", WWN, label="wwpn", identifier="wwpn")
    vports_max: int | None = optional("vports@max", NUMBER)
    parent_wwpn: str | None = optional("vport@parent_wwpn", WWN)
    port_type: str | None = optional("port_type")
    supported_speeds: str | None = optional("supported_speeds", TEXT, doc="Gb/s, blank-separated")
    model: str | None = optional("model")
    firmware: str | None = optional("firmware")
    serial: str | None = optional("serial", identifier="serial", own=False)


@dataclass(frozen=True, kw_only=True)
class ScsiHost(Capability):
    """A SCSI host bus adapter."""

    type_: ClassVar[str] = "scsihost"

    host: int | None = optional("host", NUMBER, handle=True)
    unique_id: int | None = optional("unique_id", NUMBER, handle=True)
    proc_name: str | None = optional("proc_name")
