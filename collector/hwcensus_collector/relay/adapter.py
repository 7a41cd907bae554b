"""Which Fibre Channel port of a host a virtual port is made on: the one that is named, or the best there is.

By what the inventory knows; the agent looks again when it comes to it. Whoever leaves the choice gets the one that is
used least of those that hwcensus.creatable.adapter has one choose among.
"""

from lxml import etree
from sqlalchemy import Connection, func, select

from hwcensus.creatable.adapter import VIRTUAL, Adapter, choosable, is_chosen
from hwcensus.errors import Refused
from hwcensus.wwn import port_wwpn
from hwcensus_collector import tables
from hwcensus_collector.inventory.device import Device, device_rows, to_devices
from hwcensus_collector.inventory.filters import key_forms
from hwcensus_collector.inventory.refusal import Unknown
from hwcensus_collector.relay.ready import ReadyHost, present_device
from hwcensus_collector.wwns.life import WwnState


def require_virtual(target: Device) -> None:
    """Whether a device may be destroyed as far as Fibre Channel goes. Raises Refused (`physical-port`)."""
    if "fc" in target.capabilities and VIRTUAL not in target.facts:
        raise Refused(f"{target.name} is a physical port, which no command can destroy", code="physical-port")


def unmade_port(connection: Connection, host: ReadyHost, identity: str) -> str | None:
    """The WWPN of the port of this identity where the host is to make it again at boot, and it is not there: destroying
    it takes back the wish."""
    wwpn = port_wwpn(identity)
    ports = _ports(connection, host) if wwpn is not None else []
    if any(port.identity == identity for port in ports):
        return None
    wanted = (port.state.get("fc.wanted") for port in ports)
    return wwpn if any(isinstance(wwpns, list) and wwpn in wwpns for wwpns in wanted) else None


def fill_adapter(connection: Connection, host: ReadyHost, creation: etree._Element, *, online: bool) -> Adapter:
    """Makes the parent of a creation document name and identity of an adapter, where it was named by its WWNs, by its
    fabric, or not at all.

    Raises Unknown (`parent-unknown`), Refused (`parent-not-fc`, `parent-no-npiv`, `parent-full`, `parent-offline` where
    it shall be `online`, `no-parent` with what is wrong with each, `device-changed`).
    """
    parent = creation.find("parent")
    if parent is None:
        parent = etree.Element("parent")
        creation.insert(0, parent)
    ports = _ports(connection, host)
    if is_chosen(parent):
        fit = choosable(_counted(connection, host, ports, ports), host.name, parent.get("fabric_wwn"))
        adapter = min(fit, key=lambda port: (port.used, port.name))
    else:
        adapter = _named(connection, host, ports, parent)
        objection = adapter.cannot() or (adapter.offline() if online else None)
        if objection is not None:
            raise Refused(objection.text, code=objection.code)
    parent.attrib.clear()
    parent.set("identity", adapter.identity)
    parent.text = adapter.name
    return adapter


def _named(connection: Connection, host: ReadyHost, ports: list[Device], parent: etree._Element) -> Adapter:
    name = parent.text or parent.get("identity")
    device = _by_name(connection, host, ports, name) if name else _by_wwpn(host, ports, parent.get("wwpn") or "")
    adapter = _counted(connection, host, ports, [device])[0]
    adapter.check_is(parent)
    return adapter


def _by_name(connection: Connection, host: ReadyHost, ports: list[Device], name: str) -> Device:
    """By name or identity; by key too, as the proposal of 2008 has parents."""
    keyed = [port for port in ports if port.key in key_forms(name)] if name[0] == "/" else []
    try:
        found = keyed[0] if keyed else present_device(connection, host, name)
    except Unknown as error:
        raise Unknown(f"parent: {error}", code="parent-unknown", nearest=error.nearest) from error
    except Refused as error:
        raise Refused(f"parent: {error}", code="parent-unknown") from error
    if "fc" not in found.capabilities:
        types = ", ".join(found.capabilities) or "nothing"
        raise Refused(f"the parent {name} is no Fibre Channel port but {types}", code="parent-not-fc")
    return found


def _by_wwpn(host: ReadyHost, ports: list[Device], wwpn: str) -> Device:
    for port in ports:
        if port.facts.get("fc.wwpn") == wwpn:
            return port
    known = tuple(str(port.facts.get("fc.wwpn")) for port in ports if VIRTUAL not in port.facts)
    there = f"it has {', '.join(known)}" if known else "it has none at all"
    raise Unknown(f"{host.name} has no Fibre Channel port {wwpn}; {there}", code="parent-unknown", nearest=known)


def _ports(connection: Connection, host: ReadyHost) -> list[Device]:
    """All Fibre Channel ports that are there, by name."""
    device, capability = tables.device, tables.capability
    query = (
        device_rows(xml=False)
        .join(capability, capability.c.device == device.c.id)
        .where(capability.c.type == "fc", device.c.host == host.id, device.c.present.is_(True))
    )
    return to_devices(connection, connection.execute(query.order_by(device.c.name)).all())


def _counted(connection: Connection, host: ReadyHost, ports: list[Device], devices: list[Device]) -> list[Adapter]:
    """Some of its ports, with how many virtual ones each has: as the kernel last said, or as we see if that is more,
    and those on order.

    The kernel's own count is looked at every few seconds only; a port that was made is in the inventory before its
    command has succeeded.
    """
    table = tables.wwn
    seen = [port.facts.get(VIRTUAL) for port in ports]
    # One that is there and waits to be online is seen, and still on order: it counts once.
    there = [str(port.facts.get("fc.wwpn")) for port in ports]
    query = select(table.c.parent, func.count().label("ordered")).group_by(table.c.parent)
    reserved = query.where(table.c.host == host.id, table.c.state == WwnState.RESERVED, table.c.wwpn.not_in(there))
    ordered = {row.parent: row.ordered for row in connection.execute(reserved)}
    return [
        Adapter(
            name=device.name,
            identity=device.identity,
            facts={**device.facts, **device.state},
            used=max(_told(device), seen.count(device.facts.get("fc.wwpn", ""))) + ordered.get(device.identity, 0),
        )
        for device in devices
    ]


def _told(device: Device) -> int:
    count = device.state.get("fc.vports")
    return count if isinstance(count, int) else 0
