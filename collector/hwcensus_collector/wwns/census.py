"""Who in the fleet shows a name now, ours or not: a port of its own, one that it sees over the SAN, or one that it will
make again at boot."""

from dataclasses import dataclass

from sqlalchemy import Connection, Text, cast, select

from hwcensus_collector.tables import capability, device, host, identifier

#: State of an adapter: WWPNs of the virtual ports that its host makes again, there or not.
WANTED = "fc.wanted"


@dataclass(frozen=True, kw_only=True)
class Wanting:
    """The adapter of a host on which a port is wanted."""

    host: str
    text: str


def who_shows(connection: Connection, name: str, *kinds: str) -> str | None:
    """The device that has this name as `wwpn` or `wwnn`, for people; None where the census has it nowhere."""
    query = (
        select(device.c.name, host.c.name.label("host_name"), identifier.c.own)
        .join(device, device.c.id == identifier.c.device)
        .join(host, host.c.id == device.c.host)
        .where(identifier.c.value == name, identifier.c.kind.in_(kinds), device.c.present.is_(True))
        .order_by(identifier.c.own.desc(), device.c.id)
    )
    found = connection.execute(query).first()
    if found is None:
        return None
    return f"{found.name} of {found.host_name}" if found.own else f"a port that {found.name} of {found.host_name} sees"


def wanted_ports(connection: Connection) -> dict[str, Wanting]:
    """Every WWPN that some host makes again at boot."""
    query = (
        select(device.c.name, device.c.host, host.c.name.label("host_name"), device.c.state)
        .join(capability, capability.c.device == device.c.id)
        .join(host, host.c.id == device.c.host)
        .where(capability.c.type == "fc", device.c.present.is_(True))
        # Few adapters have any: the database looks for them in the text, and only their states are read.
        .where(cast(device.c.state, Text).contains(f'"{WANTED}"'))
        .order_by(device.c.id)
    )
    return {
        wwpn: Wanting(host=row.host, text=f"{row.name} of {row.host_name}")
        for row in connection.execute(query)
        for wwpn in row.state.get(WANTED, ())  # the text may stand elsewhere, a stranger's word
    }
