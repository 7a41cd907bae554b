"""What a person does with names by hand: takes those that the census shows as held, and gives one back."""

from sqlalchemy import Connection, delete, insert, select

from hwcensus.errors import Refused
from hwcensus.instant import now
from hwcensus.wwn import read_wwn
from hwcensus_collector.inventory.refusal import Unknown
from hwcensus_collector.tables import capability, device, wwn
from hwcensus_collector.wwns.census import wanted_ports, who_shows
from hwcensus_collector.wwns.life import Reason, WwnState
from hwcensus_collector.wwns.pool import Pool


def import_seen(connection: Connection, among: list[Pool]) -> list[str]:
    """Holds every WWPN of these pools that a port in the census has, or that a host makes again at boot; gives those
    that were not held before."""
    known = {row.wwpn: row.state for row in connection.execute(select(wwn.c.wwpn, wwn.c.state))}
    seen = {wwpn: (wanting.host, None) for wwpn, wanting in wanted_ports(connection).items()} | _ports(connection)
    fresh = sorted(
        wwpn
        for wwpn in seen
        if known.get(wwpn) not in (WwnState.HELD, WwnState.RESERVED)
        and any(pool.first <= wwpn <= pool.last for pool in among)
    )
    for wwpn in fresh:
        _hold(connection, wwpn, *seen[wwpn])
    return fresh


def _ports(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """WWPN → host and WWNN of every port that is there."""
    query = (
        select(device.c.host, device.c.facts)
        .join(capability, capability.c.device == device.c.id)
        .where(capability.c.type == "fc", device.c.present.is_(True))
        .order_by(device.c.id.desc())
    )
    return {
        row.facts["fc.wwpn"]: (row.host, row.facts.get("fc.wwnn"))
        for row in connection.execute(query)
        if "fc.wwpn" in row.facts
    }


def _hold(connection: Connection, wwpn: str, host: str, wwnn: str | None) -> None:
    connection.execute(delete(wwn).where(wwn.c.wwpn == wwpn))
    values = {"state": WwnState.HELD, "reason": Reason.IMPORT, "since": now(), "host": host}
    connection.execute(insert(wwn).values(wwpn=wwpn, wwnn=wwnn, **values))


def release(connection: Connection, name: str) -> tuple[str, str]:
    """Frees a held or quarantined WWPN at once; gives it and the host whose it was.

    Raises InvalidDocument (`bad-wwn`), Unknown (`unknown-wwn`), Refused (`wwn-in-use` where a command or a port in the
    census has it).
    """
    wwpn = read_wwn(name, "wwpn")
    row = connection.execute(select(wwn).where(wwn.c.wwpn == wwpn).with_for_update()).one_or_none()
    if row is None:
        raise Unknown(f"wwpn {wwpn} is neither reserved nor held nor in quarantine", code="unknown-wwn")
    if row.state == WwnState.RESERVED:
        raise Refused(f"wwpn {wwpn} is reserved: cancel or abandon command {row.command} first", code="wwn-in-use")
    shown_by = who_shows(connection, wwpn, "wwpn")
    if shown_by is not None:
        raise Refused(f"wwpn {wwpn} is in use: it is {shown_by}", code="wwn-in-use")
    wanting = wanted_ports(connection).get(wwpn)
    if wanting is not None:
        raise Refused(f"wwpn {wwpn} is in use: it is made again at boot on {wanting.text}", code="wwn-in-use")
    connection.execute(delete(wwn).where(wwn.c.wwpn == wwpn))
    return wwpn, str(row.host)
