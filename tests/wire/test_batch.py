"""Batches on SQLite and PostgreSQL: many hosts by one request, few at once, and a stop at the first failures."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from hwcensus.errors import HwcensusError, NotFound, Refused
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.inventory.batches import Batch, find_batch
from hwcensus_collector.relay import outbox
from hwcensus_collector.relay.batch import Order, cancel_batch, has_failed, queue_batch, stop_failed
from hwcensus_collector.relay.ends import abandon
from hwcensus_collector.relay.queue import Request
from hwcensus_collector.relay.results import ResultStep, record_results
from tests.wire.relay_world import SETTINGS, add_host, audited, bridge, command, database, queue, set_host

HOSTS = tuple(f"h{n}" for n in range(6))
ORDER = Order(hosts=HOSTS, wanted="", document=bridge(), at_once=2, stop_after=2)
ASKED = Request(actor="alice", door="api", idempotency_key=None, expires_in=None)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database(database_url)
    with writing(engine) as connection:
        for host in HOSTS:
            add_host(connection, host, name=f"{host}.example.org")
    yield engine
    engine.dispose()


def ordered(engine: Engine, request: Request = ASKED, **more: Any) -> Batch:
    with writing(engine) as connection:
        return queue_batch(connection, SETTINGS, replace(ORDER, **more), request)


def commands(engine: Engine, batch: Batch) -> dict[str, str]:
    """Host → id, in the order of dispatch."""
    table = tables.command
    query = select(table.c.host, table.c.id).where(table.c.batch == batch.id).order_by(table.c.number)
    with engine.connect() as connection:
        return {row.host: row.id for row in connection.execute(query)}


def sent(engine: Engine) -> list[str]:
    """One round of the relay: stops what has failed, sends what may leave; the hosts that were sent to."""
    with writing(engine) as connection:
        if connection.execute(select(has_failed(now()))).scalar_one():
            stop_failed(connection, now())
        claimed = outbox.claim(connection, 4)
    with writing(engine) as connection:
        outbox.note_sent(connection, claimed, now())
    return [one.host for one in claimed]


def tell(engine: Engine, batch: Batch, host: str, state: str) -> None:
    result = ResultStep(command=commands(engine, batch)[host], host=host, state=state, at=now(), code="some-code")
    with writing(engine) as connection:
        record_results(connection, [result])


def found(engine: Engine, batch: Batch) -> Batch:
    with engine.connect() as connection:
        return find_batch(connection, batch.id)


def test_every_host_gets_a_command_of_its_own(engine: Engine) -> None:
    batch = ordered(engine)
    assert (batch.state, batch.states, batch.refused) == ("running", {"queued": 6}, [])
    assert (batch.by, batch.subject, batch.commands) == ("alice", "bridge", 6)
    assert list(commands(engine, batch)) == list(HOSTS)
    assert audited(engine, batch.id) == [("alice", "api", "batch.queued")]


def test_only_so_many_are_under_way_at_once(engine: Engine) -> None:
    batch = ordered(engine)
    assert sent(engine) == ["h0", "h1"]
    assert sent(engine) == []
    tell(engine, batch, "h1", "accepted")
    assert sent(engine) == [], "one that was accepted is still under way"
    tell(engine, batch, "h1", "succeeded")
    assert sent(engine) == ["h2"]


def test_a_batch_holds_up_nobody_else(engine: Engine) -> None:
    first, second = ordered(engine), ordered(engine, at_once=1)
    assert sent(engine) == ["h0", "h1", "h0"]
    alone = queue(engine, "hwc9", "h5")
    assert sent(engine) == ["h5"]
    assert command(engine, alone.id).batch is None
    assert {first.id, second.id} == {found(engine, first).id, found(engine, second).id}


def test_a_host_that_must_wait_does_not_take_the_place_of_another(engine: Engine) -> None:
    ordered(engine)
    set_host(engine, "h0", conflict={"stream": "x"})
    assert sent(engine) == ["h1", "h2"]


def test_what_was_claimed_and_not_noted_is_sent_again_and_counts_as_under_way(engine: Engine) -> None:
    ordered(engine)
    with writing(engine) as connection:
        outbox.claim(connection, 4)
    assert sent(engine) == ["h0", "h1"]
    assert sent(engine) == []


def test_what_was_claimed_and_is_late_is_a_failure_and_is_sent_so_that_its_host_ends_it(engine: Engine) -> None:
    batch = ordered(engine, at_once=1)
    with writing(engine) as connection:
        outbox.claim(connection, 4)
        past = {"expires": now() - timedelta(seconds=1)}
        first = tables.command.c.id == commands(engine, batch)["h0"]
        connection.execute(update(tables.command).where(first).values(past))
    assert found(engine, batch).failures == 1
    assert sent(engine) == ["h0", "h1"], "nobody else may end it: Kafka may have it"
    tell(engine, batch, "h0", "expired")
    assert found(engine, batch).states == {"dispatched": 1, "expired": 1, "queued": 4}


def test_after_so_many_failures_the_rest_is_cancelled_by_the_relay(engine: Engine) -> None:
    batch = ordered(engine)
    sent(engine)
    tell(engine, batch, "h0", "failed")
    assert sent(engine) == ["h2"], "one failure is not yet two"
    tell(engine, batch, "h1", "failed")
    assert sent(engine) == []
    told = found(engine, batch)
    assert (told.states, told.failures) == ({"cancelled": 3, "dispatched": 1, "failed": 2}, 2)
    assert (told.stopped_by, told.reason) == ("relay", "2 of 6 failed, the batch stops after 2")
    tell(engine, batch, "h2", "succeeded")
    assert found(engine, batch).state == "stopped"
    last = command(engine, commands(engine, batch)["h5"])
    assert (last.code, last.steps[-1].by) == ("batch-stopped", "relay")
    assert audited(engine, last.id)[-1] == ("relay", "relay", "command.cancelled")
    assert audited(engine, batch.id)[-1] == ("relay", "relay", "batch.stopped")


@pytest.mark.parametrize("end", ["overdue", "expired", "abandoned"])
def test_a_host_that_never_answers_is_a_failure_and_holds_the_batch_up_no_longer(engine: Engine, end: str) -> None:
    batch = ordered(engine, at_once=1)
    assert sent(engine) == ["h0"]
    first = commands(engine, batch)["h0"]
    with writing(engine) as connection:
        past = {"expires": now() - timedelta(seconds=1)}
        connection.execute(update(tables.command).where(tables.command.c.id == first).values(past))
    if end == "abandoned":
        with writing(engine) as connection:
            abandon(connection, first, actor="bob")
    if end == "expired":
        tell(engine, batch, "h0", "expired")
    assert found(engine, batch).failures == 1
    assert sent(engine) == ["h1"]


def test_a_batch_that_fails_at_its_end_is_done_and_not_stopped(engine: Engine) -> None:
    batch = ordered(engine, hosts=HOSTS[:2])
    sent(engine)
    for host in HOSTS[:2]:
        tell(engine, batch, host, "failed")
    sent(engine)
    assert (found(engine, batch).state, found(engine, batch).stopped_at) == ("done", None)


def test_hosts_that_cannot_be_commanded_now_are_named_and_the_others_go_on(engine: Engine) -> None:
    set_host(engine, "h1", clock_skew=99.0)
    set_host(engine, "h2", creatable=[])
    batch = ordered(engine)
    assert [(one["host"], one["code"]) for one in batch.refused] == [
        ("h1", "clock-skew"),
        ("h2", "not-creatable-here"),
    ]
    assert list(commands(engine, batch)) == ["h0", "h3", "h4", "h5"]


def test_where_no_host_can_be_commanded_there_is_no_batch(engine: Engine) -> None:
    for host in HOSTS:
        set_host(engine, host, retired_at=now())
    with pytest.raises(Refused) as error:
        ordered(engine)
    assert error.value.code == "host-retired"
    assert rows(engine) == (0, 0)


@pytest.mark.parametrize(
    "more, code",
    [
        ({"hosts": ()}, "bad-batch"),
        ({"hosts": tuple(f"x{n}" for n in range(1001))}, "bad-batch"),
        ({"at_once": 0}, "bad-batch"),
        ({"stop_after": 1001}, "bad-batch"),
        ({"require": "online"}, "bad-require"),
        ({"document": bridge("hwc0-is-far-too-long")}, "name-too-long"),
    ],
)
def test_what_is_wrong_with_the_request_queues_nothing(engine: Engine, more: dict[str, Any], code: str) -> None:
    if "hosts" not in more or more["hosts"]:
        more = {"hosts": HOSTS} | more
    with pytest.raises(HwcensusError) as error:
        ordered(engine, **more)
    assert error.value.code == code
    assert rows(engine) == (0, 0)


def test_a_misspelt_host_queues_nothing(engine: Engine) -> None:
    with pytest.raises(NotFound):
        ordered(engine, hosts=("h0", "h1.exmaple.org"))
    assert rows(engine) == (0, 0)


def rows(engine: Engine) -> tuple[int, int]:
    """How many batches and commands there are."""
    with engine.connect() as connection:
        batches, ones = (connection.execute(select(table)).all() for table in (tables.batch, tables.command))
    return len(batches), len(ones)


def test_a_host_named_twice_gets_one_command(engine: Engine) -> None:
    assert ordered(engine, hosts=("h0", "h0.example.org", "h0")).commands == 1


def test_the_same_request_with_the_same_key_is_one_batch(engine: Engine) -> None:
    keyed = replace(ASKED, idempotency_key="k1")
    first = ordered(engine, keyed)
    assert ordered(engine, keyed, hosts=HOSTS[:3]).id == first.id, "a filter may find others by now"
    assert rows(engine) == (1, 6)
    with pytest.raises(Refused) as error:
        ordered(engine, keyed, at_once=3)
    assert error.value.code == "idempotency-key-reused"


def test_each_wave_may_begin_later(engine: Engine) -> None:
    batch = ordered(engine, replace(ASKED, expires_in=timedelta(seconds=60)))
    valid = [command(engine, one) for one in commands(engine, batch).values()]
    assert [round((one.expires - one.issued).total_seconds()) for one in valid] == [60, 60, 120, 120, 180, 180]


def test_a_person_takes_back_what_was_not_sent(engine: Engine) -> None:
    batch = ordered(engine)
    sent(engine)
    with writing(engine) as connection:
        told = cancel_batch(connection, batch.id, actor="bob", reason="wrong rack")
    assert (told.states, told.stopped_by, told.reason) == ({"cancelled": 4, "dispatched": 2}, "bob", "wrong rack")
    assert sent(engine) == []
    with pytest.raises(Refused) as error, writing(engine) as connection:
        cancel_batch(connection, batch.id, actor="bob")
    assert error.value.code == "too-late"
