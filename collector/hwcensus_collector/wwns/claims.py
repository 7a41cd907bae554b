"""What a person does with names by hand: takes those that the census shows, or a list, as held, and gives one back."""

from collections.abc import Collection, Iterable, Iterator

from sqlalchemy import Connection, delete, insert, select

from hwcensus.errors import Refused, UsageError
from hwcensus.instant import now
from hwcensus.wwn import check_new_wwn, read_wwn
from hwcensus_collector.inventory.hosts import host_id
from hwcensus_collector.inventory.refusal import Unknown
from hwcensus_collector.tables import capability, device, wwn
from hwcensus_collector.wwns.census import wanted_ports, who_shows
from hwcensus_collector.wwns.life import Reason, WwnState
from hwcensus_collector.wwns.pool import Pool

#: Characters, as the column of hosts' ids has them.
_LONGEST_HOLDER = 64


def import_seen(connection: Connection, among: list[Pool]) -> list[str]:
    """Holds every WWPN of these pools that a port in the census has, or that a host makes again at boot; gives those
    that were not held before."""
    seen = {wwpn: (wanting.host, None) for wwpn, wanting in wanted_ports(connection).items()} | _ports(connection)
    fresh = _fresh(connection, [wwpn for wwpn in seen if any(pool.first <= wwpn <= pool.last for pool in among)])
    for wwpn in fresh:
        _hold(connection, wwpn, *seen[wwpn])
    return fresh


def import_listed(connection: Connection, lines: Iterable[str], holder: str) -> list[str]:
    """Holds every WWPN of a list for the one who has them, whom no agent may know: a host without one, an array. Blank
    lines and what follows a `#` say nothing. Gives those that were not held before.

    Raises InvalidDocument (`bad-wwn`, `zero-wwn`, `wrong-naa`) with the line.
    """
    fresh = _fresh(connection, list(_listed(lines)))
    for wwpn in fresh:
        _hold(connection, wwpn, holder, None)
    return fresh


def holder_of(connection: Connection, said: str) -> str:
    """The id of a host that is called so, as commands hold names, or whoever else it is. Raises UsageError
    (`bad-holder`), Ambiguous."""
    if not (0 < len(said) <= _LONGEST_HOLDER and said.isprintable()):
        text = f"a holder has 1 to {_LONGEST_HOLDER} printable characters, not {said[: _LONGEST_HOLDER + 1]!r}"
        raise UsageError(text, code="bad-holder")
    try:
        return host_id(connection, said)
    except Unknown:
        return said


def _listed(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        said = line.partition("#")[0].strip()
        if said:
            wwpn = read_wwn(said, f"line {number}: wwpn")
            check_new_wwn(wwpn, f"line {number}: wwpn")
            yield wwpn


def _fresh(connection: Connection, wwpns: Collection[str]) -> list[str]:
    """Those that nobody holds, and that are on no order."""
    query = select(wwn.c.wwpn).where(wwn.c.state.in_((WwnState.HELD, WwnState.RESERVED)))
    return sorted(set(wwpns).difference(connection.execute(query).scalars()))


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
