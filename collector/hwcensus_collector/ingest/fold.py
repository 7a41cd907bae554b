"""The fold: what one record means, given what is known of its host. Rules 1 to 5 of docs/protocol.md, in their order.

Pure: state and record in, `Step` out; no I/O, no clock, nothing is changed. "Now" is when the broker got the record.
What an event does to a device is in `thing.py`, how a host and we come to agree again in `reconcile.py`.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from hwcensus.event import Add, Change, Event, Evidence, Gap, Heartbeat, Hello, Manifest, Present, Remove, Result
from hwcensus_collector.ingest import reconcile, thing
from hwcensus_collector.ingest.record import Record
from hwcensus_collector.ingest.state import About, Conflict, HostState, Place
from hwcensus_collector.ingest.step import Step


def fold(state: HostState, record: Record, offline_after: timedelta) -> Step:
    """What the record means for its host, which may be one never heard of (`HostState(id=…)`)."""
    step = Step(state)
    if record.stream == state.place.stream:
        _goes_on(step, record, offline_after)
    elif record.stream in state.left:
        _speaks_again(step, record, offline_after)
    elif isinstance(record.event, Hello):
        _begins(step, record, record.event, offline_after)
    elif state.place.stream is None:
        _is_met_in_the_middle(step, record)
    else:
        _is_a_stranger(step, record, offline_after)
    return step


# Rule 1: the current stream. The next seq applies, an older one is a duplicate, a later one applies and notes a gap.


def _goes_on(step: Step, record: Record, offline_after: timedelta) -> None:
    stream, seq, _ = step.place
    step.place = Place(stream, seq, record.at)
    if step.conflict is not None and record.at - step.conflict.heard_at > offline_after:
        step.conflict = None  # the other fell silent first
    if isinstance(record.event, Heartbeat):
        _heartbeat(step, record, record.event)
    elif _number(record) <= step.place.seq:
        step.notes.append("duplicate")
    else:
        if _number(record) > step.place.seq + 1:
            _gap(step, "seq-gap", record)
        _apply(step, record)


def _apply(step: Step, record: Record) -> None:
    """The record is the next one of the current stream."""
    step.folded = True
    stream, _, heard_at = step.place
    step.place = Place(stream, _number(record), heard_at)
    event = record.event
    match event:
        case Add() | Change() | Present():
            assert record.reading is not None
            thing.tell(step, event, record.reading, record.at)
        case Remove():
            thing.remove(step, event, record.at)
        case Manifest():
            reconcile.manifest(step, event, record.at)
        case Hello():
            step.about = _about(event)
        case Gap():
            _signals_were_lost(step, event, record)
        case Result():
            step.results.append((event, _when(record)))
        case Heartbeat():
            _heartbeat(step, record, event)
        case _:
            # It could not be read. Its headers gave it its place, so that nothing else is missing.
            _gap(step, "dead-letter", record)
            reconcile.unreadable(step, record.identity if record.type == Present.type_ else None)
    if step.healing.wanted in ("devices", "all"):
        reconcile.answered(step, _when(record))


# Rule 2: hello, a stream begins. It is gap-free if it follows exactly what we hold.


def _begins(step: Step, record: Record, hello: Hello, offline_after: timedelta) -> None:
    place, about = step.place, step.about
    follows = (hello.after_stream, hello.after_seq or 0) == (place.stream, place.seq)
    if follows and reconcile.agrees(step, hello):
        _leave(step, record)
        step.folded = True
        step.about = _about(hello)
        step.healing = replace(step.healing, wanted=None)
        if hello.down_since is not None:
            step.gap("down", min(hello.down_since, _when(record)))
        reconcile.heal(step, "first" if place.stream is None else "hello", _when(record))
    elif about.evidence.contradicts(hello.evidence) and not _is_silent(step, record, offline_after):
        _hold(step, record, "evidence", claims=True)
    else:
        _adopt(step, record, "hello-gap")


# Rule 3: streams that do not begin before our eyes.


def _is_met_in_the_middle(step: Step, record: Record) -> None:
    """The normal case of a wiped database."""
    if record.event is None:
        step.notes.append("held")  # nothing but headers: no host comes of that
    else:
        _adopt(step, record, "adopted")


def _is_a_stranger(step: Step, record: Record, offline_after: timedelta) -> None:
    """A stream without a hello, while another is current: held until it answers a resync, or the other is silent."""
    answers = isinstance(record.event, Present | Manifest) and record.event.for_ is not None
    claims = step.conflict is not None and step.conflict.stream == record.stream
    if record.event is not None and (_is_silent(step, record, offline_after) or (answers and step.conflict is None)):
        _adopt(step, record, "no-hello")
    else:
        _hold(step, record, "no-hello", claims=claims)


def _speaks_again(step: Step, record: Record, offline_after: timedelta) -> None:
    """A stream that was left: what we have of it is a duplicate, more means that a second agent lives."""
    more = _number(record) > step.state.left[record.stream]
    alive = more or isinstance(record.event, Heartbeat)
    if alive and record.event is not None and _is_silent(step, record, offline_after):
        _adopt(step, record, "speaks-again")
    elif not more:
        step.notes.append("duplicate")
    else:
        _hold(step, record, "stream-left", claims=True)


def _adopt(step: Step, record: Record, reason: str) -> None:
    """Its stream is the host's from now on; its beginning is a gap, and the host is asked to show its census."""
    step.healing = replace(step.healing, wanted=None, parts=())
    if step.conflict is not None and step.conflict.stream == record.stream:
        step.conflict = None
    _leave(step, record)
    step.place = step.place._replace(seq=_number(record) - 1)
    _gap(step, reason, record)
    _apply(step, record)
    if not isinstance(record.event, Hello):
        _miss_hello(step, reason)


