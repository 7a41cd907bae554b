"""`db check`: whether the inventory agrees with itself, recomputed from the documents.

Reads only, one host at a time; ingest may go on meanwhile.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from hwcensus import census_digest, document
from hwcensus.errors import HwcensusError
from hwcensus_collector import tables


def check(engine: Engine) -> Iterator[str]:
    """What is wrong, a line each; nothing where all is well."""
    with engine.connect() as connection:
        hosts = list(connection.execute(select(tables.host.c.id).order_by(tables.host.c.id)).scalars())
    # One snapshot a host: its sums and its devices are written together. (SQLite reads by snapshots anyway.)
    snapshot = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    for host in hosts:
        with engine.connect() as connection:
            yield from _check_host(connection.execution_options(**snapshot), host)


def _check_host(connection: Connection, host: str) -> Iterator[str]:
    row = connection.execute(select(tables.host).where(tables.host.c.id == host)).one()
    device, version, body = tables.device, tables.device_version, tables.document
    devices = connection.execute(
        select(device, version.c.valid_to, version.c.kind, version.c.digest.label("open_digest"), body.c.body)
        .outerjoin(version, version.c.feed == device.c.version)
        .outerjoin(body, body.c.digest == device.c.digest)
        .where(device.c.host == host)
    )
    count = digest = state_digest = 0
    for one in devices:
        yield from (f"{host} {one.identity}: {wrong}" for wrong in _check_device(one))
        if one.present:
            count += 1
            digest = census_digest.add(digest, census_digest.term(one.identity, one.digest))
            state_digest = census_digest.add(state_digest, census_digest.term(one.identity, one.state_hash))
    told = {name: getattr(row, name) for name in ("digest", "state_digest")} | {"count": row._mapping["count"]}
    found = {
        "digest": census_digest.write_total(digest),
        "state_digest": census_digest.write_total(state_digest),
        "count": count,
    }
    yield from (
        f"{host}: {name} is {told[name]}, recomputed {found[name]}" for name in found if told[name] != found[name]
    )


def _check_device(row: Row[Any]) -> Iterator[str]:
    if row.kind is None:
        yield f"its current version {row.version} is missing"
    elif row.valid_to is not None:
        yield f"its current version {row.version} is closed"
    elif (row.kind == "remove") == row.present:
        yield f"is {'present' if row.present else 'gone'}, but its current version is a {row.kind}"
    if row.present and row.open_digest != row.digest:
        yield "its current version has another digest"
    if row.body is None:
        yield "its document is missing"
    elif hashlib.sha256(row.body).digest() != row.digest:
        yield "its document has another digest"
    yield from _check_xml(row)


def _check_xml(row: Row[Any]) -> Iterator[str]:
    try:
        element = document.parse(row.xml)
        document.survey(element)
        parts = document.take_apart(element)
    except HwcensusError as error:
        yield f"its XML cannot be read: {error}"
        return
    if parts.digest != row.digest or parts.state_hash != row.state_hash:
        yield "its XML has other digests"
