"""What an event about one device does to it: a new version, a new state, or nothing.

The order of events, streams and gaps are `fold.py`'s; here an event applies, whatever went before. What does not fit
what we hold (an `add` of a present device, a `change` of an unknown one) applies as what it amounts to, and is noted.
"""

from dataclasses import replace
from datetime import datetime

from hwcensus.event import Add, Change, Entry, Present, Remove
from hwcensus_collector.ingest.record import Reading
from hwcensus_collector.ingest.state import Held, hold
from hwcensus_collector.ingest.step import Step, Transition, Version

#: States whose transitions are kept.
PORTS = ("net.link", "fc.port")
#: Why a version is there, where no command caused it.
EVENT, RECONCILED = "event", "reconciled"

KINDS = {"facts": "change", "renumbered": "renumbered", "redescribed": "redescribed", "state": "change"}


def tell(step: Step, event: Add | Change | Present, reading: Reading, at: datetime) -> None:
    """The device looks like this. Equal digest: no version, only its state is replaced."""
    identity = event.identity
    before = step.device(identity)
    if isinstance(event, Change) and event.was is not None:
        before = _same_thing(step, event, event.was, before, at)
    kind = _kind_of_version(step, event, before, reading)
    since = before.since if before is not None else None
    if kind is not None:
        since = clamp(event.time, at, since)
        step.versions.append(
            Version(
                identity,
                kind,
                since,
                str(reading.survey.frame["name"]),
                reading.digest,
                event.changed if isinstance(event, Change) else (),
                _cause(event),
                None if isinstance(event, Present) else event.stands_for,
            )
        )
    after = _held(identity, reading, before, since or at)
    if before is not None and before.present and before.ports != after.ports:
        _transitions(step, identity, before, after, clamp(event.time, at, None))
    _settle(step, identity, reading.digest, answer=isinstance(event, Present))
    step.replace_device(identity, before, after)


def remove(step: Step, event: Remove, at: datetime) -> None:
    """The device is gone."""
    _settle(step, event.identity, None, answer=False)
    held = step.device(event.identity)
    if held is None or not held.present:
        step.notes.append("remove-of-unknown")
        return
    close(step, event.identity, held, clamp(event.time, at, held.since), event)


def close(step: Step, identity: str, held: Held, since: datetime, why: Remove | Change | None) -> None:
    """Ends the presence of a device that is held present: an event said so, or it was found to be gone."""
    cause = RECONCILED if why is None else why.command or EVENT
    stands_for = None if why is None else why.stands_for
    step.versions.append(Version(identity, "remove", since, held.name, None, (), cause, stands_for))
    step.replace_device(identity, held, held._replace(present=False, since=since, ports=()))


def is_as(held: Held | None, entry: Entry) -> bool:
    """Whether we hold a device as a manifest shows it."""
    return (
        held is not None
        and held.present
        and held.digest.startswith(entry.digest)
        and held.state_hash.startswith(entry.state)
    )


def clamp(time: datetime, at: datetime, since: datetime | None) -> datetime:
    """The agent's time, not after the broker got it, and not before the version before."""
    time = min(time, at)
    return time if since is None else max(time, since)


def _kind_of_version(step: Step, event: Add | Change | Present, before: Held | None, reading: Reading) -> str | None:
    if before is None or not before.present:
        if isinstance(event, Change):
            step.notes.append("change-of-unknown")
        return "add"
    if isinstance(event, Add):
        step.notes.append("add-of-present")
    if before.digest == reading.digest:
        return None
    if not isinstance(event, Change):
        return "change"
    if event.kind == "state":
        step.notes.append("state-with-facts")
    return KINDS[event.kind]


def _cause(event: Add | Change | Present) -> str:
    return RECONCILED if isinstance(event, Present) else event.command or EVENT


def _same_thing(step: Step, event: Change, was: str, target: Held | None, at: datetime) -> Held | None:
    """The thing that had another identity keeps its history under the new one, if that one is free."""
    source = step.device(was)
    if source is None or was == event.identity:
        step.notes.append("was-unknown")
        return target
    if target is not None:
        # Both have a history, and those cannot become one: the former ends here.
        step.notes.append("was-taken")
        if source.present:
            close(step, was, source, clamp(event.time, at, source.since), event)
        return target
    step.moved.append((was, event.identity))
    # What it adds to the sums has its identity in it.
    renamed = _renamed(event.identity, source)
    if source.present:
        step.totals = step.totals.minus(source).plus(renamed)
    return renamed


def _renamed(identity: str, held: Held) -> Held:
    return hold(
        identity,
        name=held.name,
        digest=held.digest,
        state_hash=held.state_hash,
        since=held.since,
        present=held.present,
        ports=held.ports,
    )


def _held(identity: str, reading: Reading, before: Held | None, since: datetime) -> Held:
    state = reading.survey.state
    ports = tuple((path, str(state[path])) for path in PORTS if path in state) if state else ()
    name = str(reading.survey.frame["name"])
    if before is not None and before.digest == reading.digest and before.state_hash == reading.state_hash:
        return before._replace(name=name, present=True, since=since, ports=ports)
    return hold(identity, name=name, digest=reading.digest, state_hash=reading.state_hash, since=since, ports=ports)


def _transitions(step: Step, identity: str, before: Held, after: Held, at: datetime) -> None:
    old, new = dict(before.ports), dict(after.ports)
    step.transitions.extend(
        Transition(identity, at, path, old.get(path), new.get(path)) for path in PORTS if old.get(path) != new.get(path)
    )


def _settle(step: Step, identity: str, digest: bytes | None, *, answer: bool) -> None:
    """What was asked for, or refused, is told now. An answer that is not what the manifest showed stays asked for."""
    healing = step.healing
    if identity in healing.refused:
        refused = {other: value for other, value in healing.refused.items() if other != identity}
        # What the others add is not known any more, unless there are none; the next heartbeat finds out.
        healing = replace(healing, refused=refused, excess=type(healing.excess)())
    asked = healing.asked.get(identity)
    if asked is not None:
        others = {other: value for other, value in healing.asked.items() if other != identity}
        if answer and digest is not None and not digest.startswith(asked.digest):
            others[identity] = replace(asked, answered=True)
        healing = replace(healing, asked=others)
    step.healing = healing
