"""`ingest-…`: change events from bytes to committed rows, beside the same rows written by nothing but SQL.

Ours is what an ingest process does after Kafka: read, validate, hash, fold, store, one batch read ahead in a thread.
The records have three forms (`ingest/form.py`); a recorded laptop of 119 devices has 42.
The limit takes rows that are ready: COPY and set-based merges on PostgreSQL, executemany on SQLite, in as many
transactions.
"""

import asyncio
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, cast

import psycopg
import sqlalchemy as sql
from aiokafka import ConsumerRecord

from hwcensus import census_digest
from hwcensus.document import parse
from hwcensus.event import Add, AgentState, Change, Event, Evidence, Hello
from hwcensus_collector import database
from hwcensus_collector.ingest.record import Reading
from hwcensus_collector.ingest.run import LOG_APPEND_TIME, Ingest, calm_collector
from hwcensus_collector.ingest.source import Source
from hwcensus_collector.settings import CollectorSettings, IngestSettings
from hwcensus_collector.store import rows, write
from hwcensus_collector.store.batch import Sight
from hwcensus_collector.store.sqlite import instant
from hwcensus_collector.store.tracked import Thing
from hwcensus_collector.store.writer import Row, Target, Writer
from tests.bench.figure import Figure
from tests.fixtures.sql import PostgreSQL, _binaries, _user

HOSTS, DEVICES, EVENTS, ROUNDS = 200, 40, 100_000, 5
BATCH = IngestSettings().batch_records
TIME = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Message:
    """One record as Kafka's client gives it."""

    offset: int
    value: bytes
    headers: list[tuple[str, bytes]]
    key: bytes = b""
    topic: str = "events"
    partition: int = 0
    timestamp: int = int(TIME.timestamp() * 1000)
    timestamp_type: int = LOG_APPEND_TIME


def device(number: int, turn: int) -> bytes:
    """One of three kinds of device, each with a fact that `turn` changes."""
    match number % 4:
        case 0:
            return (
                f"<device><name>net_eth{number}</name><key>/sys/devices/pci0000:00/0000:00:03.0/net/eth{number}</key>"
                f'<parent>pci_0000_00_03_0</parent><driver>ixgbe{turn}</driver><capability type="net">'
                f'<interface>eth{number}</interface><address permanent="yes">52:54:00:12:34:{number:02x}</address>'
                '<capability type="80203"/><state link="up" speed="1000" duplex="full" mtu="1500"/>'
                "</capability></device>"
            ).encode()
        case 1:
            return (
                f"<device><name>block_sd{number}</name><key>/sys/devices/pci0000:00/ata1/host0/block/sd{number}</key>"
                f'<parent>scsi_0_0_0_{number}</parent><devnode>/dev/sd{number}</devnode><capability type="storage">'
                f"<bus>ata</bus><drive_type>disk</drive_type><model>ST9500325AS</model><firmware>{turn:08}</firmware>"
                f"<serial>5VE{number:05}</serial><size>500107862016</size>"
                '<block_size logical="512" physical="512"/><rotational>yes</rotational></capability>'
                '<capability type="block"><node major="8" minor="0"/><size>500107862016</size></capability></device>'
            ).encode()
        case _:
            return (
                f"<device><name>pci_0000_00_{number:02x}_0</name><key>/sys/devices/pci0000:00/0000:00:{number:02x}.0</key>"
                f"<parent>computer</parent><driver>i801_smbus{turn}</driver>"
                '<bus type="pci"><vendor id="32902">Intel Corporation</vendor>'
                '<product id="10202">82801G (ICH7 Family) SMBus Controller</product>'
                '<subsystem vendor="32902" product="1"/><class>0c0500</class><revision>2</revision>'
                f'<address domain="0000" bus="00" slot="{number:02x}" function="0"/></bus></device>'
            ).encode()


def stamp(host: int, seq: int) -> dict[str, Any]:
    return {"host": f"4c4c4544-0042-3010-8051-{host:012}", "stream": f"{host:032}", "seq": seq, "time": TIME}


def identity(number: int) -> str:
    return f"pci/place/pci0000:00%2F0000:00:{number:02x}.0"


def messages(events: Iterator[Event], first: int) -> list[Message]:
    return [Message(first + i, event.to_bytes(), event.headers()) for i, event in enumerate(events)]


def beginnings() -> Iterator[Event]:
    """Every host's hello and devices."""
    nothing = census_digest.write_total(0)
    for host in range(HOSTS):
        yield Hello(
            **stamp(host, 1), count=0, digest=nothing, state_digest=nothing, name=f"host{host}",
            evidence=Evidence(), agent=AgentState(version="0.1.0", model="1", kernel="6.1.0"),
        )  # fmt: skip
        for number in range(DEVICES):
            yield Add(**stamp(host, 2 + number), identity=identity(number), device=parse(device(number, 0)))


