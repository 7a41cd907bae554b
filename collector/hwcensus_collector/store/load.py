"""Hosts from SQL into memory, as they were when the fold last let go of them.

Only what the fold looks at: no documents, no facts. Parts of an unfinished manifest are not in SQL.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from hwcensus import census_digest
from hwcensus.event import AgentState, Evidence, SourceState
from hwcensus.instant import read_instant
from hwcensus_collector import tables
from hwcensus_collector.ingest.state import About, Asked, Conflict, Healing, Held, HostState, Place, Totals, hold
from hwcensus_collector.ingest.thing import PORTS
from hwcensus_collector.store import rows
from hwcensus_collector.store.tracked import Thing, Tracked


def load(connection: Connection, hosts: Collection[str], at: datetime) -> dict[str, Tracked]:
    """The hosts of these ids; one never heard of comes as unknown, first seen now (`at`)."""
    found = {row.id: row for row in connection.execute(select(tables.host).where(tables.host.c.id.in_(hosts)))}
    loaded = {host: Tracked(HostState(id=host), at) for host in hosts}
    if found:
        heard, left = _heard(connection, found), _left(connection, found)
        covered, refused = _covered(connection, found), _refused(connection, found)
        for host, row in found.items():
            loaded[host] = _tracked(row, heard.get(host), left[host], covered.get(host), refused[host])
        _add_devices(connection, loaded)
    return loaded


def hosts_of_partition(connection: Connection, partition: int) -> list[str]:
    """Ids of the hosts whose records came through a partition of the events topic last."""
    table = tables.host
    return list(connection.execute(select(table.c.id).where(table.c.events_partition == partition)).scalars())


def read_offset(connection: Connection, topic: str, partition: int) -> tuple[int | None, bytes | None]:
    """Where the fold goes on in a partition, and the fingerprint of the record before; None where it has not begun."""
    table = tables.kafka_offset
    here = (table.c.topic == topic) & (table.c.partition == partition)
    row = connection.execute(select(table.c.next, table.c.fingerprint).where(here)).first()
    return (None, None) if row is None else (row.next, row.fingerprint)


def _tracked(
    row: Row[Any],
    heard_at: datetime | None,
    left: dict[str, int],
    covered: datetime | None,
    refused: dict[str, bytes],
) -> Tracked:
    state = HostState(
        id=row.id,
        place=Place(row.stream, row.seq, heard_at),
        totals=Totals(
            row._mapping["count"], census_digest.read_total(row.digest), census_digest.read_total(row.state_digest)
        ),
        about=_about(row),
        healing=_healing(row, refused),
        conflict=_conflict(row.conflict),
        covered=covered,
        left=left,
    )
    tracked = Tracked(state, row.first_seen, row.revision, row.events_partition, row.clock_skew)
    tracked.written = tracked.row()
    return tracked


def _about(row: Row[Any]) -> About:
    introduced = row.agent_version is not None
    return About(
        name=row.name if introduced else None,
        evidence=_evidence(row.evidence),
        boot=row.boot,
        agent=AgentState(version=row.agent_version, model=row.model, kernel=row.kernel) if introduced else None,
        sources=tuple(SourceState(**source) for source in row.sources),
        creatable=tuple(row.creatable),
        commands_partition=row.commands_partition,
    )


def _evidence(value: dict[str, Any]) -> Evidence:
    return Evidence(**(value | {"macs": tuple(value.get("macs", ()))}))


def _healing(row: Row[Any], refused: dict[str, bytes]) -> Healing:
    excess = row.excess
    asked: dict[str, list[Any]] = row.asked or {}
    return Healing(
        wanted=row.resync_wanted,
        reason=row.resync_reason,
        asked={i: Asked(digest=bytes.fromhex(digest), answered=answered) for i, (digest, answered) in asked.items()},
        refused=refused,
        excess=Totals()
        if excess is None
        else Totals(
            excess["count"],
            census_digest.read_total(excess["digest"]),
            census_digest.read_total(excess["state_digest"]),
        ),
    )


def _conflict(value: dict[str, Any] | None) -> Conflict | None:
    if value is None:
        return None
    return Conflict(
        stream=value["stream"],
        seq=value["seq"],
        evidence=_evidence(value["evidence"]),
        why=value["why"],
        since=read_instant(value["since"]),
        heard_at=read_instant(value["heard_at"]),
        held=value["held"],
    )


def _heard(connection: Connection, hosts: Collection[str]) -> dict[str, datetime]:
    table = tables.host_seen
    found = connection.execute(select(table.c.host, table.c.heard_at).where(table.c.host.in_(hosts)))
    return {row.host: row.heard_at for row in found}


def _left(connection: Connection, hosts: Collection[str]) -> defaultdict[str, dict[str, int]]:
    table = tables.stream
    left: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in connection.execute(select(table).where(table.c.host.in_(hosts), table.c.left_at.is_not(None))):
        left[row.host][row.stream] = row.last_seq
    return left


def _covered(connection: Connection, hosts: Collection[str]) -> dict[str, datetime]:
    table = tables.coverage
    query = select(table.c.host, table.c.began_at).where(table.c.host.in_(hosts), table.c.ended_at.is_(None))
    return {row.host: row.began_at for row in connection.execute(query)}


def _refused(connection: Connection, hosts: Collection[str]) -> defaultdict[str, dict[str, bytes]]:
    table = tables.refused
    refused: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
    for row in connection.execute(select(table).where(table.c.host.in_(hosts))):
        refused[row.host][row.identity] = row.digest
    return refused


def _add_devices(connection: Connection, loaded: dict[str, Tracked]) -> None:
    device = tables.device
    types, values = _types(connection, loaded), _values(connection, loaded)
    columns = [device.c[name] for name in COLUMNS]
    ports = [device.c.state[path].as_string().label(path) for path in PORTS]
    for row in connection.execute(select(*columns, *ports).where(device.c.host.in_(loaded))):
        tracked = loaded[row.host]
        tracked.state.devices[row.identity] = _held(row)
        marks = rows.marks((row.name, row.key, row.bus), sorted(types[row.id]), sorted(values[row.id]))
        tracked.things[row.identity] = Thing(row.identity, row.id, row.version, marks)


COLUMNS = ("id", "host", "identity", "present", "name", "digest", "state_hash", "version", "changed_at", "key", "bus")


def _held(row: Row[Any]) -> Held:
    ports = tuple((path, row._mapping[path]) for path in PORTS if row._mapping[path] is not None)
    return hold(
        row.identity,
        name=row.name,
        digest=row.digest,
        state_hash=row.state_hash,
        since=row.changed_at,
        present=row.present,
        ports=ports if row.present else (),
    )


def _types(connection: Connection, hosts: Collection[str]) -> defaultdict[int, list[str]]:
    """Types of capability by id of the thing."""
    types: defaultdict[int, list[str]] = defaultdict(list)
    for row in connection.execute(select(tables.capability).where(tables.capability.c.device.in_(_ids(hosts)))):
        types[row.device].append(row.type)
    return types


def _values(connection: Connection, hosts: Collection[str]) -> defaultdict[int, list[tuple[str, str, bool]]]:
    """Identifiers by id of the thing."""
    values: defaultdict[int, list[tuple[str, str, bool]]] = defaultdict(list)
    for row in connection.execute(select(tables.identifier).where(tables.identifier.c.device.in_(_ids(hosts)))):
        values[row.device].append((row.kind, row.value, row.own))
    return values


def _ids(hosts: Collection[str]) -> Select[tuple[int]]:
    return select(tables.device.c.id).where(tables.device.c.host.in_(hosts))
