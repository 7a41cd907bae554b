"""Pools of WWPNs: named ranges, and the lowest name of one that is free."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, or_, select

from hwcensus.errors import Refused, UsageError
from hwcensus.wwn import check_new_wwn, read_wwn
from hwcensus_collector.inventory.refusal import Unknown, did_you_mean, nearest_names
from hwcensus_collector.tables import device, identifier, wwn, wwn_pool
from hwcensus_collector.wwns.census import wanted_ports
from hwcensus_collector.wwns.life import is_taken

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """WWPNs from `first` to `last`, both included; `wwnn` is the node name of all of them, or each has its own."""

    name: str
    first: str
    last: str
    wwnn: str | None

    def __str__(self) -> str:
        return f"{self.name} ({self.first} to {self.last})"


def add_pool(connection: Connection, name: str, first: str, last: str, wwnn: str | None) -> Pool:
    """Raises UsageError (`bad-name`, `bad-range`), InvalidDocument (`bad-wwn`, …), Refused (`pool-exists`,
    `pool-overlaps`)."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"pool {name!r}: a name has letters, digits, '_', '.' and '-', at most 64", code="bad-name")
    pool = Pool(
        name=name,
        first=_read(first, "first"),
        last=_read(last, "last"),
        wwnn=None if wwnn is None else _read(wwnn, "wwnn"),
    )
    if pool.first[0] != pool.last[0] or pool.first > pool.last:
        raise UsageError(f"{pool.first} to {pool.last} is no range within one format (NAA)", code="bad-range")
    for other in pools(connection):
        if other.name == name:
            raise Refused(f"there is a pool {other}", code="pool-exists")
        if pool.first <= other.last and other.first <= pool.last:
            raise Refused(f"{pool} overlaps with pool {other}", code="pool-overlaps")
    connection.execute(insert(wwn_pool).values(name=pool.name, first=pool.first, last=pool.last, wwnn=pool.wwnn))
    return pool


def remove_pool(connection: Connection, name: str) -> Pool:
    """Nothing more is taken from it; who has a name of it keeps it. Raises Unknown (`pool-unknown`)."""
    pool = find_pool(connection, name)
    connection.execute(delete(wwn_pool).where(wwn_pool.c.name == name))
    return pool


def pools(connection: Connection) -> list[Pool]:
    """All of them, by name."""
    rows = connection.execute(select(wwn_pool).order_by(wwn_pool.c.name))
    return [Pool(name=row.name, first=row.first, last=row.last, wwnn=row.wwnn) for row in rows]


def find_pool(connection: Connection, name: str) -> Pool:
    """Raises Unknown (`pool-unknown`) with the nearest names."""
    known = {pool.name: pool for pool in pools(connection)}
    if name not in known:
        near = nearest_names(name, known)
        there = did_you_mean(near) or f"; there are {', '.join(known) or 'none'}"
        raise Unknown(f"there is no pool {name!r}{there}", code="pool-unknown", nearest=near)
    return known[name]


def free_names(connection: Connection, pool: Pool, quarantine: timedelta, at: datetime) -> Iterator[str]:
    """The names of a pool that are free when the first is taken, the lowest first."""
    used = _used(connection, pool, quarantine, at)
    for number in range(int(pool.first, 16), int(pool.last, 16) + 1):
        name = f"{number:016x}"
        if name not in used and name != pool.wwnn:
            yield name


def exhausted(connection: Connection, pool: Pool) -> Refused:
    """What is said where there is none (`pool-exhausted`)."""
    counted = select(wwn.c.state, func.count()).where(wwn.c.wwpn.between(pool.first, pool.last)).group_by(wwn.c.state)
    states = ", ".join(f"{count} {state}" for state, count in connection.execute(counted.order_by(wwn.c.state)))
    return Refused(f"pool {pool} has no free name left ({states or 'all seen in the census'})", code="pool-exhausted")


def _used(connection: Connection, pool: Pool, quarantine: timedelta, at: datetime) -> set[str]:
    """Names of the range that somebody has, that the census shows, as port or as node, or that are wanted at boot."""
    within = or_(wwn.c.wwpn.between(pool.first, pool.last), wwn.c.wwnn.between(pool.first, pool.last))
    rows = connection.execute(select(wwn.c.wwpn, wwn.c.wwnn).where(within, is_taken(quarantine, at)))
    seen = (
        select(identifier.c.value)
        .join(device, device.c.id == identifier.c.device)
        .where(identifier.c.kind.in_(("wwpn", "wwnn")), device.c.present.is_(True))
        .where(identifier.c.value.between(pool.first, pool.last))
    )
    had = {name for row in rows for name in row if name is not None}
    return had.union(connection.execute(seen).scalars(), wanted_ports(connection))


def _read(text: str, field: str) -> str:
    name = read_wwn(text, field)
    check_new_wwn(name, field)
    return name
