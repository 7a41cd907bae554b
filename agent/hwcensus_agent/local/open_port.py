"""A virtual port whose adapter or names a creation document leaves to the centre: what may become of it on this host.

Named or chosen as the collector does it, by the census of now; which WWPN it gives is not known here.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from hwcensus.creatable import vport
from hwcensus.document import JsonValue
from hwcensus.errors import NotFound, Refused
from hwcensus.libvirt.facts import facts_now
from hwcensus_agent.commands.executors.vport import ONLINE
from hwcensus_agent.enumerate import Described
from hwcensus_agent.local import lookup

#: Stands for the WWPN that the centre will give, where executors look whether one is free: of no maker of ports.
STAND_IN = "5000000000000001"


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A device that a virtual port may be made on, with its facts."""

    device: Described
    facts: Mapping[str, JsonValue]

    @property
    def said(self) -> str:
        return f"{self.device.name} ({self.facts.get('fc.wwpn', 'no WWPN')})"


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
        if parent is None or not (parent.text or parent.get("wwpn") or parent.get("identity")):
            adapters = _choosable(devices, None if parent is None else parent.get("fabric_wwn"))
            left.append(
                f"its adapter, of which the centre takes the least used: {', '.join(one.said for one in adapters)}"
            )
        else:
            adapters = [_named(devices, parent)]
        return cls(documents=tuple(_completed(device, one) for one in adapters), left=tuple(left))


def _completed(device: etree._Element, adapter: Adapter) -> etree._Element:
    """As a command has it: adapter by name and identity, both names of the port."""
    whole, given = deepcopy(device), vport.names(device)
    for former in whole.findall("parent"):
        whole.remove(former)
    parent = etree.Element("parent", identity=adapter.device.identity)
    parent.text = adapter.device.name
    whole.insert(0, parent)
    wwpn = given.get("wwpn", STAND_IN)
    vport.set_names(whole, wwpn=wwpn, wwnn=given.get("wwnn", wwpn))  # no rule asks for the node's
    return whole


def _named(devices: Sequence[Described], parent: etree._Element) -> Adapter:
    wanted = parent.text or parent.get("identity")
    try:
        found = _with_facts(lookup.find(devices, wanted)) if wanted else _of_wwpn(devices, parent.get("wwpn") or "")
    except NotFound as error:
        raise NotFound(f"parent: {error}", code="parent-unknown") from error
    shown = {"identity": found.device.identity, "wwpn": found.facts.get("fc.wwpn"), "wwnn": found.facts.get("fc.wwnn")}
    for field, is_ in shown.items():
        if parent.get(field) not in (None, is_):
            text = f"the parent {found.device.name} has {field} {is_}, not {parent.get(field)}"
            raise Refused(text, code="device-changed")
    return found


def _of_wwpn(devices: Sequence[Described], wwpn: str) -> Adapter:
    ports = _ports(devices)
    for port in ports:
        if port.facts.get("fc.wwpn") == wwpn:
            return port
    there = ", ".join(port.said for port in ports) or "none at all"
    raise NotFound(f"this host has no Fibre Channel port {wwpn}; it has {there}")


def _choosable(devices: Sequence[Described], fabric: str | None) -> list[Adapter]:
    """Those that the centre chooses among. Raises Refused where there is none."""
    why_not = [(port, _why_not(port.facts, fabric)) for port in _ports(devices)]
    fit = [port for port, reason in why_not if reason is None]
    if not fit:
        reasons = "; ".join(f"{port.said} {reason}" for port, reason in why_not) or "it has no Fibre Channel port"
        raise Refused(f"no port of this host can take a virtual one: {reasons}", code="no-parent")
    return fit


def _why_not(facts: Mapping[str, JsonValue], fabric: str | None) -> str | None:
    most, used, there = (facts.get(path) for path in ("fc.vports.max", "fc.vports", "fc.fabric_wwn"))
    if "fc.vport.parent_wwpn" in facts:
        return "is itself a virtual port"
    if not isinstance(most, int) or most < 1:
        return "takes no virtual ports (NPIV)"
    if isinstance(used, int) and used >= most:
        return f"has {used} virtual ports of {most}"
    if facts.get("fc.port") != ONLINE:
        return f"is not online, its port state is {facts.get('fc.port', 'unknown')}"
    if fabric not in (None, there):
        return f"is in fabric {there}, not in {fabric}" if there else f"is in no fabric, not in {fabric}"
    return None


def _ports(devices: Sequence[Described]) -> list[Adapter]:
    scsi = (_with_facts(one) for one in devices if one.subsystem == "scsi")
    return [one for one in scsi if "fc.wwpn" in one.facts]


def _with_facts(device: Described) -> Adapter:
    return Adapter(device=device, facts=facts_now(device.device))
