"""The virtual Fibre Channel ports of a fleet, as the census has them beside those that their hosts want."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby

from hwcensus.cli.below import below
from hwcensus.cli.column import Column
from hwcensus.client import Client, Device, Host
from hwcensus.creatable.adapter import VIRTUAL
from hwcensus.errors import NotFound, Refused


@dataclass(frozen=True, kw_only=True)
class Port:
    """One virtual port; without a name it is wanted on its adapter and not there."""

    host: str
    name: str | None
    wwpn: str
    wwnn: str | None
    parent: str | None
    #: States as the kernel shows them.
    port: str | None
    vport: str | None
    #: The host makes it again at every boot.
    persistent: bool
    luns: int

    def told(self) -> dict[str, object]:
        return asdict(self)


def ports(client: Client, host: str | None) -> Iterator[Port]:
    """By host: those that are there, then those that are wanted and absent."""
    for name, found in groupby(client.devices(host=host, cap="fc"), key=lambda one: one.host):
        yield from _of_host(client, name, list(found))


def virtual_port(client: Client, host: Host, wwpn: str) -> Device:
    """The port of this WWPN. Raises NotFound with those that there are."""
    found = [one for one in client.devices(host=host.id, cap="fc") if is_virtual(one)]
    for device in found:
        if device.facts.get("fc.wwpn") == wwpn:
            return device
    there = ", ".join(str(device.facts.get("fc.wwpn")) for device in found) or "none"
    raise NotFound(f"{host.name} has no virtual port {wwpn}; it has {there}", code="unknown-device")


def named_port(host: Host, name: str) -> Device:
    """The port of this name or identity. Raises NotFound, Refused (`physical-port`)."""
    device = host.lookup_by_name(name)
    if is_virtual(device):
        return device
    if "fc" in device.capabilities:
        raise Refused(f"{device.name} is a physical port, which no command can destroy", code="physical-port")
    types = ", ".join(device.capabilities) or "nothing"
    raise NotFound(f"{device.name} of {host.name} is no virtual port but {types}", code="unknown-device")


def is_absent(client: Client, host: Host, wwpn: str) -> bool:
    """Whether the host wants a port of this WWPN and has it not."""
    return any(port.wwpn == wwpn and port.name is None for port in ports(client, host.id))


def is_virtual(device: Device) -> bool:
    return VIRTUAL in device.facts


def _of_host(client: Client, host: str, found: list[Device]) -> Iterator[Port]:
    virtual = [device for device in found if is_virtual(device)]
    wanted = {wwpn: adapter for adapter in found for wwpn in _wanted(adapter)}
    devices = list(client.devices(host=host)) if virtual else []
    for device in virtual:
        units = [one for _, one in below(devices, device.name) if "scsi" in one.capabilities]
        wwpn = str(device.facts.get("fc.wwpn"))
        yield Port(
            host=device.host_name,
            name=device.name,
            wwpn=wwpn,
            wwnn=_text(device, "fc.wwnn"),
            parent=device.parent,
            port=_text(device, "fc.port"),
            vport=_text(device, "fc.vport"),
            persistent=wanted.pop(wwpn, None) is not None,
            luns=len(units),
        )
    for wwpn, adapter in sorted(wanted.items()):
        where = {"host": adapter.host_name, "parent": adapter.name}
        yield Port(**where, name=None, wwpn=wwpn, wwnn=None, port=None, vport="absent", persistent=True, luns=0)


def _wanted(adapter: Device) -> list[str]:
    told = adapter.state.get("fc.wanted")
    return [str(wwpn) for wwpn in told] if isinstance(told, list) else []


def _text(device: Device, path: str) -> str | None:
    value = device.facts.get(path, device.state.get(path))
    return None if value is None else str(value)


COLUMNS = (
    Column[Port](title="wwpn", value=lambda one: one.wwpn, whole=True),
    Column[Port](title="host", value=lambda one: one.host, whole=True),
    Column[Port](title="name", value=lambda one: one.name, whole=True),
    Column[Port](title="parent", value=lambda one: one.parent),
    Column[Port](title="port", value=lambda one: one.port),
    Column[Port](title="vport", value=lambda one: one.vport),
    Column[Port](title="kept", value=lambda one: "persistent" if one.persistent else "transient"),
    Column[Port](title="luns", value=lambda one: one.luns),
    Column[Port](title="wwnn", value=lambda one: one.wwnn, detail=True),
)
