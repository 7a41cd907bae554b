"""The database itself refuses every step that a command's life does not have; SQLite and PostgreSQL alike."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError

from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.relay.lifecycle import MOVES, State
from tests.wire.relay_world import add_host, database, queue

#: How a command comes into each state.
WAYS: dict[State, tuple[State, ...]] = {
    State.QUEUED: (),
    State.DISPATCHED: (State.DISPATCHED,),
    State.ACCEPTED: (State.DISPATCHED, State.ACCEPTED),
    State.SUCCEEDED: (State.DISPATCHED, State.SUCCEEDED),
    State.FAILED: (State.DISPATCHED, State.FAILED),
    State.EXPIRED: (State.EXPIRED,),
    State.ABANDONED: (State.DISPATCHED, State.ABANDONED),
    State.CANCELLED: (State.CANCELLED,),
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database(database_url)
    with writing(engine) as connection:
        add_host(connection)
    yield engine
    engine.dispose()


def move(engine: Engine, command_id: str, to: State) -> bool:
    """Whether the database lets it."""
    try:
        with writing(engine) as connection:
            connection.execute(update(tables.command).where(tables.command.c.id == command_id).values(state=to))
    except IntegrityError:
        return False
    return True


def test_exactly_the_steps_of_the_life_cycle_can_be_written(engine: Engine) -> None:
    allowed: dict[State, set[State]] = {}
    for state, way in WAYS.items():
        for to in set(State) - {state}:
            command = queue(engine).id
            assert all(move(engine, command, step) for step in way)
            if move(engine, command, to):
                allowed.setdefault(state, set()).add(to)
    assert allowed == {state: {to for by in movers.values() for to in by} for state, movers in MOVES.items()}


def test_no_command_begins_anywhere_but_queued(engine: Engine) -> None:
    row = queue(engine)
    with engine.connect() as connection:
        values = dict(connection.execute(select(tables.command)).mappings().one())
    for state in set(State) - {State.QUEUED}:
        again = {**values, "id": f"{row.id}-{state}", "number": 99, "state": state}
        with pytest.raises(IntegrityError), writing(engine) as connection:
            connection.execute(tables.command.insert().values(again))


def test_what_is_no_state_at_all_is_refused(engine: Engine) -> None:
    queued = queue(engine)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(update(tables.command).where(tables.command.c.id == queued.id).values(state="lost"))
