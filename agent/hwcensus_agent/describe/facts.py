"""Where each fact comes from: a describer is a table {fact: source}, filled for a device, printed for people.

A fact that cannot be read is noted as unread, one that is not what its kind allows is left out and said: neither costs
the device. Which facts a class has, and how they are written, is in `hwcensus.classes`.
"""

import errno
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from hwcensus.device import Capability, Part, State
from hwcensus.fact import Fact, Value, facts_of
from hwcensus_agent.host import HostView
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

logger = logging.getLogger(__name__)

P = TypeVar("P", bound=Part | State)
Read = Callable[[View, HostView], Value | tuple[Value, ...] | None]

#: What an attribute answers that has no value while its device is switched off (speed of a link that is down).
NOT_NOW = frozenset({errno.EINVAL})
NOTHING: frozenset[int] = frozenset()


#: Where facts come from: the columns of docs/facts.md. `path` is what the sysfs path itself says, the kernel's name;
#: `firmware` are tables and configuration space that sysfs passes on as bytes; `kernel` is all else that a running
#: kernel tells of itself.
ORIGINS = ("path", "sysfs", "udev", "hal", "rtnetlink", "ethtool", "firmware", "kernel")


@dataclass(frozen=True)
class From:
    """How a fact is read, and for each origin what is read there, in words for people."""

    read: Read
    origins: Mapping[str, str]


def stated(read: Read, **origins: str) -> From:
    """A source of a function of view and host; `origins` say what it reads where: `sysfs="`size` times 512"`."""
    unknown = set(origins) - set(ORIGINS)
    if unknown or not origins:
        raise TypeError(f"{', '.join(unknown) or 'nothing'} is no origin of facts: those are {', '.join(ORIGINS)}")
    return From(read, {origin: origins[origin] for origin in ORIGINS if origin in origins})


def worked_out(**origins: str) -> Callable[[Read], From]:
    """The same, before the function: what it works out needs more than one attribute, or a word of its own."""
    return lambda read: stated(read, **origins)


def text(attribute: str, *, absent: frozenset[int] = NOTHING) -> From:
    """A sysfs attribute as it is, blanks around it apart."""
    return stated(lambda view, _: view.text(attribute, absent=absent), sysfs=f"`{attribute}`")


def number(attribute: str, *, least: int = 0, absent: frozenset[int] = NOTHING, times: int = 1) -> From:
    """A decimal sysfs attribute; one below `least` is how the kernel says that there is none."""

    def read(view: View, _: HostView) -> int | None:
        found = view.text(attribute, absent=absent)
        return None if found is None or int(found) < least else int(found) * times

    return stated(read, sysfs=f"`{attribute}`" + (f" times {times}" if times > 1 else ""))


def hexadecimal(attribute: str, *, least: int = 0) -> From:
    """A hexadecimal sysfs attribute, with `0x` or without, as a number."""

    def read(view: View, _: HostView) -> int | None:
        found = view.text(attribute)
        return None if found is None or int(found, 16) < least else int(found, 16)

    return stated(read, sysfs=f"`{attribute}` (hexadecimal)")


def flag(attribute: str) -> From:
    """A sysfs attribute that is 0 or 1."""

    def read(view: View, _: HostView) -> bool | None:
        found = view.text(attribute)
        return None if found is None else int(found) != 0

    return stated(read, sysfs=f"`{attribute}`")


def in_name(pattern: str, group: int = 1) -> From:
    """A part of the kernel's name of the device, by a pattern of the whole name."""

    def read(view: View, _: HostView) -> str | None:
        found = re.fullmatch(pattern, view.kernel_name)
        return None if found is None else found[group]

    return stated(read, path="the kernel's name")


def number_in_name(pattern: str, group: int = 1) -> From:
    """The same, a decimal number."""
    name = in_name(pattern, group).read
    return stated(lambda view, host: _number(name(view, host)), path="number in the kernel's name")


def _number(text: Value | tuple[Value, ...] | None) -> int | None:
    return int(text) if isinstance(text, str) else None


def uevent(key: str) -> From:
    """A variable of the uevent."""
    return stated(lambda view, _: view.uevent(key), sysfs=f"uevent `{key}`")


def udev(key: str) -> From:
    """A property that udev's rules give."""
    return stated(lambda view, _: view.udev(key), udev=f"`{key}`")


