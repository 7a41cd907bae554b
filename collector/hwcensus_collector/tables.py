"""The inventory's tables, as docs/inventory.md explains them; schema changes come by `migrations/` only.

Times are UTC, aware in Python on both databases. Digests are 32 raw bytes. Deliberately absent: foreign keys from
versions (history outlives nothing it points to: nothing is ever deleted but by retention, which deletes both ends).
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB


class Instant(TypeDecorator[datetime]):
    """A point in time: aware and UTC in Python; SQLite, which knows no zones, holds UTC without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Raises ValueError for a naive time: nobody could say which zone it meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
)

_Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
#: SQLite numbers rows by itself only for INTEGER PRIMARY KEY.
_Id = BigInteger().with_variant(Integer(), "sqlite")
_Time = Instant()

host = Table(
    "host",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    #: The current stream and the last seq folded of it; none after a wiped database heard only heartbeats.
    Column("stream", String(64)),
    Column("seq", BigInteger, nullable=False, default=0),
    #: Count and sums (64 hex digits) over the devices held present; see hwcensus.census_digest.
    Column("count", Integer, nullable=False, default=0),
    Column("digest", String(64), nullable=False),
    Column("state_digest", String(64), nullable=False),
    #: system_uuid, board_serial, machine_id, macs.
    Column("evidence", _Json, nullable=False, default=dict),
    Column("boot", String(64)),
    Column("agent_version", Text),
    Column("model", Text),
    Column("kernel", Text),
    #: [{name, works, reason}]
    Column("sources", _Json, nullable=False, default=list),
    #: [type]
    Column("creatable", _Json, nullable=False, default=list),
    Column("commands_partition", Integer),
    Column("events_partition", Integer),
    Column("first_seen", _Time, nullable=False),
    #: Seconds by which the agent's clock is ahead of the broker's (or ours), as last measured.
    Column("clock_skew", Float),
    #: manifest, devices, all or stream; which devices ([identity]); why. Ingest notes it, the relay sends it.
    Column("resync_wanted", String(16)),
    Column("resync_identities", _Json),
    Column("resync_reason", Text),
    #: {identity: [digest of 16 bytes in hex, answered]}: what a manifest had and we have not.
    Column("asked", _Json),
    #: The relay's: the command that asked last, when, and how often without an answer. Ingest clears all three when it
    #: wants something else, or nothing any more.
    Column("resync_command", String(64)),
    Column("resync_sent_at", _Time),
    Column("resync_attempts", Integer, nullable=False, default=0),
    #: {count, digest, state_digest}: what devices in `refused` add to ours, by the manifest that showed them.
    Column("excess", _Json),
    #: {stream, seq, evidence, since, heard_at, held, why}: another agent claims to be this host.
    Column("conflict", _Json),
    #: Raised by each write of ingest and by `host accept`: a writer that worked on an older one starts over.
    Column("revision", BigInteger, nullable=False, default=0),
    Column("retired_at", _Time),
    Index("ix_host_name", "name"),
    Index("ix_host_resync_wanted", "resync_wanted"),
)

host_seen = Table(
    "host_seen",
    metadata,
    Column("host", String(64), primary_key=True),
    Column("heard_at", _Time, nullable=False),
    Column("spool", Integer),
    Column("rss", BigInteger),
    Column("cpu", Float),
)

