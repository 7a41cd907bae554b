"""SCSI hosts, and what makes some of them Fibre Channel ports, physical or virtual.

A host is the kernel's bus device; its classes `scsi_host`, `fc_host` and `fc_vports` show the facts. HAL knows its
number, and nothing of Fibre Channel.
"""

import re

from hwcensus.classes.scsihost import Fc, FcState, ScsiHost
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, first, hal, number_in_name, unless, worked_out
from hwcensus_agent.describe.fc import above, adapter, attribute, class_folder, gigabits, known, made, physical, wwn
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

FIBRE_CHANNEL = "0x0c04"  # PCI class and subclass (PCI code and ID assignment specification)


SCSI_HOST = Facts(
    ScsiHost,
    host=first(number_in_name(r"host(\d+)"), hal("scsi_host.host")),
    unique_id=made(attribute("scsi_host", "unique_id"), int),
    proc_name=unless("(null)", attribute("scsi_host", "proc_name")),  # of a driver that gives none (uas, hv_storvsc)
)

_PORT_NAME = made(attribute("fc_host", "port_name"), wwn)

#: Vports are counted by `fc_host`, before 2.6.24 by the `scsi_host` of lpfc. What the adapter is, each driver calls by
#: names of its own: lpfc, qla2xxx, bfa; `fc_host` has it of drivers that register it in the fabric (FDMI).
FC = Facts(
    Fc,
    wwnn=made(attribute("fc_host", "node_name"), wwn),
    wwpn=_PORT_NAME,
    vports_max=made(
        first(attribute("fc_host", "max_npiv_vports", physical), attribute("scsi_host", "max_npiv_vports", physical)),
        int,
    ),
    parent_wwpn=made(attribute("fc_host", "port_name", adapter, words=" of the host above `vport-*`"), wwn),
    port_type=made(attribute("fc_host", "port_type"), known),
    supported_speeds=made(attribute("fc_host", "supported_speeds"), gigabits),
    model=first(
        attribute("scsi_host", "modelname"),
        attribute("scsi_host", "model_name"),
        attribute("scsi_host", "model"),
        attribute("fc_host", "model"),
    ),
    firmware=first(
        attribute("scsi_host", "fwrev"),
        attribute("scsi_host", "fw_version"),
        attribute("scsi_host", "firmware_version"),
        attribute("fc_host", "firmware_version"),
    ),
    serial=first(
        attribute("scsi_host", "serialnum"),
        attribute("scsi_host", "serial_num"),
        attribute("scsi_host", "serial_number"),
        attribute("fc_host", "serial_number"),
    ),
)


@worked_out(sysfs="what this agent keeps for the adapter of this `fc_host/*/port_name` (`desired.json`)")
def wanted(view: View, host: HostView) -> tuple[str, ...]:
    return () if physical(view) is None else host.wanted(str(_PORT_NAME.read(view, host)))


STATE = Facts(
    FcState,
    Fc,
    port=attribute("fc_host", "port_state"),
    speed=made(attribute("fc_host", "speed"), gigabits),
    fabric_wwn=made(attribute("fc_host", "fabric_name"), wwn),
    symbolic_name=attribute("fc_host", "symbolic_name"),
    vports=made(
        first(
            attribute("fc_host", "npiv_vports_inuse", physical), attribute("scsi_host", "npiv_vports_inuse", physical)
        ),
        int,
    ),
    vport=attribute("fc_vports", "vport_state", above("vport-")),
    wanted=wanted,
)


def describe(view: View, host: HostView) -> Description:
    port = FC.of(view, host, state=STATE.of(view, host)) if _is_port(view) else None
    found = SCSI_HOST.of(view, host, nested=(port,))
    return Description(capabilities=() if found is None else (found,))


def waits_for_port(view: View) -> bool:
    """Whether the kernel is still to make the `fc_host` of this host, which comes last of all.

    Certain for virtual ports, software FCoE and adapters of the PCI class; of others it is not known, nor waited for.
    """
    if _is_port(view):
        return False
    certain = re.search(r"/(vport-|ctlr_)[^/]+/host\d+$", view.syspath) is not None
    return certain or (view.text("../class") or "").startswith(FIBRE_CHANNEL)


def _is_port(view: View) -> bool:
    return view.has(class_folder(view, view.syspath, "fc_host"))
