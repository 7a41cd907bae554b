"""Who in the fleet shows a name now, ours or not: a port of its own, or one that it sees over the SAN."""

from sqlalchemy import Connection, select

from hwcensus_collector.tables import device, host, identifier


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