stream = Table(
    "stream",
    metadata,
    Column("host", String(64), nullable=False),
    Column("stream", String(64), nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("begun_at", _Time, nullable=False),
    #: Null for the current one.
    Column("left_at", _Time),
    PrimaryKeyConstraint("host", "stream"),
)

document = Table(
    "document",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    #: The canonical bytes that were hashed.
    Column("body", LargeBinary, nullable=False),
)

device = Table(
    "device",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("host", String(64), nullable=False),
    Column("identity", Text, nullable=False),
    Column("present", Boolean, nullable=False),
    Column("name", Text, nullable=False),
    Column("key", Text),
    Column("parent", Text),
    Column("bus", Text),
    Column("driver", Text),
    Column("vendor", Text),
    Column("product", Text),
    #: {path: value} without and with `<state>`; see hwcensus.document.Survey.
    Column("facts", _Json, nullable=False, default=dict),
    Column("state", _Json, nullable=False, default=dict),
    #: The whole document as last told, key and state too.
    Column("xml", LargeBinary, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("state_hash", LargeBinary(32), nullable=False),
    #: Feed position of the current version, the one that is open.
    Column("version", BigInteger, nullable=False),
    #: Host's stream and seq of the last event about it.
    Column("seq", BigInteger, nullable=False),
    Column("first_seen", _Time, nullable=False),
    Column("changed_at", _Time, nullable=False),
    UniqueConstraint("host", "identity"),
    Index("ix_device_host_name", "host", "name"),
    Index("ix_device_name", "name"),
    Index("ix_device_host_key", "host", "key"),
    Index("ix_device_bus", "bus"),
)

device_version = Table(
    "device_version",
    metadata,
    #: Position in the feed: visible in order, given in the last statements before COMMIT.
    Column("feed", BigInteger, primary_key=True, autoincrement=False),
    Column("device", BigInteger, nullable=False),
    Column("host", String(64), nullable=False),
    #: Agent's time, clamped so that a device's versions follow each other; `valid_to` is null for the current one.
    Column("valid_from", _Time, nullable=False),
    Column("valid_to", _Time),
    #: When Kafka (or, with the embedded broker, the collector) got it.
    Column("recorded_at", _Time, nullable=False),
    #: add, change, remove, renumbered, redescribed
    Column("kind", String(16), nullable=False),
    #: Null for a remove.
    Column("digest", LargeBinary(32)),
    Column("name", Text, nullable=False),
    #: Blank-separated paths of the facts that differ from the version before.
    Column("changed", Text),
    Column("stream", String(64)),
    Column("seq", BigInteger),
    #: event, reconciled, or the id of the command that caused it.
    Column("cause", Text, nullable=False),
    Column("stands_for", Integer),
    Index("ix_device_version_device_feed", "device", "feed"),
    Index("ix_device_version_host_feed", "host", "feed"),
    Index("ix_device_version_valid_from", "valid_from"),
)

feed = Table(
    "feed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

state_change = Table(
    "state_change",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("device", BigInteger, nullable=False),
    Column("at", _Time, nullable=False),
    Column("path", Text, nullable=False),
    Column("old", Text),
    Column("new", Text),
    Index("ix_state_change_device_id", "device", "id"),
)

coverage = Table(
    "coverage",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("host", String(64), nullable=False),
    Column("began_at", _Time, nullable=False),
    #: Null while it lasts.
    Column("ended_at", _Time),
    #: Why a stretch began (first, hello, manifest, heartbeat, source-gap) and why it ended (the name of the gap).
    Column("began", String(32), nullable=False),
    Column("ended", String(32)),
    Index("ix_coverage_host_id", "host", "id"),
)

capability = Table(
    "capability",
    metadata,
    Column("device", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    PrimaryKeyConstraint("device", "type"),
    Index("ix_capability_type_device", "type", "device"),
)

identifier = Table(
    "identifier",
    metadata,
    Column("device", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("value", Text, nullable=False),
    Column("own", Boolean, nullable=False),
    PrimaryKeyConstraint("device", "kind", "value"),
    Index("ix_identifier_value", "value"),
)

#: The database refuses every step that relay/lifecycle.py does not have (migration 0003).
command = Table(
    "command",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", String(64), nullable=False),
    #: Order of dispatch.
    Column("number", BigInteger, nullable=False, unique=True),
    Column("type", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    #: Class the command is about (bridge, vport, …), and what it acts on.
    Column("subject", Text),
    Column("identity", Text),
    Column("name", Text),
    #: The exact bytes that are signed and sent.
    Column("body", LargeBinary, nullable=False),
    Column("stream", String(64), nullable=False),
    Column("by", Text, nullable=False),
    Column("issued", _Time, nullable=False),
    Column("expires", _Time, nullable=False),
    Column("partition", Integer),
    Column("code", Text),
    Column("text", Text),
    #: [{identity, name}]
    Column("produced", _Json, nullable=False, default=list),
    Column("idempotency_key", Text, unique=True),
    #: SHA-256 of the request that came with the key.
    Column("request_digest", LargeBinary(32)),
    Column("updated_at", _Time, nullable=False),
    Column("batch", String(64)),
    Index("ix_command_batch_state", "batch", "state"),
    Index("ix_command_host_number", "host", "number"),
    Index("ix_command_state_number", "state", "number"),
)

#: One request for many hosts, each of which has a command of its own.
batch = Table(
    "batch",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("by", Text, nullable=False),
    Column("issued", _Time, nullable=False),
    Column("subject", Text),
    #: Commands under way at the same time, and failures after which the rest is cancelled.
    Column("at_once", Integer, nullable=False),
    Column("stop_after", Integer, nullable=False),
    #: [{host, code, detail}] of hosts that could not be commanded.
    Column("refused", _Json, nullable=False, default=list),
    Column("idempotency_key", Text, unique=True),
    Column("request_digest", LargeBinary(32)),
    #: When, by whom (a person, or `relay`) and why the rest was cancelled.
    Column("stopped_at", _Time),
    Column("stopped_by", Text),
    Column("reason", Text),
)

command_event = Table(
    "command_event",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("command", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", _Time, nullable=False),
    #: Who made the step: a person, `relay`, or the agent's host id.
    Column("by", Text, nullable=False),
    Column("code", Text),
    Column("text", Text),
    Index("ix_command_event_command_id", "command", "id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("at", _Time, nullable=False),
    Column("actor", Text, nullable=False),
    #: Through which door: api, cli, agent, relay.
    Column("door", String(16), nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", _Json, nullable=False, default=dict),
    Index("ix_audit_action_id", "action", "id"),
    Index("ix_audit_actor_id", "actor", "id"),
    Index("ix_audit_at_id", "at", "id"),
    Index("ix_audit_subject_id", "subject", "id"),
)

wwn_pool = Table(
    "wwn_pool",
    metadata,
    Column("name", String(64), primary_key=True),
    #: WWPNs, both included. Ranges of two pools have none in common.
    Column("first", String(16), nullable=False),
    Column("last", String(16), nullable=False),
    #: The node name of all its ports; without one each gets a name of the range.
    Column("wwnn", String(16)),
)

wwn = Table(
    "wwn",
    metadata,
    #: That is not free.
    Column("wwpn", String(16), primary_key=True),
    Column("wwnn", String(16)),
    #: reserved, held, quarantined; since when, and why: see wwns/life.py.
    Column("state", String(16), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("since", _Time, nullable=False),
    #: Whose it is or was, on which adapter (identity), and the command that brought it to its state.
    Column("host", String(64), nullable=False),
    Column("parent", Text),
    Column("command", String(64)),
    #: Of a reserved or abandoned name that was not free before: what of the above it was then, and `former`.
    Column("former", _Json),
    Index("ix_wwn_command", "command"),
    Index("ix_wwn_host_state", "host", "state"),
    Index("ix_wwn_wwnn", "wwnn"),
)

kafka_offset = Table(
    "kafka_offset",
    metadata,
    Column("topic", String(255), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next", BigInteger, nullable=False),
    #: SHA-256 of the last record folded (key, value, timestamp): tells a topic made anew from the old one.
    Column("fingerprint", LargeBinary(32)),
    PrimaryKeyConstraint("topic", "partition"),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("topic", String(255), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("at", _Time, nullable=False),
    Column("host", Text),
    Column("headers", _Json, nullable=False, default=dict),
    Column("value", LargeBinary, nullable=False),
    Column("code", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_dead_letter_host", "host"),
)

refused = Table(
    "refused",
    metadata,
    #: A document that could not be processed counts as held, so that asking for it does not loop.
    Column("host", String(64), nullable=False),
    Column("identity", Text, nullable=False),
    #: First 16 bytes of the digest, as manifests carry it.
    Column("digest", LargeBinary(16), nullable=False),
    PrimaryKeyConstraint("host", "identity"),
)
