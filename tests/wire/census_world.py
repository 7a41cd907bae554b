"""An inventory with hosts and devices in it, as tests of the read side need it, and its API on a real socket.

Not a test. Documents are real ones; the rows are as ingest leaves them.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from queue import Queue

from sqlalchemy import Connection, Engine, delete, insert, select, update

from hwcensus import document, schema
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.api.serve import serve
from hwcensus_collector.database import open_engine, upgrade, writing
from hwcensus_collector.settings import ApiSettings, CollectorSettings

#: The day before the one on which everything begins, and a moment long before all.
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BEGAN = now().replace(microsecond=0) - timedelta(days=2)


def after(**more: float) -> datetime:
    """A moment so long after the beginning: `after(hours=3)`."""
    return BEGAN + timedelta(**more)


def computer() -> str:
    return (
        "<device><name>computer</name><key>/sys/devices</key>"
        '<capability type="system"><hardware vendor="QEMU" product="Standard PC"/></capability></device>'
    )


def pci(name: str = "pci_0000_00_1f_3", parent: str = "computer", vendor: str = "Intel Corporation") -> str:
    path, slot, function = name.removeprefix("pci_").split("_")[-3:]
    return (
        f"<device><name>{name}</name><key>/sys/devices/pci0000:00/0000:{path}:{slot}.{function}</key>"
        f"<parent>{parent}</parent><driver>i801_smbus</driver>"
        f'<bus type="pci"><vendor id="32902">{vendor}</vendor><product id="10202">SMBus</product>'
        f'<address domain="0000" bus="{path}" slot="{slot}" function="{function}"/></bus></device>'
    )


def net(name: str, *, mac: str = "52:54:00:12:34:56", parent: str = "computer", mtu: int = 1500) -> str:
    return (
        f"<device><name>net_{name}</name><key>/sys/devices/virtual/net/{name}</key><parent>{parent}</parent>"
        f'<capability type="net"><interface>{name}</interface><address permanent="yes">{mac}</address>'
        f'<capability type="80203"/><state link="up" mtu="{mtu}"/></capability></device>'
    )


def bridge(name: str, *, stp: str = "no") -> str:
    return (
        f"<device><name>net_{name}</name><key>/sys/devices/virtual/net/{name}</key><parent>computer</parent>"
        f'<capability type="net"><interface>{name}</interface><capability type="bridge"><stp>{stp}</stp></capability>'
        '<state link="down" mtu="1500"/></capability></device>'
    )


def hba(name: str = "scsi_host5", *, vports: int = 254) -> str:
    return (
        f"<device><name>{name}</name><key>/sys/devices/{name}</key><parent>computer</parent>"
        '<capability type="scsihost"><host>5</host><capability type="fc">'
        f'<address wwnn="200000e08b9318a1" wwpn="210000e08b9318a1"/><vports max="{vports}"/>'
        "</capability></capability></device>"
    )


class World:
    """Hosts and devices, told one after the other."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def host(self, id_: str, name: str, *, heard_at: datetime | None = None, **more: object) -> None:
        values: dict[str, object] = {
            "id": id_, "name": name, "stream": "7d1f", "seq": 1, "count": 0, "digest": "0" * 64,
            "state_digest": "0" * 64, "evidence": {}, "sources": [], "creatable": ["bridge"], "commands_partition": 1,
            "first_seen": BEGAN, "resync_attempts": 0,
        }  # fmt: skip
        with writing(self.engine) as connection:
            connection.execute(insert(tables.host).values(values | more))
            connection.execute(insert(tables.host_seen).values(host=id_, heard_at=heard_at or now()))

    def tell(
        self, host: str, xml: str, at: datetime, *, identity: str | None = None, kind: str = "", cause: str = "event"
    ) -> int:
        """An add or a change; gives the position in the feed."""
        element = document.parse(xml.encode())
        schema.validate(element, "device")
        said, whole = document.survey(element), document.to_bytes(element)
        parts = document.take_apart(element)
        name = str(said.frame["name"])
        row = {
            "present": True, "name": name, "key": said.frame.get("key"), "parent": said.frame.get("parent"),
            "bus": said.bus, "driver": said.frame.get("driver"), "facts": said.facts, "state": said.state, "xml": whole,
            "digest": parts.digest, "state_hash": parts.state_hash, "changed_at": at,
        }  # fmt: skip
        with writing(self.engine) as connection:
            feed = _next(connection)
            _keep(connection, parts)
            thing = _thing(connection, host, identity or _identity(name), row | {"version": feed, "seq": feed}, at)
            _capabilities(connection, thing, said.capabilities)
            kind = kind or ("change" if _open(connection, thing) else "add")
            _version(connection, thing, host, feed, at, kind=kind, name=name, digest=parts.digest, cause=cause)
        return feed

    def remove(self, host: str, name: str, at: datetime) -> int:
        """The device of that name is gone."""
        table = tables.device
        with writing(self.engine) as connection:
            feed = _next(connection)
            found = connection.execute(
                select(table.c.id).where(table.c.host == host, table.c.name == name, table.c.present.is_(True))
            ).scalar_one()
            connection.execute(
                update(table).where(table.c.id == found).values(present=False, version=feed, seq=feed, changed_at=at)
            )
            _version(connection, found, host, feed, at, kind="remove", name=name, digest=None, cause="event")
            _count(connection, host)
        return feed


