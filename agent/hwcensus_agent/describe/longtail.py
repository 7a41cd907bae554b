"""Describes the long tail: what `hwcensus.classes.longtail` has a line of, by that line and nothing else."""

import errno
import re
from collections.abc import Callable, Mapping

from hwcensus.classes import CAPABILITIES
from hwcensus.classes.longtail import LINES, Line, Of
from hwcensus.device import Capability, State
from hwcensus.fact import MAC, NUMBER, UUID, WWN, YES_NO, Kind, Value
from hwcensus_agent.describe.description import Describer, Description
from hwcensus_agent.describe.facts import Facts, From, first, stated
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

#: By which an attribute says that it has no value, or has none now.
NO_VALUE = frozenset({errno.ENODATA, errno.EINVAL})


def _wwn(text: str) -> str:
    """`0x5000c500a1b2c3d4` and `0011:7500:0077:cfc8` as 16 digits."""
    return text.lower().removeprefix("0x").replace(":", "").rjust(16, "0")


#: Kind → what it makes of the text of an attribute, a link, a name or a property. All others leave it as it is.
FROM_TEXT: Mapping[Kind, Callable[[str], Value]] = {
    YES_NO: lambda text: int(text) != 0,
    MAC: str.lower,
    UUID: str.lower,
    WWN: _wwn,
}


def source_of(fact: Of) -> From:
    """Where the line says that the fact is."""
    sources = [_attribute(fact, name) for name in fact.sysfs]
    if fact.link:
        sources.append(_stated(fact, lambda view: view.link_name(fact.link), sysfs=f"link `{fact.link}`"))
    if fact.name:
        sources.append(_stated(fact, lambda view: _in_name(fact, view), path="the kernel's name"))
    if fact.udev:
        sources.append(_stated(fact, lambda view: view.udev(fact.udev), udev=f"`{fact.udev}`"))
    if fact.hal:
        sources.append(stated(lambda view, _: _by_hal(fact, view), hal=f"`{fact.hal}`"))
    return first(*sources)


def _attribute(fact: Of, name: str) -> From:
    base = " (hexadecimal)" if fact.base == 16 else ""
    return _stated(fact, lambda view: view.text(name, absent=NO_VALUE), sysfs=f"`{name}`{base}")


def _stated(fact: Of, read: Callable[[View], str | None], **origins: str) -> From:
    def typed(view: View, _: HostView) -> Value | None:
        found = read(view)
        return None if found is None else _from_text(fact, found)

    return stated(typed, **origins)


def _from_text(fact: Of, text: str) -> Value:
    return int(text, fact.base) if fact.kind is NUMBER else FROM_TEXT.get(fact.kind, str)(text)


def _in_name(fact: Of, view: View) -> str | None:
    found = re.fullmatch(fact.name, view.kernel_name)
    return None if found is None else str(fact.words.get(found[1], found[1]))


def _by_hal(fact: Of, view: View) -> Value | tuple[str, ...] | None:
    found = view.hal(fact.hal)
    if isinstance(found, tuple):
        return found
    if found is not None and fact.words:
        return fact.words.get(found)
    if fact.kind is MAC and isinstance(found, int):  # Bluetooth addresses are numbers there
        return found.to_bytes(6, "big").hex(":")
    return _from_text(fact, found) if isinstance(found, str) else found


def _sources(line: Line, *, state: bool) -> dict[str, From]:
    return {name: source_of(fact) for name, fact in line.stating(state=state).items()}


def describer_of(line: Line, facts: Facts[Capability], state: Facts[State]) -> Describer:
    names = re.compile(line.names)

    def describe(view: View, host: HostView) -> Description | None:
        if names.fullmatch(view.kernel_name) is None:
            return None
        return Description(capabilities=(facts.of(view, host, state=state.of(view, host)) or facts.cls(),))

    return describe


#: By subsystem.
FACTS = {subsystem: Facts(CAPABILITIES[line.type_], **_sources(line, state=False)) for subsystem, line in LINES.items()}
STATES = {
    subsystem: Facts(facts.cls.state_class, facts.cls, **_sources(LINES[subsystem], state=True))
    for subsystem, facts in FACTS.items()
}
DESCRIBERS: Mapping[str, Describer] = {
    subsystem: describer_of(line, FACTS[subsystem], STATES[subsystem]) for subsystem, line in LINES.items()
}