def changes() -> Iterator[Event]:
    """Each a change of facts, hosts and devices in turn."""
    for i in range(EVENTS):
        turn, host = divmod(i, HOSTS)
        number = turn % DEVICES
        yield Change(
            **stamp(host, 2 + DEVICES + turn), identity=identity(number), device=parse(device(number, i + 1)),
            kind="facts", changed=("driver",), source="udev",
        )  # fmt: skip


class Ready(Source):
    """All messages at once, instead of Kafka."""

    def __init__(self, told: Sequence[Message], position: int | None, done: asyncio.Event) -> None:
        self.generation = 0
        self.positions = {("events", 0): position}
        self._told, self._next, self._done = told, 0, done

    def begin_anew(self) -> None:
        self.generation += 1

    def ready(self) -> bool:
        return True

    @property
    def quiet(self) -> bool:
        return False

    async def messages(self) -> list[ConsumerRecord]:
        first, self._next = self._next, self._next + BATCH
        if first >= len(self._told):
            await self._done.wait()
        return list(self._told[first : self._next])

    async def commit(self) -> None:
        if self.positions["events", 0] == self._told[-1].offset + 1:
            self._done.set()


def ingest(engine: sql.Engine, told: Sequence[Message], position: int | None) -> float:
    """Seconds for all messages, through the loop of the program itself."""

    async def work() -> None:
        done = asyncio.Event()
        await loop.work(Ready(told, position, done), done)

    loop = Ingest(CollectorSettings(), engine)
    began = time.perf_counter()
    asyncio.run(work())
    seconds = time.perf_counter() - began
    assert not any(name.startswith("dead-letter") for name in loop.intake.counts)
    return seconds


@dataclass
class Recorder:
    """A writer that notes the rows that go by; one list a transaction."""

    writer: Writer
    transactions: list[dict[str, list[Row]]] = field(default_factory=list)

    def insert(self, connection: sql.Connection, target: Target, rows_: Sequence[Row]) -> None:
        self._note(target, rows_)
        self.writer.insert(connection, target, rows_)

    def merge(self, connection: sql.Connection, target: Target, rows_: Sequence[Row]) -> None:
        if target is rows.DOCUMENT:
            self.transactions.append({})
        self._note(target, rows_)
        self.writer.merge(connection, target, rows_)

    def update(self, connection: sql.Connection, target: Target, rows_: Sequence[Row]) -> None:
        self._note(target, rows_)
        self.writer.update(connection, target, rows_)

    def delete(self, connection: sql.Connection, target: Target, rows_: Sequence[Row]) -> None:
        self.writer.delete(connection, target, rows_)

    def reserve(self, connection: sql.Connection, count: int) -> Sequence[int]:
        return self.writer.reserve(connection, count)

    def finish(self, connection: sql.Connection) -> None:
        self.writer.finish(connection)

    def _note(self, target: Target, rows_: Sequence[Row]) -> None:
        if target is not rows.DEVICE:
            self.transactions[-1][target.name] = list(rows_)


@contextmanager
def recording() -> Iterator[list[dict[str, list[Row]]]]:
    recorder: list[Recorder] = []
    plain, plain_row = write.writer_of, rows.told_row

    def writer_of(connection: sql.Connection) -> Writer:
        if not recorder:
            recorder.append(Recorder(plain(connection)))
        return recorder[0]

    def told_row(thing: Thing, sight: Sight, reading: Reading) -> Row:
        """The limit writes whole rows, as one does who does not know what changed."""
        rows.told_row = plain_row  # for new_row stands on it
        recorder[0].transactions[-1].setdefault("device", []).append(rows.new_row(thing, sight, reading))
        rows.told_row = told_row
        return plain_row(thing, sight, reading)

    write.writer_of, rows.told_row = writer_of, told_row
    transactions: list[dict[str, list[Row]]] = []
    try:
        yield transactions
    finally:
        write.writer_of, rows.told_row = plain, plain_row
        transactions.extend(recorder[0].transactions)


TARGETS = (rows.DOCUMENT, rows.VERSION, rows.VERSION_CLOSED, rows.DEVICE)
Transactions = Sequence[dict[str, list[Row]]]


