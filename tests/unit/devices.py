"""Hypothesis strategies for devices of all classes, made from the classes' own fields, so that they cover a new one."""

from typing import Any, TypeVar, cast

from hypothesis import strategies as st

from hwcensus.classes import BUSES, CAPABILITIES
from hwcensus.device import Bus, Capability, Device, Part, State
from hwcensus.fact import NUMBER, TEXT, YES_NO, Fact, Kind, facts_of, printable

P = TypeVar("P", bound=Part | State | Device)

#: What XML 1.0 can carry in a text that nothing normalises.
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")


def texts() -> st.SearchStrategy[str]:
    """What a view makes of any bytes that a device may show, blank ones apart."""
    return st.binary(min_size=1, max_size=12).map(printable).filter(lambda text: bool(text.strip()))


def values(kind: Kind) -> st.SearchStrategy[Any]:
    if kind is TEXT:
        return texts()
    if kind is NUMBER:
        return st.integers(0, 2**64 - 1)
    if kind is YES_NO:
        return st.booleans()
    return st.from_regex(cast(str, kind.pattern), fullmatch=True, alphabet=CHARACTERS)


def _field(fact: Fact) -> st.SearchStrategy[Any]:
    one = values(fact.kind)
    if fact.repeated:
        return st.lists(one, max_size=3).map(tuple)
    return one if fact.required else st.none() | one


def filled(cls: type[P], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[P]:
    """An instance with any facts that its class allows."""
    return st.builds(cls, **{fact.field: _field(fact) for fact in facts_of(cls)}, **more)


def states(cls: type[State]) -> st.SearchStrategy[State | None]:
    """A state, never one that says nothing: that is written as none."""
    return filled(cls).map(lambda state: None if state == cls() else state)


def parts(cls: type[Part]) -> st.SearchStrategy[Any]:
    inner = (
        [other for other in CAPABILITIES.values() if cls.type_ in other.within] if issubclass(cls, Capability) else []
    )
    nested = some_of([parts(other) for other in inner], most=2) if inner else st.just(())
    return filled(cls, nested=nested, state=states(cls.state_class))


def some_of(capabilities: list[st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """In one order, as a describer gives them: in another they were another document in which nothing differs."""
    return st.lists(st.one_of(capabilities), max_size=most).map(lambda some: tuple(sorted(some, key=repr)))


def buses() -> st.SearchStrategy[Bus]:
    return st.one_of([parts(cls) for cls in BUSES.values()])


def capabilities() -> list[st.SearchStrategy[Capability]]:
    return [parts(cls) for cls in CAPABILITIES.values() if not cls.within]


def devices() -> st.SearchStrategy[Device]:
    """Any device that the schema allows."""
    return filled(
        Device,
        bus=st.none() | buses(),
        capabilities=some_of(capabilities(), most=3),
        state=states(Device.state_class),
    )