def _identity(name: str) -> str:
    return name if name == "computer" else f"{name.partition('_')[0]}/place/{name}"


def _next(connection: Connection) -> int:
    table = tables.feed
    position: int = connection.execute(select(table.c.position)).scalar_one() + 1
    connection.execute(update(table).values(position=position))
    return position


def _keep(connection: Connection, parts: document.Document) -> None:
    table = tables.document
    if connection.execute(select(table.c.digest).where(table.c.digest == parts.digest)).first() is None:
        connection.execute(insert(table).values(digest=parts.digest, body=parts.facts))


def _thing(connection: Connection, host: str, identity: str, row: dict[str, object], at: datetime) -> int:
    table = tables.device
    mine = (table.c.host == host) & (table.c.identity == identity)
    known: int | None = connection.execute(select(table.c.id).where(mine)).scalar_one_or_none()
    if known is None:
        values = row | {"host": host, "identity": identity, "first_seen": at}
        known = connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
    else:
        connection.execute(update(table).where(table.c.id == known).values(row))
    _count(connection, host)
    return known


def _count(connection: Connection, host: str) -> None:
    table = tables.device
    there = connection.execute(select(table.c.id).where(table.c.host == host, table.c.present.is_(True))).all()
    connection.execute(update(tables.host).where(tables.host.c.id == host).values(count=len(there)))


def _capabilities(connection: Connection, thing: int, types: list[str]) -> None:
    table = tables.capability
    connection.execute(delete(table).where(table.c.device == thing))
    for type_ in dict.fromkeys(types):
        connection.execute(insert(table).values(device=thing, type=type_))


def _open(connection: Connection, thing: int) -> bool:
    table = tables.device_version
    query = select(table.c.kind).where(table.c.device == thing).order_by(table.c.feed.desc())
    return connection.execute(query).scalars().first() not in (None, "remove")


def _version(connection: Connection, thing: int, host: str, feed: int, at: datetime, **more: object) -> None:
    table = tables.device_version
    connection.execute(update(table).where(table.c.device == thing, table.c.valid_to.is_(None)).values(valid_to=at))
    connection.execute(
        insert(table).values(
            feed=feed, device=thing, host=host, valid_from=at, recorded_at=at, stream="7d1f", seq=feed, **more
        )
    )


@contextmanager
def world(database_url: str) -> Iterator[World]:
    """A fresh inventory."""
    engine = open_engine(database_url)
    upgrade(engine)
    yield World(engine)
    engine.dispose()


@contextmanager
def served(engine: Engine, port: int = 0) -> Iterator[str]:
    """The API over an inventory, by default on a port of its own, in a thread of its own; gives its URL."""
    told: Queue[str | BaseException] = Queue()
    stopping: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stop = asyncio.Event()
        stopping.append((asyncio.get_running_loop(), stop))
        settings = CollectorSettings(api=ApiSettings(listen=f"127.0.0.1:{port}"))
        await serve(settings, engine, stop, ready=told.put)

    def body() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - handed to the test
            told.put(error)

    thread = threading.Thread(target=body)
    thread.start()
    url = told.get(timeout=30)
    if isinstance(url, BaseException):
        raise url
    try:
        yield url
    finally:
        ((loop, stop),) = stopping
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive(), "the API does not stop"
