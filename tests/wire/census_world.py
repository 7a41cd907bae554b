"""An inventory with hosts and devices in it, as tests of the read side need it, and its API on a real socket.

Not a test. What is told goes the way of real records: as event documents through the fold into SQL.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from queue import Queue
from typing import Any

from sqlalchemy import Engine, update

from hwcensus import document, schema
from hwcensus.event import Add, AgentState, Change, Event, Evidence, Hello, Remove, read_event
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.api.serve import serve
from hwcensus_collector.database import open_engine, upgrade, writing
from hwcensus_collector.ingest.intake import Entry, Intake
from hwcensus_collector.ingest.record import of_event
from hwcensus_collector.inventory.changes import feed_position
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


def vport(name: str = "scsi_host7", *, wwpn: str = "50014380186b2a01", parent: str = "scsi_host5") -> str:
    return (
        f"<device><name>{name}</name><key>/sys/devices/{name}</key><parent>{parent}</parent>"
        '<capability type="scsihost"><host>7</host><capability type="fc">'
        f'<address wwnn="50014380186b2a00" wwpn="{wwpn}"/><vport parent_wwpn="210000e08b9318a1"/>'
        '<state port="Online" vport="Active"/></capability></capability></device>'
    )


def lun(number: int, parent: str = "scsi_host7") -> str:
    return (
        f"<device><name>scsi_7_0_0_{number}</name><key>/sys/devices/7:0:0:{number}</key><parent>{parent}</parent>"
        f'<bus type="scsi"><address host="7" bus="0" target="0" lun="{number}"/></bus>'
        '<capability type="scsi"><type>disk</type></capability></device>'
    )


class World:
    """Hosts and devices, told one after the other as agents tell them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._intake = Intake(engine, offline_after=600.0, cached_hosts=2000)
        self._seq: Counter[str] = Counter()
        #: (host, name) → identity of what is there.
        self._there: dict[tuple[str, str], str] = {}

    def host(self, id_: str, name: str, **more: object) -> None:
        """A host that introduces itself; `more` are columns as they are to be instead."""
        self.hosts({id_: name})
        if more:
            with writing(self.engine) as connection:
                connection.execute(update(tables.host).where(tables.host.c.id == id_).values(more))

    def hosts(self, names: dict[str, str]) -> None:
        """Many hosts at once, by id."""
        self._take([self._hello(id_, name) for id_, name in names.items()])

    def claim(self, host: str) -> None:
        """Another agent says that it is this host, which was heard a moment ago."""
        hello = replace(self._hello(host, "clone"), stream=f"{host}-2", seq=1, evidence=Evidence(machine_id="other"))
        self._take([replace(hello, time=BEGAN)])

    def heard(self, hosts: set[str], at: datetime) -> None:
        """The hosts were last heard then."""
        seen = tables.host_seen
        with writing(self.engine) as connection:
            connection.execute(update(seen).where(seen.c.host.in_(hosts)).values(heard_at=at))

    def tell(self, host: str, xml: str, at: datetime, *, identity: str | None = None, kind: str = "facts") -> int:
        """An add, or a change of what is there; gives the position in the feed."""
        device = document.parse(xml.encode())
        schema.validate(device, "device")
        name = str(device.findtext("name"))
        identity = identity or (name if name == "computer" else f"{name.partition('_')[0]}/place/{name}")
        if self._there.get((host, name)) == identity:
            event: Event = Change(**self._frame(host, at), identity=identity, device=device, kind=kind)
        else:
            event = Add(**self._frame(host, at), identity=identity, device=device)
        self._there[host, name] = identity
        return self._take([event])

    def remove(self, host: str, name: str, at: datetime) -> int:
        """What bears that name is gone."""
        identity = self._there.pop((host, name))
        return self._take([Remove(**self._frame(host, at), identity=identity, name=name)])

    def _frame(self, host: str, at: datetime) -> dict[str, Any]:
        self._seq[host] += 1
        return {"host": host, "stream": f"{host}-1", "seq": self._seq[host], "time": at}

    def _hello(self, id_: str, name: str) -> Hello:
        return Hello(
            **self._frame(id_, BEGAN),
            name=name,
            count=0,
            digest="0" * 64,
            state_digest="0" * 64,
            evidence=Evidence(machine_id=id_),
            agent=AgentState(version="0.1.0", model="1", kernel="6.1.0"),
            creatable=("bridge",),
            commands_partition=1,
        )

    def _take(self, events: Sequence[Event]) -> int:
        """Folds them as heard when they happened; the hosts are heard of now all the same."""
        records = [of_event(read_event(event.to_bytes()), event.time) for event in events]
        self._intake.take([Entry(message=None, at=record.at, record=record, letter=None) for record in records], {})
        self.heard({event.host for event in events}, now())
        with self.engine.connect() as connection:
            return feed_position(connection)


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
