"""What becomes of records that cannot be stored, and of those that a database in trouble does not take."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError

from hwcensus.event import Event
from hwcensus_collector import database, tables
from hwcensus_collector.ingest.intake import REFUSALS, Entry, Intake, Positions
from hwcensus_collector.ingest.record import of_event
from hwcensus_collector.store.check import check
from tests.fixtures.simulated_host import Nic, SimulatedHost
from tests.wire.test_store import Message

#: How a table that takes nothing is made, and made good again.
CLOSE = {
    "sqlite": "CREATE TRIGGER closed BEFORE INSERT ON device BEGIN SELECT RAISE(ABORT, 'closed'); END",
    "postgresql": "ALTER TABLE device ADD CONSTRAINT closed CHECK (false) NOT VALID",
}
OPEN = {"sqlite": "DROP TRIGGER closed", "postgresql": "ALTER TABLE device DROP CONSTRAINT closed"}


@pytest.fixture
def engine(database_url: str) -> Iterator[sql.Engine]:
    yield from opened(database_url)


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Iterator[sql.Engine]:
    yield from opened(sqlite_url)


@pytest.fixture
def on_postgresql(postgresql_url: str) -> Iterator[sql.Engine]:
    yield from opened(postgresql_url)


def opened(url: str) -> Iterator[sql.Engine]:
    engine = database.open_engine(url)
    database.upgrade(engine)
    yield engine
    engine.dispose()


def intake_of(engine: sql.Engine) -> Intake:
    return Intake(engine, offline_after=600, cached_hosts=100)


def entries(events: Sequence[Event]) -> list[Entry]:
    """As they come out of one partition."""
    return [
        Entry(Message(offset), event.time, of_event(event, event.time), None) for offset, event in enumerate(events)
    ]


def census(count: int, **more: Any) -> list[Event]:
    host = SimulatedHost()
    return [host.hello(), *(host.add(Nic(number), **more) for number in range(count))]


def run(engine: sql.Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def count(engine: sql.Engine, table: sql.Table) -> int:
    with engine.connect() as connection:
        return connection.execute(sql.select(sql.func.count()).select_from(table)).scalar_one()


def test_what_a_broken_database_refuses_waits_for_it(engine: sql.Engine) -> None:
    """A few dead letters in a row may be bad records; ten are none, and the rest is not lost."""
    told, intake = entries(census(30)), intake_of(engine)
    positions: Positions = {("events", 0): None}
    run(engine, CLOSE[engine.dialect.name])
    with pytest.raises(IntegrityError):
        intake.take(told, positions)
    kept = positions["events", 0]
    assert kept == 1 + REFUSALS - 1
    with pytest.raises(IntegrityError):
        intake.take(told[kept:], positions)
    assert (positions["events", 0], count(engine, tables.dead_letter)) == (kept, REFUSALS - 1)
    run(engine, OPEN[engine.dialect.name])
    intake.take(told[kept:], positions)
    assert (positions["events", 0], count(engine, tables.device)) == (len(told), len(told) - kept)
    assert count(engine, tables.dead_letter) == REFUSALS - 1
    assert list(check(engine)) == []


def test_bad_records_do_not_add_up_while_others_are_stored(engine: sql.Engine) -> None:
    """Ten that the database refuses, but never in a row."""
    run(engine, CLOSE[engine.dialect.name])
    intake, positions = intake_of(engine), Positions({("events", 0): None})
    host = SimulatedHost()
    told: list[Event] = [host.hello()]
    for number in range(REFUSALS + 2):
        told += [host.add(Nic(number)), host.heartbeat()]
    intake.take(entries(told), positions)
    assert positions["events", 0] == len(told)
    assert count(engine, tables.dead_letter) == REFUSALS + 2


def test_values_that_do_not_fit_are_dead_letters_however_many(on_postgresql: sql.Engine) -> None:
    """Nobody can stop a partition by them. An index entry of PostgreSQL holds 2704 bytes."""
    random, host, intake = Random(1), SimulatedHost(), intake_of(on_postgresql)
    told: list[Event] = [host.hello()]
    for number in range(REFUSALS + 2):
        key = "".join(chr(random.randrange(0x10000, 0x2FFFF)) for _ in range(5000))
        told.append(host.add(Nic(number, key=key)))
    told.append(host.add(Nic(99)))
    positions: Positions = {("events", 0): None}
    intake.take(entries(told), positions)
    assert positions["events", 0] == len(told)
    assert (count(on_postgresql, tables.device), count(on_postgresql, tables.dead_letter)) == (1, REFUSALS + 2)


def test_a_full_disk_makes_no_dead_letters(on_sqlite: sql.Engine) -> None:
    told, intake = entries(census(200)), intake_of(on_sqlite)
    positions: Positions = {("events", 0): None}
    with on_sqlite.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    most = [pages + 2]
    sql.event.listen(on_sqlite, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count = {most[0]}"))
    with pytest.raises(OperationalError, match="full"):
        intake.take(told, positions)
    assert (positions["events", 0], count(on_sqlite, tables.dead_letter)) == (None, 0)
    most[0] = 10_000
    intake.take(told, positions)
    assert (positions["events", 0], count(on_sqlite, tables.device)) == (201, 200)


def test_a_database_that_only_lets_read_makes_no_dead_letters(on_postgresql: sql.Engine) -> None:
    """A standby that we were led to."""
    told, intake = entries(census(20)), intake_of(on_postgresql)
    positions: Positions = {("events", 0): None}
    run(on_postgresql, f'ALTER DATABASE "{on_postgresql.url.database}" SET default_transaction_read_only = on')
    on_postgresql.dispose()
    with pytest.raises(InternalError, match="read-only"):
        intake.take(told, positions)
    assert (positions["events", 0], count(on_postgresql, tables.dead_letter)) == (None, 0)


def test_what_the_driver_raises_by_itself_comes_as_an_error_of_sqlalchemy(engine: sql.Engine) -> None:
    """The loop waits for the database at those, and ends at others."""

    def ask() -> None:
        with database.writing(engine) as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("SELECT nothing FROM nowhere")

    with pytest.raises(DBAPIError):
        ask()
