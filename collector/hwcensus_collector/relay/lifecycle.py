"""The states of a command and who may move it from one to which: the only place in the code that says so.

Pure; `steps.py` writes what is decided here, and the database refuses every other step (migration 0003). *Overdue* is
no state but worked out on read.
"""

from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where a command is in its life."""

    QUEUED = "queued"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"


class Mover(StrEnum):
    """Who moves a command."""

    RELAY = "relay"
    AGENT = "agent"
    PERSON = "person"


_TOLD = (State.SUCCEEDED, State.FAILED, State.EXPIRED)

#: state → mover → states it may be moved to. One that is missing ends a command.
MOVES: dict[State, dict[Mover, tuple[State, ...]]] = {
    State.QUEUED: {
        Mover.RELAY: (State.DISPATCHED, State.EXPIRED, State.CANCELLED),  # cancelled: its batch has failed too often
        Mover.PERSON: (State.CANCELLED,),
    },
    State.DISPATCHED: {
        Mover.AGENT: (State.ACCEPTED, *_TOLD),
        Mover.PERSON: (State.ABANDONED,),
    },
    State.ACCEPTED: {
        Mover.AGENT: _TOLD,
        Mover.PERSON: (State.ABANDONED,),
    },
}
#: After these nothing moves a command any more.
ENDED = frozenset(state for state in State if state not in MOVES)
#: What an agent may tell.
TOLD = frozenset((State.ACCEPTED, *_TOLD))

#: Codes of results about what an honest collector does not send: they say nothing of the command whose id it bore.
SUSPECT = frozenset({"bad-signature", "unknown-key", "no-keys", "wrong-host", "replayed"})


def may_move(state: State, to: State, mover: Mover) -> bool:
    """Whether this mover may make this step."""
    return to in MOVES.get(state, {}).get(mover, ())


def after_told(state: State, told: State) -> tuple[State, ...]:
    """The states a command goes through when its agent tells one; none where it is late, or told twice.

    An agent may answer before the relay has noted that the command was sent: then it was.
    """
    if state is State.QUEUED and told in TOLD:
        return (State.DISPATCHED, told)
    return (told,) if may_move(state, told, Mover.AGENT) else ()


def to_abandoned(state: State, *, claimed: bool) -> tuple[State, ...]:
    """The states a command goes through when a person gives it up; none where it has ended, or never left.

    Of one that the relay has claimed nobody knows whether it was sent: so it may have been.
    """
    if state is State.QUEUED and claimed:
        return (State.DISPATCHED, State.ABANDONED)
    return (State.ABANDONED,) if may_move(state, State.ABANDONED, Mover.PERSON) else ()


def is_overdue(state: State, expires: datetime, at: datetime) -> bool:
    """Whether a command is past its deadline without a result."""
    return state not in ENDED and expires <= at
