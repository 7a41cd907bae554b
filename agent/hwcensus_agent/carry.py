"""A fact that could not be read keeps its last published value: only a look that finds nothing takes a fact away.

Pure. Which facts were not read, the fresh device says itself (`<state unread="…">`).
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hwcensus import codec, document
from hwcensus.device import Bus, Capability, Device, Part, State
from hwcensus.fact import facts_of

P = TypeVar("P", bound=Part)
T = TypeVar("T", bound=Part | State)


def carry_over(former: Device, fresh: Device) -> Device:
    """The fresh device, with the former one's values of what it says it could not read."""
    unread = frozenset((fresh.state.unread or "").split()) if fresh.state is not None else frozenset()
    if not unread:
        return fresh
    return replace(
        fresh,
        bus=_bus(former.bus, fresh.bus, unread),
        capabilities=_all(former.capabilities, fresh.capabilities, unread),
    )


def without_empty_states(device: Device) -> Device:
    """As it is written and read again: a state all of whose facts are unread, and were never known, says nothing."""
    bus = None if device.bus is None else _without_empty(device.bus)
    return replace(device, bus=bus, capabilities=tuple(map(_without_empty, device.capabilities)))


def _without_empty(part: P) -> P:
    state = None if part.state == part.state_class() else part.state
    return replace(part, nested=tuple(map(_without_empty, part.nested)), state=state)


def stayed(kept: Device, unread: Collection[str] | None, *, name: str, key: str) -> Device:
    """A device that is there and was not described anew: what is known of it stays. These facts are unread, all of
    them where none is named; None leaves it to what was known."""
    state = kept.state
    if unread is not None:
        survey = document.survey(codec.write_device(kept))
        state = State(unread=" ".join(sorted(unread or {*survey.facts, *survey.state} - {"device.unread"})))
    return replace(kept, name=name, key=key, state=state)


def _bus(former: Bus | None, fresh: Bus | None, unread: frozenset[str]) -> Bus | None:
    return fresh if former is None or fresh is None else _part(former, fresh, unread)


def _all(former: Sequence[Capability], fresh: Sequence[Capability], unread: frozenset[str]) -> tuple[Capability, ...]:
    by_type = {one.type_: one for one in former}
    there = (one for one in fresh if one.type_ in by_type or not _is_guess(one, unread))
    return tuple(_part(by_type[one.type_], one, unread) if one.type_ in by_type else one for one in there)


def _is_guess(one: Capability, unread: frozenset[str]) -> bool:
    """Whether nothing is known of a capability but that something of it could not be read."""
    known = one.nested or any(getattr(one, fact.field) not in (None, ()) for fact in facts_of(type(one)))
    return not known and any(path.startswith(f"{one.type_}.") for path in unread)


def _part(former: P, fresh: P, unread: frozenset[str]) -> P:
    if type(former) is not type(fresh):
        return fresh
    state = fresh.state
    if former.state is not None:
        state = _facts(former.state, state or type(former.state)(), f"{fresh.type_}.", unread)
    nested = _all(former.nested, fresh.nested, unread)
    return replace(_facts(former, fresh, f"{fresh.type_}.", unread), nested=nested, state=state)


def _facts(former: T, fresh: T, prefix: str, unread: frozenset[str]) -> T:
    lost: dict[str, Any] = {
        fact.field: getattr(former, fact.field)
        for fact in facts_of(type(fresh))
        if prefix + fact.label in unread and getattr(fresh, fact.field) in (None, ())
    }
    return replace(fresh, **lost) if lost else fresh
