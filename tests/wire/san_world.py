"""Hosts with Fibre Channel adapters in the inventory, and orders of virtual ports on them. Not a test."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from lxml import etree
from sqlalchemy import Connection, Engine, insert, select, update

from hwcensus.command import IssuedCommand, read_command
from hwcensus.creatable.vport import names
from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.inventory import commands as inventory
from hwcensus_collector.relay.queue import Request, queue_create, queue_order
from hwcensus_collector.relay.results import ResultStep, record_results
from hwcensus_collector.settings import CommandSettings
from tests.wire.relay_world import HOST, SETTINGS, add_host, database

OUI = "001a4a"
SAN = replace(SETTINGS, oui=OUI)
FABRIC = "1000c0ffee0000fa"
#: WWPNs of the two adapters of the first host.
PORT5, PORT6 = "210000e08b9318a1", "210000e08b9318a2"
OTHER = "5c4c4544-0042-3510-8051-b4c04f563832"
FIRST, LAST = "20000025b5aa0000", "20000025b5aa00ff"


def add_san_host(connection: Connection, host: str = HOST, name: str = "db7.example.org") -> None:
    add_host(connection, host, name=name, creatable=["bridge", "vport"])


def add_port(
    connection: Connection,
    name: str,
    wwpn: str,
    *,
    host: str = HOST,
    most: int | None = 255,
    used: int | None = 0,
    port: str | None = "Online",
    fabric: str | None = FABRIC,
    parent_wwpn: str | None = None,
    wanted: Sequence[str] = (),
) -> None:
    """A Fibre Channel port in the inventory: an adapter, or with `parent_wwpn` a virtual one."""
    facts = {"fc.wwpn": wwpn, "fc.wwnn": "20" + wwpn[2:], "fc.vports.max": most, "fc.vport.parent_wwpn": parent_wwpn}
    state = {"fc.port": port, "fc.fabric_wwn": fabric, "fc.vports": used, "fc.wanted": list(wanted) or None}
    device = add_thing(connection, name, f"scsi/wwpn/{wwpn}", ("scsihost", "fc"), facts=facts, state=state, host=host)
    for kind in ("wwpn", "wwnn"):
        row = {"device": device, "kind": kind, "value": facts[f"fc.{kind}"], "own": True}
        connection.execute(insert(tables.identifier).values(row))


def add_thing(
    connection: Connection,
    name: str,
    identity: str,
    types: Sequence[str],
    *,
    facts: Mapping[str, object] | None = None,
    state: Mapping[str, object] | None = None,
    host: str = HOST,
) -> int:
    then = datetime(2026, 11, 23, tzinfo=UTC)
    known = {key: value for key, value in (facts or {}).items() if value is not None}
    now_ = {key: value for key, value in (state or {}).items() if value is not None}
    row: int = connection.execute(
        insert(tables.device).values(
            host=host, identity=identity, present=True, name=name, key=f"/sys/devices/x/{name}", facts=known,
            state=now_, xml=b"<device/>", digest=bytes(32), state_hash=bytes(32), version=1, seq=1,
            first_seen=then, changed_at=then,
        ).returning(tables.device.c.id)
    ).scalar_one()  # fmt: skip
    for type_ in types:
        connection.execute(insert(tables.capability).values(device=row, type=type_))
    return row


def san_database(url: str) -> Engine:
    """An inventory with a host, its adapters, and a virtual port on the first."""
    engine = database(url)
    with writing(engine) as connection:
        add_san_host(connection)
        add_port(connection, "scsi_host5", PORT5)
    return engine


def remove(connection: Connection, wwpn: str) -> None:
    """The port with this name is gone from the census."""
    gone = update(tables.device).where(tables.device.c.identity == f"scsi/wwpn/{wwpn}")
    connection.execute(gone.values(present=False, identity=f"gone/{wwpn}/{now()}"))


def vport(wwpn: str | None = None, wwnn: str | None = None, parent: str = "<parent>scsi_host5</parent>") -> bytes:
    given = {"wwpn": wwpn, "wwnn": wwnn}
    address = etree.Element("address", {name: value for name, value in given.items() if value is not None})
    inner = etree.tostring(address).decode() if address.attrib else ""
    fc = f"<capability type='fc'>{inner}</capability>"
    return f"<device>{parent}<capability type='scsihost'>{fc}</capability></device>".encode()


def order(
    engine: Engine, document: bytes | None = None, host: str = HOST, settings: CommandSettings = SAN, **more: object
) -> inventory.Command:
    with writing(engine) as connection:
        return queue_create(connection, settings, host, document or vport(), actor="alice", **more)  # type: ignore[arg-type]


def order_destroy(engine: Engine, wwpn: str, host: str = HOST, type_: str = "destroy") -> inventory.Command:
    request = Request(actor="alice", door="api", idempotency_key=None, expires_in=None)
    with writing(engine) as connection:
        return queue_order(connection, SAN, type_, host, f"scsi/wwpn/{wwpn}", request=request)


def body(engine: Engine, command_id: str) -> IssuedCommand:
    """What the agent will read."""
    with engine.begin() as connection:
        raw = connection.execute(select(tables.command.c.body).where(tables.command.c.id == command_id)).scalar_one()
    return read_command(raw)


def named(engine: Engine, command_id: str) -> dict[str, str]:
    """WWNN and WWPN of the port that a command orders."""
    device = body(engine, command_id).device
    assert device is not None
    return names(device)


def told(engine: Engine, command_id: str, state: str, *, host: str = HOST, code: str | None = None) -> None:
    """The agent's result."""
    made = (Produced(identity="scsi/wwpn/x", name="scsi_host9"),) if state == "succeeded" else ()
    step = ResultStep(command=command_id, host=host, state=state, at=now(), code=code, produced=made)
    with writing(engine) as connection:
        record_results(connection, [step])


def send_out(engine: Engine, command_id: str) -> None:
    """The command has been sent."""
    with writing(engine) as connection:
        sent = update(tables.command).where(tables.command.c.id == command_id)
        connection.execute(sent.values(state="dispatched", partition=1))


def row_of(engine: Engine, wwpn: str) -> tuple[str, str, str] | None:
    """State, reason and host of a name; None where it is free."""
    with engine.begin() as connection:
        found = connection.execute(select(tables.wwn).where(tables.wwn.c.wwpn == wwpn)).one_or_none()
    return None if found is None else (found.state, found.reason, found.host)
