"""The databases that tests are given: real ones, empty, one each."""

import sqlalchemy as sql

from tests.fixtures.sql import PostgreSQL


def test_a_database_is_empty_and_takes_a_table(database_url: str) -> None:
    engine = sql.create_engine(database_url)
    with engine.begin() as connection:
        assert sql.inspect(connection).get_table_names() == []
        connection.execute(sql.text("CREATE TABLE t (a INTEGER)"))
    engine.dispose()


def test_every_postgresql_database_is_another_one(postgresql: PostgreSQL) -> None:
    names = {postgresql.create() for _ in range(2)}
    assert len(names) == 2
    for name in names:
        postgresql.drop(name)
