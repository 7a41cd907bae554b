"""Asking agents to heal their record, with a brake: one question a host at a time, back-off, a rate for the fleet.

Ingest only notes on the host what it wants (`resync_wanted`, `resync_identities`), and when it is answered clears that
together with `resync_sent_at` and `resync_attempts`. Which partitions have caught up is `lag.py`'s.
"""

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select, update

from hwcensus.command import IssuedCommand
from hwcensus.topics import partition_of
from hwcensus_collector import tables
from hwcensus_collector.relay.outbox import Outgoing
from hwcensus_collector.relay.uuid7 import uuid7
from hwcensus_collector.settings import RelaySettings

#: How long a question is worth an answer; after that the next one is on its way.
VALID = timedelta(minutes=10)
#: Stands where the host's stream is not known: agents do not look at it in a resync.
NO_STREAM = "none"

_host = tables.host


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A host whose record is to heal, and can be asked now."""

    host: str
    stream: str | None
    want: str
    #: Of the commands topic; None where the host has not said.
    partition: int | None
    attempts: int


def has_wishes() -> ColumnElement[bool]:
    """Whether any host is to be asked, now or later."""
    return select(_host.c.id).where(_host.c.resync_wanted.is_not(None)).exists()


def positions(connection: Connection, topic: str) -> dict[int, int]:
    """Next offset to be folded, by partition."""
    table = tables.kafka_offset
    rows = connection.execute(select(table.c.partition, table.c.next).where(table.c.topic == topic))
    return {row.partition: row.next for row in rows}


def due(
    connection: Connection, settings: RelaySettings, caught_up: Container[int], at: datetime, limit: int
) -> list[Wish]:
    """Up to `limit` hosts that may be asked now, those that waited longest first."""
    query = select(
        _host.c.id, _host.c.stream, _host.c.resync_wanted, _host.c.resync_sent_at, _host.c.resync_attempts,
        _host.c.commands_partition, _host.c.events_partition,
    ).where(
        _host.c.resync_wanted.is_not(None), _host.c.conflict.is_(None), _host.c.retired_at.is_(None)
    ).order_by(_host.c.resync_sent_at.asc().nulls_first(), _host.c.id)  # fmt: skip
    found: list[Wish] = []
    for row in connection.execute(query):
        if len(found) == limit:
            break
        if row.events_partition in caught_up and _is_due(row.id, row.resync_sent_at, row.resync_attempts, settings, at):
            found.append(
                Wish(
                    host=row.id,
                    stream=row.stream,
                    want=row.resync_wanted,
                    partition=row.commands_partition,
                    attempts=row.resync_attempts,
                )
            )
    return found


def _is_due(host: str, sent_at: datetime | None, attempts: int, settings: RelaySettings, at: datetime) -> bool:
    return sent_at is None or sent_at + back_off(settings, host, attempts) <= at


def back_off(settings: RelaySettings, host: str, attempts: int) -> timedelta:
    """The wait after so many questions without an answer: doubling, less up to a half that differs by host."""
    full = min(settings.resync_backoff * 2.0 ** min(max(attempts - 1, 0), 32), settings.resync_backoff_max)
    share = int.from_bytes(hashlib.sha256(f"{host} {attempts}".encode()).digest()[:2]) / 0x10000
    return timedelta(seconds=full * (1 - share / 2))


def ask(connection: Connection, settings: RelaySettings, wish: Wish, partitions: int, at: datetime) -> Outgoing | None:
    """Notes that the host is being asked, and gives the record to send; None where it wants something else by now, or
    ingest is writing it."""
    # Never waits while it holds other hosts: ingest locks many, in an order of its own.
    free = select(_host.c.id).where(_host.c.id == wish.host).with_for_update(skip_locked=True)
    if connection.execute(free).first() is None:
        return None
    command_id = uuid7()
    asked = connection.execute(
        update(_host)
        .where(_host.c.id == wish.host, _host.c.resync_wanted == wish.want)
        .values(resync_command=command_id, resync_sent_at=at, resync_attempts=wish.attempts + 1)
    )
    if asked.rowcount != 1:
        return None
    identities = connection.execute(select(_host.c.resync_identities).where(_host.c.id == wish.host)).scalar_one() or ()
    want = _wanted(wish, len(identities), settings.resync_devices)
    command = IssuedCommand(
        id=command_id,
        host=wish.host,
        stream=wish.stream or NO_STREAM,
        type="resync",
        issued=at,
        expires=at + VALID,
        by="relay",
        want=want,
        identities=tuple(identities) if want == "devices" else (),
    )
    partition = partition_of(wish.host, partitions) if wish.partition is None else wish.partition
    return Outgoing(id=command_id, host=wish.host, type="resync", partition=partition, body=command.to_bytes())


def _wanted(wish: Wish, identities: int, most: int) -> str:
    if wish.partition is None:
        # Only a new stream's hello says which partition the agent reads; until then we guess it as agents pick it.
        return "stream"
    if wish.want == "devices" and not 0 < identities <= most:
        return "all" if identities else "manifest"
    return wish.want


def take_back(connection: Connection, unsent: Outgoing) -> None:
    """This was not sent, so it was no attempt. One a transaction: see `ask`."""
    connection.execute(
        update(_host)
        .where(_host.c.id == unsent.host, _host.c.resync_command == unsent.id)
        .values(resync_sent_at=None, resync_attempts=_host.c.resync_attempts - 1)
    )
