"""A database with one host in it, as relay tests need it. Not a test."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select, update

from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import open_engine, upgrade, writing
from hwcensus_collector.inventory import commands as inventory
from hwcensus_collector.relay.queue import queue_create
from hwcensus_collector.settings import CommandSettings

HOST = "4c4c4544-0042-3510-8051-b4c04f563832"
STREAM = "7d1f0000000000000000000000000000"
SETTINGS = CommandSettings(key_file=Path("unused"))


def bridge(name: str = "hwc0", parent: str = "") -> bytes:
    """A creation document."""
    return (
        f"<device>{parent}<capability type='net'><interface>{name}</interface><capability type='bridge'/></capability>"
        "</device>"
    ).encode()


def database(url: str) -> Engine:
    """A fresh schema."""
    engine = open_engine(url)
    upgrade(engine)
    return engine


def add_host(connection: Connection, host: str = HOST, **more: object) -> None:
    """A host that takes commands in partition 1, as ingest leaves it."""
    values: dict[str, object] = {
        "id": host, "name": "db7.example.org", "stream": STREAM, "seq": 1, "count": 0, "digest": "0" * 64,
        "state_digest": "0" * 64, "evidence": {}, "sources": [], "creatable": ["bridge"], "commands_partition": 1,
        "events_partition": 0, "first_seen": now(), "resync_attempts": 0,
    }  # fmt: skip
    connection.execute(insert(tables.host).values(values | more))


def set_host(engine: Engine, host: str = HOST, **values: object) -> None:
    with writing(engine) as connection:
        connection.execute(update(tables.host).where(tables.host.c.id == host).values(values))


def add_device(
    connection: Connection,
    name: str,
    identity: str,
    *,
    present: bool = True,
    bus: str | None = None,
    types: Sequence[str] = ("net", "bridge"),
    facts: Mapping[str, object] | None = None,
    state: Mapping[str, object] | None = None,
) -> None:
    """A device in the inventory, by default a bridge."""
    then = datetime(2026, 11, 23, tzinfo=UTC)
    row = connection.execute(
        insert(tables.device).values(
            host=HOST, identity=identity, present=present, name=name, bus=bus, facts=facts or {}, state=state or {},
            xml=b"<device/>", digest=bytes(32), state_hash=bytes(32), version=1, seq=1, first_seen=then,
            changed_at=then,
        ).returning(tables.device.c.id)
    ).scalar_one()  # fmt: skip
    for type_ in types:
        connection.execute(insert(tables.capability).values(device=row, type=type_))


def queue(engine: Engine, name: str = "hwc0", host: str = HOST, **more: str) -> inventory.Command:
    """Queues the creation of a bridge."""
    with writing(engine) as connection:
        return queue_create(connection, SETTINGS, host, bridge(name), actor="alice", **more)  # type: ignore[arg-type]


def command(engine: Engine, command_id: str) -> inventory.Command:
    with engine.begin() as connection:
        return inventory.find_command(connection, command_id)


def states(engine: Engine, command_id: str) -> list[str]:
    """The steps of a command's life."""
    return [step.state for step in command(engine, command_id).steps]


def audited(engine: Engine, command_id: str) -> list[tuple[str, str, str]]:
    """(who, through which door, what) of the audit."""
    table = tables.audit
    with engine.begin() as connection:
        rows = connection.execute(select(table).where(table.c.subject == command_id).order_by(table.c.id)).all()
    return [(row.actor, row.door, row.action) for row in rows]
