"""Parts of the machine that the kernel makes no device of: memory modules and processors, by keys of our own.

Their keys look like sysfs paths. What is there is found by looking: nothing lists them, and nothing announces them.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwcensus_agent.sysfs import Unreadable

if TYPE_CHECKING:
    from hwcensus_agent.host import HostView

MEMORY, PROCESSORS = "dimm", "processor"

_DMI, _CPUS = "/sys/firmware/dmi", "/sys/devices/system/cpu"
_MODULE = re.compile(f"{_DMI}/entries/17-([0-9]{{1,5}})")
_PACKAGE = re.compile(f"{_CPUS}#([0-9]{{1,9}})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One of them, by its key."""

    subsystem: str
    #: What it is called in its subsystem.
    number: int
    #: Where sysfs tells of its like.
    folder: str


def part_at(key: str) -> Part | None:
    """The part of this key, be it there or not; None where it is the key of a device of the kernel's."""
    if (match := _MODULE.fullmatch(key)) is not None:
        return Part(subsystem=MEMORY, number=int(match[1]), folder=_DMI)
    if (match := _PACKAGE.fullmatch(key)) is not None:
        return Part(subsystem=PROCESSORS, number=int(match[1]), folder=_CPUS)
    return None


def parts(host: "HostView", known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Key and subsystem of every part. Those that are known come along: where what tells of them cannot be read any
    more, it takes a look at each to say so."""
    yield from ((key, part.subsystem) for key in known if (part := part_at(key)) is not None)
    with suppress(Unreadable):
        yield from ((key, PROCESSORS) for key in processors(host))
    with suppress(Unreadable):
        yield from ((f"{_DMI}/entries/17-{number}", MEMORY) for number in range(len(host.memory_devices)))


def processors(host: "HostView") -> list[str]:
    """Keys of the processors. Raises Unreadable."""
    return [f"{_CPUS}#{package}" for package in host.topology.packages]