def names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def copy_and_merge(engine: sql.Engine, transactions: Transactions) -> float:
    """The limit on PostgreSQL."""
    connection = engine.raw_connection()
    raw = cast("psycopg.Connection[tuple[object, ...]]", connection.driver_connection)
    cursor = raw.cursor()
    for target in TARGETS:
        cursor.execute(
            f"CREATE TEMP TABLE plain_{target.name} ON COMMIT DELETE ROWS AS "
            f"SELECT {names(target.columns)} FROM {target.table.name} WITH NO DATA".encode()
        )
    raw.commit()
    device_set = ", ".join(f'"{name}" = excluded."{name}"' for name in rows.DEVICE.changed)
    merges = {
        "document": "INSERT INTO document (digest, body) SELECT digest, body FROM plain_document "
        "ON CONFLICT (digest) DO NOTHING",
        "version": f"INSERT INTO device_version ({names(rows.VERSION.columns)}) SELECT * FROM plain_version",
        "version_closed": "UPDATE device_version v SET valid_to = p.valid_to FROM plain_version_closed p "
        "WHERE v.feed = p.feed",
        "device": f"INSERT INTO device ({names(rows.DEVICE.columns)}) SELECT * FROM plain_device "
        f"ON CONFLICT (id) DO UPDATE SET {device_set}",
    }
    began = time.perf_counter()
    for transaction in transactions:
        for target in TARGETS:
            with cursor.copy(f"COPY plain_{target.name} FROM STDIN".encode()) as copy:
                for row in transaction[target.name]:
                    copy.write_row(row)
            cursor.execute(merges[target.name].encode())
        raw.commit()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def executemany(engine: sql.Engine, transactions: Transactions) -> float:
    """The limit on SQLite."""
    connection = engine.raw_connection()
    raw = cast(sqlite3.Connection, connection.driver_connection)
    places = {target.name: ", ".join("?" * len(target.columns)) for target in TARGETS}
    device_set = ", ".join(f'"{name}" = excluded."{name}"' for name in rows.DEVICE.changed)
    statements = {
        "document": "INSERT OR IGNORE INTO document (digest, body) VALUES (?, ?)",
        "version": f"INSERT INTO device_version ({names(rows.VERSION.columns)}) VALUES ({places['version']})",
        "version_closed": "UPDATE device_version SET valid_to = ?2 WHERE feed = ?1",
        "device": f"INSERT INTO device ({names(rows.DEVICE.columns)}) VALUES ({places['device']}) "
        f"ON CONFLICT (id) DO UPDATE SET {device_set}",
    }
    ready = [
        {
            target.name: [
                tuple(instant(value) if isinstance(value, datetime) else value for value in row)
                for row in transaction[target.name]
            ]
            for target in TARGETS
        }
        for transaction in transactions
    ]
    began = time.perf_counter()
    for transaction in ready:
        raw.execute("BEGIN IMMEDIATE")
        for target in TARGETS:
            raw.executemany(statements[target.name], transaction[target.name])
        raw.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def measure(name: str, fresh: Callable[[], sql.Engine], plain: Callable[[sql.Engine, Transactions], float]) -> Figure:
    """`fresh` gives databases that hold the hosts' beginnings."""
    told = messages(changes(), HOSTS * (DEVICES + 1))
    calm_collector()  # as the program does
    position = HOSTS * (DEVICES + 1)
    with recording() as transactions:
        ingest(fresh(), told, position)
    assert sum(len(one["version"]) for one in transactions) == EVENTS
    ours: list[float] = []
    limit: list[float] = []
    for _ in range(ROUNDS):
        limit.append(EVENTS / plain(fresh(), transactions))
        ours.append(EVENTS / ingest(fresh(), told, position))
    note = f"{EVENTS} changes of {HOSTS} hosts, {BATCH} a transaction, medians of {ROUNDS}"
    return Figure(
        name=name,
        ours=median(ours),
        limit=median(limit),
        ratio=median(a / b for a, b in zip(ours, limit, strict=True)),
        unit="events/s",
        note=note,
    )


def prepare(engine: sql.Engine) -> None:
    database.upgrade(engine)
    ingest(engine, messages(beginnings(), 0), None)
    engine.dispose()


def ingest_postgresql() -> Figure:
    """Aim: at least half of the limit's rate."""
    binaries = _binaries()
    assert binaries is not None, "PostgreSQL is not installed"
    with tempfile.TemporaryDirectory(prefix="hwcensus-pg-", ignore_cleanup_errors=True) as folder:
        cluster = PostgreSQL(binaries, Path(folder), _user())
        cluster.start()
        template = cluster.create()
        prepare(database.open_engine(cluster.url(template)))

        def fresh() -> sql.Engine:
            return database.open_engine(cluster.url(copy_of(cluster, template)))

        try:
            return measure("ingest-postgresql", fresh, copy_and_merge)
        finally:
            cluster.stop()


def copy_of(cluster: PostgreSQL, template: str) -> str:
    """The name of a database with the same content."""
    name = f"bench_{time.monotonic_ns()}"
    maintenance = sql.create_engine(cluster.url("postgres"), isolation_level="AUTOCOMMIT")
    with maintenance.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    maintenance.dispose()
    return name


def ingest_sqlite() -> Figure:
    """Aim: at least 0.4 of the limit's rate."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder, "template.sqlite")
        prepare(database.open_engine(f"sqlite:///{template}"))
        count = iter(range(1000))

        def fresh() -> sql.Engine:
            copy = Path(folder, f"{next(count)}.sqlite")
            shutil.copy(template, copy)
            return database.open_engine(f"sqlite:///{copy}")

        return measure("ingest-sqlite", fresh, executemany)