def hal(key: str, *, least: int = 0) -> From:
    """A property of HAL, of the type that the fact has; a number below `least` is how HAL says that there is none."""

    def read(view: View, _: HostView) -> Value | tuple[Value, ...] | None:
        found = view.hal(key)
        return None if isinstance(found, int) and found < least else found

    return stated(read, hal=f"`{key}`")


def first(*sources: From) -> From:
    """The first of these that has a value."""

    def read(view: View, host: HostView) -> Value | tuple[Value, ...] | None:
        return next((value for value in (one.read(view, host) for one in sources) if value is not None), None)

    said = {origin: [one.origins[origin] for one in sources if origin in one.origins] for origin in ORIGINS}
    return From(read, {origin: ", else ".join(words) for origin, words in said.items() if words})


def unless(nothing: str, source: From) -> From:
    """The value, but for the word by which the kernel says that there is none."""
    return From(lambda view, host: None if (found := source.read(view, host)) == nothing else found, source.origins)


@dataclass(frozen=True)
class Described:
    """A fact that is described, as docs/facts.md has it."""

    path: str
    #: Whether it stands in `<state>`: what changes while the hardware stays the same.
    state: bool
    origins: Mapping[str, str]


class Facts(Generic[P]):
    """The sources of one class's facts: `Facts(VirtioBus, vendor=hexadecimal("vendor"), …)`."""

    def __init__(self, cls: type[P], owner: type[Part] | None = None, /, **sources: From) -> None:
        """`owner` is the part whose state it is, where `cls` is one."""
        known = {fact.field: fact for fact in facts_of(cls)}
        self.cls = cls
        part: type = owner or cls
        self.type_ = part.type_ if issubclass(part, Part) else ""
        self._sources = [(known[name], source) for name, source in sources.items()]

    def __iter__(self) -> Iterator[Described]:
        """Every fact, with where it comes from."""
        state = issubclass(self.cls, State)
        return (Described(self._path(fact), state, source.origins) for fact, source in self._sources)

    def of(
        self, view: View, host: HostView, *, nested: tuple[Capability | None, ...] = (), state: State | None = None
    ) -> P | None:
        """The part with all that is there; None where nothing is, or where a fact that must be there is not.

        Raises Unreadable where a fact that must be there cannot be read.
        """
        found: dict[str, Any] = {}
        unread: set[str] = set()
        for fact, source in self._sources:
            try:
                value = self._read(fact, source, view, host)
            except Unreadable:
                unread.add(self._path(fact))
                if fact.required:
                    view.unread |= unread
                    raise
                continue
            if value is not None and value != ():
                found[fact.field] = value
            elif fact.required:
                return None
        view.unread |= unread
        if any(nested):
            found["nested"] = tuple(one for one in nested if one is not None)
        if state is not None:
            found["state"] = state
        return self.cls(**found) if found or unread else None

    def _path(self, fact: Fact) -> str:
        return f"{self.type_}.{fact.label}"

    def _read(self, fact: Fact, source: From, view: View, host: HostView) -> Value | tuple[Value, ...] | None:
        try:
            value = source.read(view, host)
            return None if value is None else _allowed(fact, value)
        except ValueError as error:
            _say_once(view.syspath, self._path(fact), str(error))
            return None


def _allowed(fact: Fact, value: Value | tuple[Value, ...]) -> Value | tuple[Value, ...]:
    """The value, if the schema will take it. Raises ValueError."""
    for one in value if isinstance(value, tuple) else (value,):
        if type(one) is not fact.kind.type_:
            raise ValueError(f"{one!r} is no {fact.kind.name}")
        if isinstance(one, str):
            if not _XML.fullmatch(one) or not _pattern(fact.kind.pattern).fullmatch(one):
                raise ValueError(f"{one!r} is no {fact.kind.name}")
        elif not 0 <= one < 1 << 64:
            raise ValueError("below zero" if one < 0 else "more than 64 bits")
    return value


#: What XML can carry, and does not normalise; a view gives nothing else, other sources might.
_XML = re.compile("[\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


@cache
def _pattern(pattern: str | None) -> re.Pattern[str]:
    return re.compile(r".*\S.*" if pattern is None else pattern)


_SAID: set[tuple[str, str]] = set()


def _say_once(syspath: str, fact: str, why: str) -> None:
    if (syspath, fact) in _SAID or len(_SAID) > 1000:
        return
    _SAID.add((syspath, fact))
    logger.warning("a fact is not what it must be and left out", extra={"device": syspath, "fact": fact, "why": why})
