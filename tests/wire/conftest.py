"""What tests at the wire share beside `tests/conftest.py`."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sql

from hwcensus_collector import database


@pytest.fixture
def engine(database_url: str) -> Iterator[sql.Engine]:
    """An inventory without a host, on both databases; files that need hosts in it have an `engine` of their own."""
    engine = database.open_engine(database_url)
    database.upgrade(engine)
    yield engine
    engine.dispose()
