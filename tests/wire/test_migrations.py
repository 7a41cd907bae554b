"""The schema: what the revisions add up to, and that one can go back and forth."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hwcensus.errors import ConfigError
from hwcensus_collector import database, tables


def differences(engine: sql.Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, tables.metadata))


def test_the_revisions_add_up_to_the_tables(database_url: str) -> None:
    engine = database.open_engine(database_url)
    database.upgrade(engine)
    assert differences(engine) == []
    assert database.current_revision(engine) == database.head_revision()
    database.require_head(engine)
    engine.dispose()


def test_down_and_up_again_ends_at_the_same_schema(database_url: str) -> None:
    engine = database.open_engine(database_url)
    for _ in range(2):
        database.upgrade(engine)
        database.downgrade(engine, "base")
        with engine.connect() as connection:
            assert set(sql.inspect(connection).get_table_names()) <= {"alembic_version"}
    database.upgrade(engine)
    assert differences(engine) == []
    engine.dispose()


def test_an_empty_database_is_refused_with_the_way_out(database_url: str) -> None:
    engine = database.open_engine(database_url)
    with pytest.raises(database.SchemaOutdated, match="db upgrade"):
        database.require_head(engine)
    engine.dispose()


def test_programs_that_migrate_at_the_same_time_do_it_once(database_url: str) -> None:
    engine = database.open_engine(database_url)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(database.upgrade, [engine] * 4))
    with engine.connect() as connection:
        assert connection.execute(sql.select(tables.feed.c.position)).all() == [(0,)]
    engine.dispose()


def test_an_sqlite_inventory_is_readable_by_its_owner_only(sqlite_url: str) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    files = list(Path(sqlite_url.removeprefix("sqlite:///")).parent.glob("inventory.sqlite*"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    engine.dispose()


@pytest.mark.parametrize("url", ["", "mysql://x/y", "not a url"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        database.open_engine(url)


def test_limits_are_set_on_every_postgresql_connection(postgresql_url: str) -> None:
    engine = database.open_engine(postgresql_url)
    with engine.connect() as connection:
        shown = {
            name: connection.execute(sql.text(f"SHOW {name}")).scalar_one()
            for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "timezone")
        }
    assert shown == {
        "lock_timeout": "10s",
        "statement_timeout": "2min",
        "idle_in_transaction_session_timeout": "1min",
        "timezone": "UTC",
    }
    engine.dispose()
