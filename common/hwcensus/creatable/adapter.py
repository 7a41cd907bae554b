"""Which Fibre Channel ports a virtual one can be made on, by their facts alone: as the centre was told, as a host sees.

Who names an adapter may mean one that is offline (the kernel makes the port all the same); who leaves the choice gets
one that is online and has room. Who of those is used least, only the centre knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lxml import etree

from hwcensus.document import JsonValue
from hwcensus.errors import Refused

#: The fact that a virtual port has and an adapter has not.
VIRTUAL = "fc.vport.parent_wwpn"
#: How scsi_transport_fc.c calls a port that carries traffic.
ONLINE = "Online"


class Objection(NamedTuple):
    """Why no virtual port is made on an adapter."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A Fibre Channel port of a host, physical or virtual."""

    name: str
    identity: str
    #: And state, by path.
    facts: Mapping[str, JsonValue]
    #: How many virtual ports it has, and are on order, as far as who asks knows.
    used: int

    def cannot(self) -> Objection | None:
        """Why it can have no virtual port, whatever its link does."""
        most = self.facts.get("fc.vports.max")
        if VIRTUAL in self.facts:
            return Objection("parent-no-npiv", f"{self.name} is itself a virtual port")
        if not isinstance(most, int) or most < 1:
            return Objection("parent-no-npiv", f"{self.name} takes no virtual ports (NPIV)")
        if self.used >= most:
            return Objection("parent-full", f"{self.name} has {self.used} virtual ports of {most}")
        return None

    def offline(self) -> Objection | None:
        """Where its link is not up."""
        state = self.facts.get("fc.port", "unknown")
        if state == ONLINE:
            return None
        return Objection("parent-offline", f"{self.name} is not online, its port state is {state}")

    def unfit(self, fabric: str | None) -> Objection | None:
        """Why nobody would choose it, in a fabric (WWN) or anywhere."""
        return self.cannot() or self.offline() or self._elsewhere(fabric)

    def check_is(self, parent: etree._Element) -> None:
        """Raises Refused (`device-changed`) where a document's parent names it, but says something else of it."""
        shown = {"identity": self.identity, "wwpn": self.facts.get("fc.wwpn"), "wwnn": self.facts.get("fc.wwnn")}
        for field, is_ in shown.items():
            if parent.get(field) not in (None, is_):
                text = f"the parent {self.name} has {field} {is_}, not {parent.get(field)}"
                raise Refused(text, code="device-changed")

    def _elsewhere(self, fabric: str | None) -> Objection | None:
        there = self.facts.get("fc.fabric_wwn")
        if fabric in (None, there):
            return None
        where = f"fabric {there}" if there else "no fabric"
        return Objection("no-parent", f"{self.name} is in {where}, not in {fabric}")


def choosable(ports: Sequence[Adapter], host: str, fabric: str | None) -> list[Adapter]:
    """Those of a host's ports that are chosen among. Raises Refused (`no-parent`), with what is wrong with each."""
    objections = [(port, port.unfit(fabric)) for port in ports if VIRTUAL not in port.facts]
    fit = [port for port, objection in objections if objection is None]
    if not fit:
        reasons = "; ".join(one.text for _, one in objections if one is not None) or "it has no Fibre Channel port"
        raise Refused(f"no port of {host} can take a virtual one: {reasons}", code="no-parent")
    return fit


def is_chosen(parent: etree._Element) -> bool:
    """Whether a document's parent leaves the choice of the adapter, but maybe for its fabric."""
    return not (parent.text or parent.get("wwpn") or parent.get("identity"))
