"""Agreeing with a host again: what to ask it for, manifests and their answers, and when all is well.

Nothing is sent here. What is wanted is noted in the state, and the relay asks, with a brake.
"""

from dataclasses import replace
from datetime import datetime

from hwcensus import census_digest
from hwcensus.event import Entry, Heartbeat, Hello, Manifest
from hwcensus_collector.ingest import thing
from hwcensus_collector.ingest.state import Asked, Healing, HostState, Totals
from hwcensus_collector.ingest.step import Step

#: Up to so many devices are asked for one by one, beyond that the whole census.
ONE_BY_ONE = 50
#: A want gives way to one that tells more.
REACH = {None: 0, "devices": 1, "all": 1, "manifest": 2, "stream": 3}


def want(step: Step, wanted: str, reason: str) -> None:
    """Asks for something, unless something is wanted already that tells as much."""
    if REACH[wanted] > REACH[step.healing.wanted]:
        step.healing = replace(step.healing, wanted=wanted, reason=reason)


def agrees(step: Step, told: Hello | Heartbeat | Manifest) -> bool:
    """Whether the host's count and sums are what we hold and what we could not hold."""
    return step.totals.with_excess(step.healing.excess) == totals_of(told)


def totals_of(told: Hello | Heartbeat | Manifest) -> Totals:
    return Totals(told.count, census_digest.read_total(told.digest), census_digest.read_total(told.state_digest))


def heal(step: Step, reason: str, at: datetime) -> None:
    """The census is right: a gap-free stretch begins if none lasts, and nothing is wanted but a hello that we miss."""
    healing = step.healing
    if healing.wanted not in (None, "stream") or healing.asked or healing.parts:
        step.healing = replace(_without_question(healing), refused=healing.refused, excess=healing.excess)
    step.cover(reason, at)


def _without_question(healing: Healing) -> Healing:
    return Healing(wanted="stream", reason=healing.reason) if healing.wanted == "stream" else Healing()


def manifest(step: Step, part: Manifest, at: datetime) -> None:
    """Rule 5: only a whole, counted manifest may close anything, and what it closes, it closes as seen."""
    parts = _collect(step.healing.parts, part)
    if not parts:
        _drop(step, "manifest-cut")
        return
    step.healing = replace(step.healing, parts=parts)
    if part.part < part.parts:
        return
    entries = {entry.identity: entry for part in parts for entry in part.entries}
    if len(entries) != part.count or sum(len(part.entries) for part in parts) != part.count:
        _drop(step, "manifest-miscounted")
        return
    _close_what_is_not_in(step, entries, part, at)
    _compare(step, entries, part, at)


def _collect(so_far: tuple[Manifest, ...], part: Manifest) -> tuple[Manifest, ...]:
    """The parts with the new one, () if it does not follow."""
    if part.part == 1:
        return (part,)
    if not so_far or part.part > part.parts:
        return ()
    last = so_far[-1]
    follows = (part.part, part.seq) == (last.part + 1, last.seq + 1)
    same = all(
        getattr(part, name) == getattr(last, name) for name in ("for_", "parts", "count", "digest", "state_digest")
    )
    return (*so_far, part) if follows and same else ()


def _drop(step: Step, why: str) -> None:
    step.notes.append(why)
    step.healing = replace(step.healing, parts=())
    want(step, "manifest", why)


def _close_what_is_not_in(step: Step, entries: dict[str, Entry], told: Manifest, at: datetime) -> None:
    for identity, held in step.state.devices.items():
        if held.present and identity not in entries:
            thing.close(step, identity, held, thing.clamp(told.time, at, held.since), None)


def _compare(step: Step, entries: dict[str, Entry], told: Manifest, at: datetime) -> None:
    """Asks for what looks otherwise here; what was answered and still does is refused, lest it be asked for ever."""
    before = step.healing
    asked: dict[str, Asked] = {}
    refused: dict[str, bytes] = {}
    for identity, entry in entries.items():
        if thing.is_as(step.device(identity), entry):
            continue
        known = before.asked.get(identity, Asked(digest=b""))
        if before.refused.get(identity) == entry.digest or known == Asked(digest=entry.digest, answered=True):
            refused[identity] = entry.digest
        else:
            asked[identity] = Asked(digest=entry.digest)
    step.healing = replace(_without_question(before), asked=asked, refused=refused)
    if asked:
        want(step, "devices" if len(asked) <= ONE_BY_ONE else "all", "manifest")
    else:
        # Entry by entry we are one; whatever the sums still differ by belongs to what was refused.
        step.healing = replace(step.healing, excess=totals_of(told).beyond(step.totals))
        heal(step, "manifest", thing.clamp(told.time, at, None))


def answered(step: Step, at: datetime) -> None:
    """After each device told: is everything there that was asked for?"""
    asked = step.healing.asked
    if not asked:
        heal(step, "manifest", at)
    elif all(one.answered for one in asked.values()):
        want(step, "manifest", "answers-differ")


def unreadable(step: Step, identity: str | None) -> None:
    """A record in its place could not be read. `identity`: of the device that it answered about, if it did."""
    asked = None if identity is None else step.healing.asked.get(identity)
    if identity is not None and asked is not None:
        step.healing = replace(step.healing, asked={**step.healing.asked, identity: replace(asked, answered=True)})
    want(step, "manifest", "dead-letter")


def wanted_devices(state: HostState) -> list[str] | None:
    """The identities to ask for, where single devices are wanted."""
    return sorted(state.healing.asked) if state.healing.wanted == "devices" else None
