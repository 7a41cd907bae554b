"""A virtual port whose adapter or names a creation document leaves to the centre: what may become of it on this host.

Named or chosen as the collector does it, by the census of now; which WWPN it gives is not known here.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from hwcensus.creatable import vport
from hwcensus.creatable.adapter import Adapter, choosable, is_chosen
from hwcensus.errors import NotFound
from hwcensus.libvirt.facts import facts_now
from hwcensus_agent.enumerate import Described
from hwcensus_agent.local import lookup

#: Stands for the WWPN that the centre will give, where executors look whether one is free: of no maker of ports.
STAND_IN = "5000000000000001"


@dataclass(frozen=True, kw_only=True)
class OpenPort:
    """A creation document as the centre may complete it: a document for each adapter; `left` is what it says itself."""

    documents: tuple[etree._Element, ...]
    left: tuple[str, ...]

    @classmethod
    def of(cls, device: etree._Element, devices: Sequence[Described]) -> "OpenPort":
        """Raises NotFound (`parent-unknown`), Refused (`device-changed`, `no-parent`)."""
        given = vport.names(device)
        left = [f"its {name}, which the centre gives" for name in ("wwnn", "wwpn") if name not in given]
        parent = device.find("parent")
        if parent is None or is_chosen(parent):
            adapters = choosable(_ports(devices), "this host", None if parent is None else parent.get("fabric_wwn"))
            left.append(f"its adapter, of which the centre takes the least used: {', '.join(map(_said, adapters))}")
        else:
            adapters = [_named(devices, parent)]
        return cls(documents=tuple(_completed(device, one) for one in adapters), left=tuple(left))


def _completed(device: etree._Element, adapter: Adapter) -> etree._Element:
    """As a command has it: adapter by name and identity, both names of the port."""
    whole, given = deepcopy(device), vport.names(device)
    for former in whole.findall("parent"):
        whole.remove(former)
    parent = etree.Element("parent", identity=adapter.identity)
    parent.text = adapter.name
    whole.insert(0, parent)
    wwpn = given.get("wwpn", STAND_IN)
    vport.set_names(whole, wwpn=wwpn, wwnn=given.get("wwnn", wwpn))  # no rule asks for the node's
    return whole


def _named(devices: Sequence[Described], parent: etree._Element) -> Adapter:
    wanted = parent.text or parent.get("identity")
    try:
        found = _adapter(lookup.find(devices, wanted)) if wanted else _of_wwpn(devices, parent.get("wwpn") or "")
    except NotFound as error:
        raise NotFound(f"parent: {error}", code="parent-unknown") from error
    found.check_is(parent)
    return found


def _of_wwpn(devices: Sequence[Described], wwpn: str) -> Adapter:
    ports = _ports(devices)
    for port in ports:
        if port.facts.get("fc.wwpn") == wwpn:
            return port
    there = ", ".join(map(_said, ports)) or "none at all"
    raise NotFound(f"this host has no Fibre Channel port {wwpn}; it has {there}")


def _ports(devices: Sequence[Described]) -> list[Adapter]:
    scsi = (_adapter(one) for one in devices if one.subsystem == "scsi")
    return [one for one in scsi if "fc.wwpn" in one.facts]


def _adapter(device: Described) -> Adapter:
    facts = facts_now(device.device)
    used = facts.get("fc.vports")
    return Adapter(name=device.name, identity=device.identity, facts=facts, used=used if isinstance(used, int) else 0)


def _said(adapter: Adapter) -> str:
    return f"{adapter.name} ({adapter.facts.get('fc.wwpn', 'no WWPN')})"
