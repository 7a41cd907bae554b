"""A few numbers about everything, cheap enough to be asked every few seconds."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from hwcensus.instant import now
from hwcensus_collector.inventory.changes import feed_position
from hwcensus_collector.inventory.status import STATUSES, Patience
from hwcensus_collector.tables import command, dead_letter, host, host_seen, kafka_offset, refused


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Retired hosts are not counted; `devices` are those now there; `folded` maps topic and partition to the offset."""

    hosts: dict[str, int]
    conflicts: int
    incomplete: int
    resyncs_wanted: int
    devices: int
    feed: int
    dead_letters: dict[str, int]
    commands: dict[str, int]
    folded: dict[tuple[str, int], int]


def summary_of(connection: Connection, patience: Patience | None = None) -> Summary:
    """The numbers, each from an index or a table with few rows; devices are summed over hosts."""
    alive = host.c.retired_at.is_(None)
    joined = host.outerjoin(host_seen, host_seen.c.host == host.c.id)
    at, patience = now(), patience or Patience()

    def number(*conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(joined).where(alive, *conditions)
        return connection.execute(query).scalar_one()

    return Summary(
        hosts={status: number(patience.condition(status, at)) for status in STATUSES},
        conflicts=number(host.c.conflict.is_not(None)),
        incomplete=connection.execute(select(func.count(refused.c.host.distinct()))).scalar_one(),
        resyncs_wanted=number(host.c.resync_wanted.is_not(None)),
        devices=int(connection.execute(select(func.sum(host.c["count"])).where(alive)).scalar_one() or 0),
        feed=feed_position(connection),
        dead_letters=_counted(connection, dead_letter.c.code),
        commands=_counted(connection, command.c.state),
        folded={(row.topic, row.partition): row.next for row in connection.execute(select(kafka_offset))},
    )


def _counted(connection: Connection, column: ColumnElement[str]) -> dict[str, int]:
    rows = connection.execute(select(column, func.count()).group_by(column).order_by(column))
    return {str(row[0]): int(row[1]) for row in rows}
