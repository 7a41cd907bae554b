"""Devices as they were at a past instant, read from the versions and their documents.

A document of the past has no key and no state (docs/inventory.md), so neither can be asked for. Works host by host: the
index by host leads to all that is needed.
"""

from datetime import datetime
from functools import lru_cache

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from hwcensus import document
from hwcensus.document import JsonValue, Survey
from hwcensus_collector import tables
from hwcensus_collector.inventory.cursor import (
    Page,
    Window,
    page_of,
    question_mark,
    read_cursor,
    read_cursor_time,
    write_cursor,
)
from hwcensus_collector.inventory.device import LEFT_OUT_OF_THE_PAST, Device, in_order
from hwcensus_collector.inventory.filters import DeviceFilter
from hwcensus_collector.inventory.lookup import unknown_device
from hwcensus_collector.inventory.refusal import BadParameter, Unknown

#: Hosts that are looked through for one page, so that a rare match does not make one request read the whole fleet.
_HOSTS_A_PAGE = 50


def list_devices_at(
    connection: Connection, at: datetime, wanted: DeviceFilter, window: Window, *, xml: bool = False
) -> Page[Device]:
    """What was there at that instant, by host and name; a page may be short, or empty, and still lead on.

    The cursor keeps the instant of the first page, so that "7d" ago is one and the same on all. Raises BadParameter for
    a cursor, and for what the past does not hold (`not-recorded`).
    """
    _check(wanted)
    mark = question_mark("past", wanted)
    key = read_cursor(window.cursor, mark, (str, str, str, str))
    if key is not None:
        at = read_cursor_time(str(key[0]))
    after = None if key is None else tuple(str(part) for part in key[1:])
    hosts = _hosts(connection, wanted.host, None if after is None else after[0])
    found: list[Device] = []
    for host_id in hosts[:_HOSTS_A_PAGE]:
        had = devices_of_host_at(connection, host_id, at, wanted, xml=xml)
        found += [one for one in had if after is None or after[0] != host_id or _key(one) > after]
        if len(found) > window.limit:
            break
    page = page_of(found, window.limit, mark, lambda one: (at.isoformat(), *_key(one)))
    if page.next is None and len(hosts) > _HOSTS_A_PAGE:
        return Page(items=page.items, next=write_cursor(mark, (at.isoformat(), hosts[_HOSTS_A_PAGE], "", "")))
    return page


def devices_of_host_at(
    connection: Connection, host_id: str, at: datetime, wanted: DeviceFilter | None = None, *, xml: bool = False
) -> list[Device]:
    """All devices that one host had at that instant, by name."""
    _check(wanted or DeviceFilter())
    device, host, version = tables.device, tables.host, tables.device_version
    query = (
        select(
            version,
            device.c.identity,
            device.c.first_seen,
            tables.host.c.name.label("host_name"),
            tables.document.c.body,
        )
        .join(device, device.c.id == version.c.device)
        .join(host, host.c.id == version.c.host)
        .join(tables.document, tables.document.c.digest == version.c.digest)
        .where(version.c.host == host_id, _valid(at), version.c.kind != "remove")
    )
    if wanted is not None and wanted.name is not None:
        query = query.where(version.c.name == wanted.name)
    found = (_device(row, at, xml) for row in connection.execute(query))
    # Sorted here: a database sorts texts by a collation of its own, and the cursor is compared here too.
    return sorted((one for one in found if wanted is None or _matches(one, wanted)), key=_key)


def find_device_at(connection: Connection, host_id: str, name: str, at: datetime, *, xml: bool = False) -> Device:
    """The device that had this name, or has this identity, at that instant. Raises Unknown (`unknown-device`)."""
    # An identity is not in the versions; a name is, and saves reading the rest of the host.
    wanted = None if "/" in name else DeviceFilter(name=name)
    had = devices_of_host_at(connection, host_id, at, wanted, xml=xml)
    found = [one for one in had if name in (one.identity, one.name)]
    if not found:
        refusal = unknown_device(connection, host_id, name)
        raise Unknown(f"at {at.isoformat()}: {refusal}", code=refusal.code, nearest=refusal.nearest)
    return max(found, key=lambda one: one.version)


def _check(wanted: DeviceFilter) -> None:
    if wanted.key is not None:
        raise BadParameter("the past has no keys: they are dealt anew and not kept; ask by name", code="not-recorded")
    if wanted.present != "yes":
        raise BadParameter("with `at`, only what was there then can be asked for", code="not-recorded")


def _valid(at: datetime) -> ColumnElement[bool]:
    version = tables.device_version
    return and_(version.c.valid_from <= at, or_(version.c.valid_to.is_(None), version.c.valid_to > at))


def _hosts(connection: Connection, only: str | None, start: str | None) -> list[str]:
    """Ids of the hosts to look through, one more than a page takes."""
    if only is not None:
        return [only]
    host = tables.host
    query = select(host.c.id).order_by(host.c.id).limit(_HOSTS_A_PAGE + 1)
    return list(connection.execute(query if start is None else query.where(host.c.id >= start)).scalars())


def _key(one: Device) -> tuple[str, str, str]:
    return one.host, one.name, one.identity


def _matches(one: Device, wanted: DeviceFilter) -> bool:
    return (wanted.cap is None or wanted.cap in one.capabilities) and (wanted.bus is None or wanted.bus == one.bus)


def _device(row: Row[tuple[object, ...]], at: datetime, xml: bool) -> Device:
    said = surveyed(row.body)
    return Device(
        host=row.host,
        host_name=row.host_name,
        identity=row.identity,
        name=row.name,
        key=None,
        parent=_text(said.frame.get("parent")),
        bus=said.bus,
        driver=_text(said.frame.get("driver")),
        vendor=_text(said.facts.get(f"{said.bus}.vendor")),
        product=_text(said.facts.get(f"{said.bus}.product")),
        capabilities=in_order(said.capabilities),
        facts=said.facts,
        state={},
        present=True,
        version=row.feed,
        digest=row.digest.hex(),
        first_seen=row.first_seen,
        changed_at=row.valid_from,
        at=at,
        left_out=LEFT_OUT_OF_THE_PAST,
        xml=row.body.decode() if xml else None,
    )


@lru_cache(maxsize=4096)
def surveyed(body: bytes) -> Survey:
    """What a stored document says. Shared between callers, who must not change it."""
    return document.survey(document.parse(body))


def _text(value: JsonValue | None) -> str | None:
    return None if value is None else str(value)
