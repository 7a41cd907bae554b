"""Results as ingest hands them over, on SQLite and PostgreSQL: early, late, twice, and from the wrong host."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select

from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.relay.results import ResultStep, record_results
from tests.wire.plans import looked_through
from tests.wire.relay_world import HOST, add_host, audited, command, database, queue, states

MADE = Produced(identity="net/place/virtual/net/hwc0", name="net_hwc0")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database(database_url)
    with writing(engine) as connection:
        add_host(connection)
    yield engine
    engine.dispose()


def tell(engine: Engine, command_id: str, *told: str, host: str = HOST, code: str | None = None) -> None:
    results = [
        ResultStep(
            command=command_id,
            host=host,
            state=state,
            at=now(),
            code=code,
            produced=(MADE,) if state == "succeeded" else (),
        )
        for state in told
    ]
    with writing(engine) as connection:
        record_results(connection, results)


def dispatched(engine: Engine) -> str:
    queued = queue(engine)
    with writing(engine) as connection:
        connection.execute(tables.command.update().values(state="dispatched", partition=1))
    return queued.id


def test_a_command_succeeds_and_names_what_it_made(engine: Engine) -> None:
    made = dispatched(engine)
    tell(engine, made, "accepted", "succeeded")
    found = command(engine, made)
    assert (found.state, found.name, found.identity) == ("succeeded", MADE.name, MADE.identity)
    assert found.produced == [{"identity": MADE.identity, "name": MADE.name}]
    assert states(engine, made) == ["queued", "accepted", "succeeded"]
    assert audited(engine, made)[1:] == [(HOST, "agent", "command.accepted"), (HOST, "agent", "command.succeeded")]


def test_an_answer_that_comes_before_the_dispatch_was_noted_proves_the_dispatch(engine: Engine) -> None:
    queued = queue(engine)
    tell(engine, queued.id, "accepted")
    assert states(engine, queued.id) == ["queued", "dispatched", "accepted"]
    assert command(engine, queued.id).state == "accepted"


def test_a_failure_keeps_code_and_text(engine: Engine) -> None:
    sent = dispatched(engine)
    tell(engine, sent, "failed", code="name-taken")
    found = command(engine, sent)
    assert (found.state, found.code, found.ended) == ("failed", "name-taken", True)


def test_late_and_repeated_results_are_steps_that_move_nothing(engine: Engine) -> None:
    sent = dispatched(engine)
    tell(engine, sent, "accepted", "succeeded", "accepted", "failed", "succeeded")
    assert command(engine, sent).state == "succeeded"
    assert states(engine, sent) == ["queued", "accepted", "succeeded", "accepted", "failed", "succeeded"]
    assert [action for _, _, action in audited(engine, sent)] == [
        "command.queued",
        "command.accepted",
        "command.succeeded",
    ]


@pytest.mark.parametrize("code", ["bad-signature", "unknown-key", "wrong-host", "replayed"])
def test_what_a_host_refused_as_forged_is_audited_whatever_command_it_claims_to_be(engine: Engine, code: str) -> None:
    sent = dispatched(engine)
    tell(engine, sent, "succeeded")
    tell(engine, sent, "failed", code=code)
    tell(engine, "0192e7ff", "failed", code=code)
    tell(engine, sent, "failed", code=code, host="another")
    assert command(engine, sent).state == "succeeded"
    refused = (HOST, "agent", "command.refused")
    assert audited(engine, sent)[2:] == [refused, ("another", "agent", "command.refused")]
    assert audited(engine, "0192e7ff") == [refused]


def test_what_a_host_obeyed_that_is_no_command_of_it_here_is_audited(engine: Engine) -> None:
    """Its signature was right: the key was stolen, or the database is younger."""
    sent = dispatched(engine)
    tell(engine, "0192e7ff", "accepted", "succeeded")
    tell(engine, sent, "accepted", host="another")
    tell(engine, "0192e8ff", "failed", code="wrong-stream")  # a resync of an earlier life
    assert audited(engine, "0192e7ff") == [(HOST, "agent", "command.unknown")] * 2
    assert audited(engine, sent)[1:] == [("another", "agent", "command.unknown")]
    assert audited(engine, "0192e8ff") == []
    assert command(engine, sent).state == "dispatched"


def test_of_what_a_host_tells_at_length_the_beginning_is_kept(engine: Engine) -> None:
    """A rogue must not fill the audit, whether he answers for a command, late, or for one that nobody knows."""
    sent, endless = dispatched(engine), "x" * 1_000_000
    told = ResultStep(command=sent, host=HOST, state="failed", at=now(), code=endless, text=endless)
    unknown = replace(told, command=endless, state="accepted")
    with writing(engine) as connection:
        record_results(connection, [told, told, unknown, replace(unknown, code="bad-signature")])
        kept = [
            row
            for table in (tables.command, tables.command_event, tables.audit)
            for row in connection.execute(select(table)).all()
        ]
    assert command(engine, sent).text == "x" * 4000 + "…"
    assert [action for _, _, action in audited(engine, "x" * 64 + "…")] == [
        "command.unknown",
        "command.refused",
        "command.unknown",
    ]
    assert max(len(repr(row)) for row in kept) < 10_000


def test_a_result_after_abandoned_is_kept_and_changes_nothing(engine: Engine) -> None:
    sent = dispatched(engine)
    with writing(engine) as connection:
        connection.execute(tables.command.update().values(state="abandoned"))
    tell(engine, sent, "succeeded")
    assert command(engine, sent).state == "abandoned"
    assert states(engine, sent) == ["queued", "succeeded"]


def test_one_host_cannot_answer_for_another_nor_invent_a_state(engine: Engine) -> None:
    sent = dispatched(engine)
    tell(engine, sent, "succeeded", host="another")
    tell(engine, sent, "abandoned", "cancelled", "queued", "nonsense")
    assert states(engine, sent) == ["queued"]


def test_a_result_for_a_command_that_nobody_knows_harms_nothing(engine: Engine) -> None:
    sent = dispatched(engine)
    tell(engine, "0192e7ff", "failed")
    tell(engine, sent, "succeeded")
    assert command(engine, sent).state == "succeeded"


def test_the_end_of_a_create_that_is_no_port_looks_through_no_table(sqlite_url: str) -> None:
    engine = database(sqlite_url)
    with writing(engine) as connection:
        add_host(connection)
    sent = dispatched(engine)
    result = ResultStep(command=sent, host=HOST, state="failed", at=now(), code="name-taken")
    with writing(engine) as connection:
        assert looked_through(connection, lambda: record_results(connection, [result])) == set()
    engine.dispose()
