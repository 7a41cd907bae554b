"""Which columns are written together, and the rows that a batch comes to.

JSON is written here: the databases get it as text.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pydantic_core import to_json

from hwcensus import census_digest
from hwcensus.document import Survey
from hwcensus.event import Evidence
from hwcensus.instant import write_instant
from hwcensus_collector import tables
from hwcensus_collector.ingest import reconcile
from hwcensus_collector.ingest.record import Reading
from hwcensus_collector.ingest.state import Conflict, Healing
from hwcensus_collector.store.batch import Batch, NewVersion, Sight
from hwcensus_collector.store.tracked import Thing, Tracked
from hwcensus_collector.store.writer import Row, Target

DOCUMENT = Target(name="document", table=tables.document, columns=("digest", "body"), key=("digest",), kept=("body",))
DEVICE = Target(
    name="device",
    table=tables.device,
    columns=(
        "id", "host", "identity", "name", "key", "bus", "present", "parent", "driver", "vendor", "product",
        "facts", "state", "xml", "digest", "state_hash", "version", "seq", "changed_at", "first_seen",
    ),
    key=("id",),
    kept=("first_seen",),
)  # fmt: skip
#: Of a thing that has its row: what changes often, without what is indexed.
DEVICE_TOLD = Target(name="device_told", table=tables.device, columns=("id", *DEVICE.columns[6:19]), key=("id",))
DEVICE_NAMED = Target(name="device_named", table=tables.device, columns=("id", *DEVICE.columns[3:6]), key=("id",))
DEVICE_GONE = Target(
    name="device_gone", table=tables.device, columns=("id", "present", "version", "seq", "changed_at"), key=("id",)
)
VERSION = Target(
    name="version",
    table=tables.device_version,
    columns=(
        "feed", "device", "host", "valid_from", "valid_to", "recorded_at", "kind", "digest", "name", "changed",
        "stream", "seq", "cause", "stands_for",
    ),
    key=("feed",),
)  # fmt: skip
VERSION_CLOSED = Target(name="version_closed", table=tables.device_version, columns=("feed", "valid_to"), key=("feed",))
CAPABILITY = Target(name="capability", table=tables.capability, columns=("device", "type"), key=("device", "type"))
CAPABILITY_GONE = Target(name="capability_gone", table=tables.capability, columns=("device",), key=("device",))
IDENTIFIER = Target(
    name="identifier",
    table=tables.identifier,
    columns=("device", "kind", "value", "own"),
    key=("device", "kind", "value"),
)
IDENTIFIER_GONE = Target(name="identifier_gone", table=tables.identifier, columns=("device",), key=("device",))
HOST = Target(
    name="host",
    table=tables.host,
    columns=(
        "id", "name", "stream", "seq", "count", "digest", "state_digest", "evidence", "boot", "agent_version",
        "model", "kernel", "sources", "creatable", "commands_partition", "events_partition", "first_seen", "clock_skew",
        "resync_wanted", "resync_identities", "resync_reason", "resync_attempts", "asked", "excess", "conflict",
        "revision",
    ),
    key=("id",),
    kept=("first_seen", "resync_attempts"),
)  # fmt: skip
HEARD = Target(name="heard", table=tables.host_seen, columns=("host", "heard_at"), key=("host",))
BEAT = Target(name="beat", table=tables.host_seen, columns=("host", "heard_at", "spool", "rss", "cpu"), key=("host",))
STREAM = Target(
    name="stream",
    table=tables.stream,
    columns=("host", "stream", "first_seq", "last_seq", "begun_at", "left_at"),
    key=("host", "stream"),
    kept=("first_seq", "begun_at"),
)


def _encode(value: object) -> str:
    return to_json(value).decode()


def version_rows(batch: Batch, first: int) -> Iterator[Row]:
    """New versions at the feed's positions from `first` on."""
    return (_version_row(new, feed) for feed, new in enumerate(batch.versions, first))


def _version_row(new: NewVersion, feed: int) -> Row:
    record, version = new.record, new.version
    return (
        feed,
        new.thing.id,
        record.host,
        version.valid_from,
        new.valid_to,
        record.at,
        version.kind,
        version.digest,
        version.name,
        " ".join(version.changed) or None,
        record.stream,
        record.seq,
        version.cause,
        version.stands_for,
    )


