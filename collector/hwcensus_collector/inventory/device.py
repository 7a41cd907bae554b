"""What the inventory says of one device, now or at a past instant, and how rows become it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Row, Select, select

from hwcensus.classes import CAPABILITIES
from hwcensus.document import JsonValue
from hwcensus_collector import tables

#: What a record of the past does not hold: it belongs to the moment, not to the hardware.
LEFT_OUT_OF_THE_PAST = ("key", "state")
_ORDER = {type_: number for number, type_ in enumerate(CAPABILITIES)}


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device. `facts` and `state` map a path (`net.interface`) to its value, as in docs/protocol.md."""

    host: str
    host_name: str
    identity: str
    name: str
    key: str | None
    parent: str | None
    bus: str | None
    driver: str | None
    vendor: str | None
    product: str | None
    #: Nested ones too, after those that they may stand in.
    capabilities: tuple[str, ...]
    facts: dict[str, JsonValue]
    state: dict[str, JsonValue]
    present: bool
    #: Feed position of the version shown, and the digest of its document.
    version: int
    digest: str
    first_seen: datetime
    changed_at: datetime
    #: The instant asked for, where it is not now; what is `left_out` then is not "absent" but not kept.
    at: datetime | None = None
    left_out: tuple[str, ...] = field(default=())
    #: The document; whole for now, without key and state for the past. Filled only where asked for.
    xml: str | None = None


def device_rows(*, xml: bool) -> Select[tuple[object, ...]]:
    """Devices as they are now, with the name of their host."""
    device, host = tables.device, tables.host
    columns = [column for column in device.c if xml or column.name != "xml"]
    query = select(*columns, host.c.name.label("host_name")).join(host, host.c.id == device.c.host)
    return cast("Select[tuple[object, ...]]", query)


def to_devices(connection: Connection, rows: Iterable[Row[tuple[object, ...]]]) -> list[Device]:
    """The devices of rows of `device_rows`, in their order, with their capabilities."""
    kept = list(rows)
    types = _capabilities(connection, [row.id for row in kept])
    return [_device(row, in_order(types.get(row.id, ()))) for row in kept]


def _device(row: Row[tuple[object, ...]], capabilities: tuple[str, ...]) -> Device:
    return Device(
        host=row.host,
        host_name=row.host_name,
        identity=row.identity,
        name=row.name,
        key=row.key,
        parent=row.parent,
        bus=row.bus,
        driver=row.driver,
        vendor=row.vendor,
        product=row.product,
        capabilities=capabilities,
        facts=row.facts,
        state=row.state,
        present=row.present,
        version=row.version,
        digest=row.digest.hex(),
        first_seen=row.first_seen,
        changed_at=row.changed_at,
        xml=row.xml.decode() if "xml" in row._fields else None,
    )


def _capabilities(connection: Connection, ids: list[int]) -> dict[int, list[str]]:
    """One query a page; at most 1001 ids, which both databases take as parameters."""
    table = tables.capability
    found: dict[int, list[str]] = {}
    if not ids:
        return found
    query = select(table.c.device, table.c.type).where(table.c.device.in_(ids))
    for id_, type_ in connection.execute(query):
        found.setdefault(id_, []).append(type_)
    return found


def in_order(types: Iterable[str]) -> tuple[str, ...]:
    """Capability types in the order of the table of classes, which has outer ones before nested ones."""
    return tuple(sorted(set(types), key=lambda type_: (_ORDER.get(type_, len(_ORDER)), type_)))
