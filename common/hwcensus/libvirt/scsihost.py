"""SCSI hosts, and Fibre Channel ports among them."""

from lxml import etree

from hwcensus.classes.scsihost import Fc, FcState, ScsiHost
from hwcensus.libvirt.element import capability, leaf


def write(host: ScsiHost) -> etree._Element:
    fc = host.find("fc")
    parts = _port(fc) if isinstance(fc, Fc) else []
    return capability("scsi_host", [leaf("host", host.host or 0), leaf("unique_id", host.unique_id), *parts])


def _port(fc: Fc) -> list[etree._Element | None]:
    now = fc.state if isinstance(fc.state, FcState) else FcState()
    if fc.wwnn is None or fc.wwpn is None:
        return []
    names = [leaf("wwnn", fc.wwnn), leaf("wwpn", fc.wwpn), leaf("fabric_wwn", now.fabric_wwn)]
    counts = [leaf("max_vports", fc.vports_max), leaf("vports", now.vports or 0)]
    return [capability("fc_host", names), capability("vport_ops", counts) if fc.vports_max else None]