def named_row(thing: Thing, reading: Reading) -> Row:
    """What a thing is looked up by."""
    frame = reading.survey.frame
    return (thing.id, frame["name"], frame.get("key"), reading.survey.bus)


def told_row(thing: Thing, sight: Sight, reading: Reading) -> Row:
    """A thing as it was last described."""
    held = sight.tracked.state.devices[thing.identity]
    survey = reading.survey
    frame, facts, bus = survey.frame, survey.facts, survey.bus
    return (
        thing.id,
        held.present,
        frame.get("parent"),
        frame.get("driver"),
        _text(facts.get(f"{bus}.vendor")),
        _text(facts.get(f"{bus}.product")),
        _encode(facts),
        _encode(survey.state) if survey.state else "{}",
        reading.xml,
        reading.digest,
        reading.state_hash,
        thing.version,
        sight.record.seq or 0,
        held.since,
    )


def new_row(thing: Thing, sight: Sight, reading: Reading) -> Row:
    """A thing never seen before."""
    told = told_row(thing, sight, reading)
    return (thing.id, sight.record.host, thing.identity, *named_row(thing, reading)[1:], *told[1:], told[-1])


def gone_row(thing: Thing, sight: Sight) -> Row:
    """A thing of which nothing is known but that it is gone."""
    held = sight.tracked.state.devices[thing.identity]
    return (thing.id, held.present, thing.version, sight.record.seq or 0, held.since)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def capabilities(survey: Survey) -> list[str]:
    """Types of capability, each once."""
    return sorted(set(survey.capabilities))


def identifiers(survey: Survey) -> list[tuple[str, str, bool]]:
    """(kind, value, own), each kind and value once: what is its own as well as seen is its own."""
    found: dict[tuple[str, str], bool] = {}
    for one in survey.identifiers:
        found[one.kind, one.value] = one.own or found.get((one.kind, one.value), False)
    return sorted((kind, value, own) for (kind, value), own in found.items())


def host_row(tracked: Tracked) -> Row:
    """A host as the fold left it. Its name is its id until it has introduced itself."""
    state = tracked.state
    about, healing, totals, agent = state.about, state.healing, state.totals, state.about.agent
    return (
        state.id,
        about.name or state.id,
        state.place.stream,
        state.place.seq,
        totals.size,
        census_digest.write_total(totals.digest),
        census_digest.write_total(totals.state_digest),
        _encode(evidence_json(about.evidence)),
        about.boot,
        agent and agent.version,
        agent and agent.model,
        agent and agent.kernel,
        _encode([asdict(source) for source in about.sources]),
        _encode(about.creatable),
        about.commands_partition,
        tracked.partition,
        tracked.first_seen,
        tracked.skew,
        healing.wanted,
        _or_null(reconcile.wanted_devices(state)),
        healing.reason,
        0,
        _or_null({identity: [one.digest.hex(), one.answered] for identity, one in healing.asked.items()}),
        _or_null(_excess_json(healing)),
        _or_null(_conflict_json(state.conflict)),
        tracked.revision,
    )


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    return {name: value for name, value in asdict(evidence).items() if value}


def _excess_json(healing: Healing) -> dict[str, Any] | None:
    size, digest, state_digest = healing.excess
    if not (size or digest or state_digest):
        return None
    return {
        "count": size,
        "digest": census_digest.write_total(digest),
        "state_digest": census_digest.write_total(state_digest),
    }


def _conflict_json(conflict: Conflict | None) -> dict[str, Any] | None:
    if conflict is None:
        return None
    return {
        "stream": conflict.stream,
        "seq": conflict.seq,
        "evidence": evidence_json(conflict.evidence),
        "why": conflict.why,
        "since": write_instant(conflict.since),
        "heard_at": write_instant(conflict.heard_at),
        "held": conflict.held,
    }


def _or_null(value: object) -> str | None:
    return _encode(value) if value else None


def marks(names: Row, types: list[str], values: list[tuple[str, str, bool]]) -> int:
    """Stands for what a thing is looked up by: name, key, bus; capabilities and identifiers, both sorted."""
    return hash((tuple(names), tuple(types), tuple(values)))
