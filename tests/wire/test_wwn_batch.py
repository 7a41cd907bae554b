"""Names for the virtual ports of a batch: read of the inventory once, and given each to one host only."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, event, insert, select

from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.inventory.batches import Batch
from hwcensus_collector.relay.batch import Order, queue_batch
from hwcensus_collector.relay.queue import Request
from hwcensus_collector.wwns.allot import Allotter, Wanted
from hwcensus_collector.wwns.pool import add_pool
from tests.wire.relay_world import database
from tests.wire.san_world import FIRST, SAN, add_port, add_san_host, row_of, vport

HOSTS = tuple(f"h{n}" for n in range(5))
#: Has no adapter.
BARE = "h1"
NODE = "20000025b5ff0000"


def at(offset: int) -> str:
    """A name of the pool."""
    return f"{int(FIRST, 16) + offset:016x}"


def shows(connection: Connection, wwpn: str, host: str) -> None:
    add_port(connection, f"scsi_host1{wwpn[-1]}", wwpn, host=host, most=None, used=None, parent_wwpn="x")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Five hosts, all but one with an adapter, and a pool of four names of which the second is taken."""
    engine = database(database_url)
    with writing(engine) as connection:
        for n, host in enumerate(HOSTS):
            add_san_host(connection, host, f"{host}.example.org")
            if host != BARE:
                add_port(connection, "scsi_host5", f"210000e08b9318a{n}", host=host)
        add_pool(connection, "prod", at(0), at(3), NODE)
        shows(connection, at(1), BARE)
    yield engine
    engine.dispose()


def ordered(engine: Engine, *hosts: str, wwpn: str | None = None, pool: str | None = "prod") -> Batch:
    order = Order(hosts=hosts, wanted="", document=vport(wwpn), at_once=5, stop_after=1, pool=pool)
    asked = Request(actor="alice", door="api", idempotency_key=None, expires_in=None)
    with writing(engine) as connection:
        return queue_batch(connection, SAN, order, asked)


def reserved(engine: Engine) -> dict[str, str]:
    """Host → its name."""
    with engine.connect() as connection:
        rows = connection.execute(select(tables.wwn).where(tables.wwn.c.state == "reserved"))
        return {row.host: row.wwpn for row in rows}


def rests(connection: Connection, wwpn: str, host: str) -> None:
    values = {"state": "quarantined", "reason": "unknown", "since": now() - timedelta(seconds=1), "host": host}
    connection.execute(insert(tables.wwn).values(wwpn=wwpn, **values))


def test_every_host_has_a_name_of_its_own_the_lowest_first(engine: Engine) -> None:
    assert ordered(engine, "h0", "h2", "h3").commands == 3
    assert reserved(engine) == {"h0": at(0), "h2": at(2), "h3": at(3)}


def test_a_host_that_is_refused_costs_no_name_and_each_that_finds_none_left_is_told_so(engine: Engine) -> None:
    refused = ordered(engine, BARE, "h0", "h2", "h3", "h4").refused
    assert reserved(engine) == {"h0": at(0), "h2": at(2), "h3": at(3)}
    assert [(one["host"], one["code"]) for one in refused] == [(BARE, "parent-unknown"), ("h4", "pool-exhausted")]


def test_all_that_come_after_the_last_name_are_refused_alike(engine: Engine) -> None:
    with writing(engine) as connection:
        add_pool(connection, "one", at(8), at(8), NODE)
    batch = ordered(engine, "h0", "h2", "h3", "h4", pool="one")
    assert reserved(engine) == {"h0": at(8)}
    assert {one["code"] for one in batch.refused} == {"pool-exhausted"}
    assert len({one["detail"] for one in batch.refused}) == 1


def test_a_name_that_is_given_by_the_document_is_one_hosts(engine: Engine) -> None:
    batch = ordered(engine, "h0", "h2", "h3", wwpn=at(9), pool=None)
    assert reserved(engine) == {"h0": at(9)}
    assert [one["code"] for one in batch.refused] == ["wwn-in-use"] * 2


def test_a_pool_is_read_once_for_all_hosts(engine: Engine) -> None:
    read: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def noted(_1: object, _2: object, statement: str, *_: object) -> None:
        if "BETWEEN" in statement:
            read.append(statement)

    ordered(engine, "h0")
    once = len(read)
    assert once > 0
    ordered(engine, "h2", "h3")
    assert len(read) == 2 * once


def test_what_comes_into_the_census_meanwhile_is_not_given(engine: Engine) -> None:
    wanted = [Wanted(command=host, host=host, parent="scsi/wwpn/x", pool="prod") for host in ("h0", "h2")]
    with writing(engine) as connection:
        allotter = Allotter(connection, SAN, None)
        assert allotter.allot(wanted[0]).wwpn == at(0)
        shows(connection, at(2), BARE)
        assert allotter.allot(wanted[1]).wwpn == at(3)


def test_a_resting_name_that_is_shown_is_held_though_the_first_host_is_refused(engine: Engine) -> None:
    with writing(engine) as connection:
        rests(connection, at(1), BARE)
    ordered(engine, BARE, "h0")
    assert row_of(engine, at(1)) == ("held", "seen", BARE)
