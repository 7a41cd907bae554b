"""What hosts say of an order before it is given: who uses the device, and whether their policy allows it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from hwcensus.cli.follow import raise_unless_succeeded
from hwcensus.cli.output import say
from hwcensus.client import Command, Host
from hwcensus.errors import HwcensusError, NotFound, Refused, Unreachable

#: Seconds that a person waits for it. The question stands as long as any order: its host judges that by its own clock.
PATIENCE_S = 5.0
#: Hosts that are asked at the same time.
AT_ONCE = 32


class Check(Protocol):
    """Asks a host what it would answer to the order, or to that with force."""

    def __call__(self, *, force: bool) -> Command: ...


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What is to be said, and what the host would refuse for, whatever was forced."""

    said: tuple[str, ...] = ()
    refusal: HwcensusError | None = None


def ask_host(host: Host, check: Check, *, force: bool) -> None:
    """Shows it, or that nobody knows. Raises Refused, or NotFound, where the host would refuse."""
    answer = _ask(host, "its host", check, force=force)
    for line in answer.said:
        say(line)
    if answer.refusal is not None:
        raise answer.refusal


def ask_hosts(hosts: Sequence[Host], check: Callable[[Host], Check], *, force: bool) -> None:
    """The same of many: one that would refuse keeps the others from nothing. Raises the first's refusal where all
    would."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda host: _ask(host, host.name, check(host), force=force), hosts))
    for host, answer in zip(hosts, answers, strict=True):
        refused = () if answer.refusal is None else (f"{host.name} would refuse: {_words(answer.refusal)}",)
        for line in (*answer.said, *refused):
            say(line)
    refusals = [answer.refusal for answer in answers if answer.refusal is not None]
    if refusals and len(refusals) == len(answers):
        raise refusals[0]


def _ask(host: Host, who: str, check: Check, *, force: bool) -> _Answer:
    if host.status != "online":
        return _Answer(said=(f"{who} is {host.status}: who uses it is not known",))
    try:
        objection = _objection(check, force=False)
    except Unreachable as error:
        if error.code != "overdue":
            raise
        return _Answer(said=(f"{who} did not say within {PATIENCE_S:g} s who uses it",))
    if objection is None:
        return _Answer(said=(f"{who} sees nobody who uses it, and has nothing against it",))
    if objection.code == "schema":
        return _Answer(said=(f"{who} has an agent that is older than this question: who uses it is not known",))
    return _forced(objection, who, check) if force else _Answer(refusal=objection)


def _forced(objection: HwcensusError, who: str, check: Check) -> _Answer:
    """What it said without force, and what it refuses all the same."""
    said = (f"{who} is against it without --force: {_words(objection)}",)
    try:
        return _Answer(said=said, refusal=_objection(check, force=True))
    except Unreachable:
        return _Answer(said=said)


def _objection(check: Check, *, force: bool) -> HwcensusError | None:
    """Why the order would be refused, as it would be answered. Raises Unreachable where the host does not say."""
    try:
        command = check(force=force).wait(PATIENCE_S)
        if command.state == "failed":
            return Refused(command.text, code=command.code)
        raise_unless_succeeded(command)
    except (Refused, NotFound) as error:
        return error
    return None


def _words(error: HwcensusError) -> str:
    return f"{error.code}: {error}"
