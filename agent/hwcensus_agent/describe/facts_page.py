"""docs/facts.md: every class and fact with where it comes from, as Markdown. `make schema` writes it anew.

It says what the tables of the describers say, and nothing of its own.
"""

import sys
from collections.abc import Iterator

from hwcensus.classes import BUSES, CAPABILITIES
from hwcensus.device import Bus, Part
from hwcensus.fact import Fact, facts_of
from hwcensus_agent.describe import facts
from hwcensus_agent.describe.facts import ORIGINS, Described

BEGINNING = """\
# Facts

Every class of device, every fact of it, and where the agent reads it. Made from the code by `make schema`; do not edit.
Name, key, parent, nodes and driver, which every device may have, are in [the protocol](protocol.md).

The first column is the fact's path, as `where`, JSON and `changed` have it. *State* changes while the hardware stays
the same, a *handle* is dealt anew by the kernel; an *identifier* says which device it is, a *seen* one is reached
through it. The columns after the second are the sources; HAL is asked last. `path` is the sysfs path itself, `firmware`
are tables and configuration space that sysfs passes on as bytes, `kernel` is all else that a running kernel tells of
itself. A class without a table has no facts: that a device has it says what the device is.

`tests/reality/test_facts.py` makes one fact after the other wrong, by one origin after the other, and demands that a
test of the describers fails.
"""


def page() -> str:
    described: dict[str, list[Described]] = {}
    for one in facts():
        described.setdefault(one.path.partition(".")[0], []).append(one)
    parts = [*BUSES.values(), *CAPABILITIES.values()]
    sections = ["\n".join(_section(cls, described.get(cls.type_, []))) for cls in parts]
    return "\n".join([BEGINNING, *sections])


def _section(cls: type[Part], described: list[Described]) -> Iterator[str]:
    yield f"## {'bus' if issubclass(cls, Bus) else 'capability'} `{cls.type_}`"
    yield ""
    within = ", ".join(f"`{type_}`" for type_ in cls.within)
    yield _plain(cls.__doc__ or "") + (f" Within {within}." if within else "")
    yield ""
    known = {(fact.label, False): fact for fact in facts_of(cls)}
    known |= {(fact.label, True): fact for fact in facts_of(cls.state_class)}
    said = {(one.path.partition(".")[2], one.state): one for one in described}  # a bus may be called as its capability
    rows = [(one, known[key]) for key, one in said.items() if key in known]
    columns = [origin for origin in ORIGINS if any(origin in one.origins for one, _ in rows)]
    if rows:
        yield _row("fact", "what it is", *columns)
        yield "|" + "---|" * (len(columns) + 2)
        for one, fact in rows:
            yield _row(f"`{one.path}`", _what(one, fact), *(one.origins.get(origin, "") for origin in columns))
        yield ""


def _what(one: Described, fact: Fact) -> str:
    marks = [
        *(["state"] if one.state else []),
        *(["handle"] if fact.handle else []),
        *([f"identifier `{fact.identifier}`" if fact.own else f"seen `{fact.identifier}`"] if fact.identifier else []),
        *([f"identifier `{fact.local_identifier}` within its host"] if fact.local_identifier else []),
    ]
    kind = ("list of " if fact.repeated else "") + fact.kind.name
    return "; ".join([kind, *(f"*{mark}*" for mark in marks), *([fact.doc] if fact.doc else [])])


def _row(*cells: str) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """In one line."""
    return " ".join(text.split())


if __name__ == "__main__":
    sys.stdout.write(page())