def _miss_hello(step: Step, reason: str) -> None:
    """Who speaks now has not introduced itself to us: what we know was said by another stream."""
    step.about = replace(step.about, evidence=Evidence())
    reconcile.want(step, "stream", reason)


def _leave(step: Step, record: Record) -> None:
    """The record's stream is the current one now; the one before is left."""
    if step.place.stream is not None:
        step.left = (step.place.stream, step.place.seq)
    step.place = Place(record.stream, _number(record), record.at)


def _hold(step: Step, record: Record, why: str, *, claims: bool) -> None:
    """Counted, not folded. One that claims to be this host puts it in conflict, and no command goes to it."""
    step.notes.append("held")
    if not claims:
        reconcile.want(step, "manifest", why)
        return
    before = step.conflict
    if before is not None and before.stream == record.stream:
        step.conflict = replace(before, seq=_number(record), heard_at=record.at, held=before.held + 1)
        return
    step.conflict = Conflict(
        stream=record.stream,
        seq=_number(record),
        evidence=record.event.evidence if isinstance(record.event, Hello) else Evidence(),
        why=why,
        since=record.at,
        heard_at=record.at,
    )


def accept(state: HostState, at: datetime) -> Step:
    """A person says that the one who claims to be this host is it; without a conflict nothing happens."""
    step = Step(state)
    claimant = state.conflict
    if claimant is None:
        return step
    if state.place.stream is not None:
        step.left = (state.place.stream, state.place.seq)
    step.place = Place(claimant.stream, claimant.seq, claimant.heard_at)
    step.conflict = None
    step.gap("accepted", at)
    step.healing = replace(step.healing, parts=())
    _miss_hello(step, "accepted")
    return step


def lose(state: HostState, at: datetime) -> Step:
    """Records were lost before we read them: the host is asked, and need not speak first."""
    step = Step(state)
    step.gap("records-lost", at)
    reconcile.want(step, "manifest", "records-lost")
    return step


# Rule 4: heartbeats, at our (stream, seq), above or below it.


def _heartbeat(step: Step, record: Record, beat: Heartbeat) -> None:
    step.folded = True
    if beat.at < step.place.seq:
        # The agent's past was rolled back: what it says now under old numbers we would take for duplicates.
        step.gap("rolled-back", _when(record))
        reconcile.want(step, "stream", "rolled-back")
    elif beat.at > step.place.seq:
        step.place = step.place._replace(seq=beat.at)
        _gap(step, "heartbeat-gap", record)
    elif reconcile.agrees(step, beat):
        reconcile.heal(step, "heartbeat", _when(record))
    elif step.healing.wanted is None:
        _gap(step, "digest", record)


# Rule 5 is `reconcile.manifest`. What the rules above have in common:


def _gap(step: Step, reason: str, record: Record) -> None:
    step.gap(reason, _when(record))
    reconcile.want(step, "manifest", reason)


def _signals_were_lost(step: Step, event: Gap, record: Record) -> None:
    """The agent looked again itself: the census is right, but what happened in between is not known in full."""
    if step.covered is not None:
        step.gap("source-gap", thing.clamp(event.from_, record.at, None))
        step.cover("source-gap", thing.clamp(event.to, record.at, step.stretches[-1].at))


def _is_silent(step: Step, record: Record, offline_after: timedelta) -> bool:
    heard_at = step.place.heard_at
    return heard_at is None or record.at - heard_at > offline_after


def _number(record: Record) -> int:
    """Its seq, or what a heartbeat has in its stead: the last one acknowledged."""
    if isinstance(record.event, Heartbeat):
        return record.event.at
    assert record.seq is not None
    return record.seq


def _when(record: Record) -> datetime:
    """The agent's time, but not after the broker's."""
    event: Event | None = record.event
    return record.at if event is None else thing.clamp(event.time, record.at, None)


def _about(hello: Hello) -> About:
    return About(
        name=hello.name,
        evidence=hello.evidence,
        boot=hello.boot,
        agent=hello.agent,
        sources=hello.sources,
        creatable=hello.creatable,
        commands_partition=hello.commands_partition,
    )
