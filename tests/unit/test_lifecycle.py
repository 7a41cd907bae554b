"""The life of a command: whatever agents, relay and people do, in any order, it goes forward and ends once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus.client import command
from hwcensus_collector.relay.lifecycle import (
    ENDED,
    MOVES,
    TOLD,
    Mover,
    State,
    after_told,
    is_overdue,
    may_move,
    to_abandoned,
)
from hwcensus_migrations.versions import v0003_batches

NOW = datetime(2026, 11, 23, 14, 10, tzinfo=UTC)
#: How far along a state is.
RANK = {State.QUEUED: 0, State.DISPATCHED: 1, State.ACCEPTED: 2} | dict.fromkeys(ENDED, 3)

attempts = st.tuples(st.sampled_from(Mover), st.sampled_from(State))


@given(st.lists(attempts, max_size=30))
def test_a_command_only_goes_forward_and_nothing_moves_it_after_its_end(tried: list[tuple[Mover, State]]) -> None:
    state = State.QUEUED
    for mover, to in tried:
        if may_move(state, to, mover):
            assert state not in ENDED
            assert RANK[to] > RANK[state]
            state = to


@given(st.lists(st.one_of(st.sampled_from(sorted(TOLD)), st.just(None)), max_size=20))
def test_answers_before_the_dispatch_was_noted_late_or_twice_make_only_legal_steps(told: list[State | None]) -> None:
    """None stands for the relay, which notes that it has sent the command."""
    state, ends = State.QUEUED, 0
    for one in told:
        path: tuple[State, ...]
        if one is None:
            path = (State.DISPATCHED,) if may_move(state, State.DISPATCHED, Mover.RELAY) else ()
        else:
            path = after_told(state, one)
        for to in path:
            mover = Mover.RELAY if to is State.DISPATCHED else Mover.AGENT
            assert may_move(state, to, mover)
            state = to
        ends += bool(path) and state in ENDED
    assert ends == (state in ENDED)
    first_end = next((one for one in told if one in ENDED), None)
    assert first_end is None or state is first_end


def test_the_ends_are_those_of_the_design() -> None:
    assert {str(state) for state in ENDED} == {"succeeded", "failed", "expired", "abandoned", "cancelled"}


def test_the_client_knows_the_same_ends() -> None:
    assert set(command.ENDED) == ENDED


def test_every_state_can_be_reached_from_queued_and_every_other_one_ends() -> None:
    reached, todo = {State.QUEUED}, [State.QUEUED]
    while todo:
        for targets in MOVES.get(todo.pop(), {}).values():
            todo += [state for state in targets if state not in reached]
            reached.update(targets)
    assert reached == set(State)


@pytest.mark.parametrize("state", sorted(State))
def test_only_people_abandon_and_only_the_agent_succeeds(state: State) -> None:
    for mover in (Mover.RELAY, Mover.AGENT):
        assert not may_move(state, State.ABANDONED, mover)
    assert not may_move(state, State.CANCELLED, Mover.AGENT)
    for mover in (Mover.RELAY, Mover.PERSON):
        assert not may_move(state, State.SUCCEEDED, mover)


def test_what_was_sent_is_never_cancelled_and_what_was_not_is_never_abandoned() -> None:
    for mover in Mover:
        assert [state for state in State if may_move(state, State.CANCELLED, mover)] in ([], [State.QUEUED])
    assert not may_move(State.QUEUED, State.ABANDONED, Mover.PERSON)


def test_what_may_have_been_sent_is_given_up_by_way_of_having_been_sent() -> None:
    assert to_abandoned(State.QUEUED, claimed=False) == ()
    assert to_abandoned(State.QUEUED, claimed=True) == (State.DISPATCHED, State.ABANDONED)
    assert to_abandoned(State.ACCEPTED, claimed=True) == (State.ABANDONED,)
    assert all(to_abandoned(state, claimed=True) == () for state in ENDED)


def test_overdue_is_past_the_deadline_without_an_end() -> None:
    past, future = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    assert is_overdue(State.ACCEPTED, past, NOW)
    assert not is_overdue(State.ACCEPTED, future, NOW)
    assert not any(is_overdue(state, past, NOW) for state in ENDED)


def test_the_migration_that_guards_the_database_has_the_same_moves() -> None:
    ours = {str(state): {str(to) for by in movers.values() for to in by} for state, movers in MOVES.items()}
    assert {state: set(targets) for state, targets in v0003_batches.MOVES.items()} == ours
    assert State(v0003_batches.FIRST) is State.QUEUED
