"""The inventory as it began: hosts, devices and their history, commands, and where ingest stands in Kafka."""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

TIME = DateTime(timezone=True)
DIGEST = LargeBinary(32)
#: SQLite numbers rows by itself only for INTEGER PRIMARY KEY.
ID = BigInteger().with_variant(Integer(), "sqlite")
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

TABLES = (
    "audit",
    "capability",
    "command",
    "command_event",
    "coverage",
    "dead_letter",
    "device",
    "device_version",
    "document",
    "feed",
    "host",
    "host_seen",
    "identifier",
    "kafka_offset",
    "refused",
    "state_change",
    "stream",
)


def upgrade() -> None:
    op.create_table(
        "audit",
        Column("id", ID, nullable=False),
        Column("at", TIME, nullable=False),
        Column("actor", Text(), nullable=False),
        Column("door", String(16), nullable=False),
        Column("action", Text(), nullable=False),
        Column("subject", Text(), nullable=False),
        Column("detail", DOCUMENT, nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "capability",
        Column("device", BigInteger(), nullable=False),
        Column("type", Text(), nullable=False),
        PrimaryKeyConstraint("device", "type"),
    )
    op.create_index("ix_capability_type_device", "capability", ["type", "device"])
    op.create_table(
        "command",
        Column("id", String(64), nullable=False),
        Column("host", String(64), nullable=False),
        Column("number", BigInteger(), nullable=False),
        Column("type", String(16), nullable=False),
        Column("state", String(16), nullable=False),
        Column("subject", Text()),
        Column("identity", Text()),
        Column("name", Text()),
        Column("body", LargeBinary(), nullable=False),
        Column("stream", String(64), nullable=False),
        Column("by", Text(), nullable=False),
        Column("issued", TIME, nullable=False),
        Column("expires", TIME, nullable=False),
        Column("partition", Integer()),
        Column("code", Text()),
        Column("text", Text()),
        Column("produced", DOCUMENT, nullable=False),
        Column("idempotency_key", Text()),
        Column("request_digest", DIGEST),
        Column("updated_at", TIME, nullable=False),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("idempotency_key", name="uq_command_idempotency_key"),
        UniqueConstraint("number", name="uq_command_number"),
    )
    op.create_index("ix_command_host_number", "command", ["host", "number"])
    op.create_index("ix_command_state_number", "command", ["state", "number"])
    op.create_table(
        "command_event",
        Column("id", ID, nullable=False),
        Column("command", String(64), nullable=False),
        Column("state", String(16), nullable=False),
        Column("at", TIME, nullable=False),
        Column("by", Text(), nullable=False),
        Column("code", Text()),
        Column("text", Text()),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_command_event_command_id", "command_event", ["command", "id"])
    op.create_table(
        "coverage",
        Column("id", ID, nullable=False),
        Column("host", String(64), nullable=False),
        Column("began_at", TIME, nullable=False),
        Column("ended_at", TIME),
        Column("began", String(32), nullable=False),
        Column("ended", String(32)),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_coverage_host_id", "coverage", ["host", "id"])
    op.create_table(
        "dead_letter",
        Column("id", ID, nullable=False),
        Column("topic", String(255), nullable=False),
        Column("partition", Integer(), nullable=False),
        Column("offset", BigInteger(), nullable=False),
        Column("at", TIME, nullable=False),
        Column("host", Text()),
        Column("headers", DOCUMENT, nullable=False),
        Column("value", LargeBinary(), nullable=False),
        Column("code", String(32), nullable=False),
        Column("reason", Text(), nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_dead_letter_host", "dead_letter", ["host"])
    op.create_table(
        "device",
        Column("id", ID, nullable=False),
        Column("host", String(64), nullable=False),
        Column("identity", Text(), nullable=False),
        Column("present", Boolean(), nullable=False),
        Column("name", Text(), nullable=False),
        Column("key", Text()),
        Column("parent", Text()),
        Column("bus", Text()),
        Column("driver", Text()),
        Column("vendor", Text()),
        Column("product", Text()),
        Column("facts", DOCUMENT, nullable=False),
        Column("state", DOCUMENT, nullable=False),
        Column("xml", LargeBinary(), nullable=False),
        Column("digest", DIGEST, nullable=False),
        Column("state_hash", DIGEST, nullable=False),
        Column("version", BigInteger(), nullable=False),
        Column("seq", BigInteger(), nullable=False),
        Column("first_seen", TIME, nullable=False),
        Column("changed_at", TIME, nullable=False),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("host", "identity", name="uq_device_host_identity"),
    )
    op.create_index("ix_device_bus", "device", ["bus"])
    op.create_index("ix_device_host_key", "device", ["host", "key"])
    op.create_index("ix_device_host_name", "device", ["host", "name"])
    op.create_index("ix_device_name", "device", ["name"])
    op.create_table(
        "device_version",
        Column("feed", BigInteger(), autoincrement=False, nullable=False),
        Column("device", BigInteger(), nullable=False),
        Column("host", String(64), nullable=False),
        Column("valid_from", TIME, nullable=False),
        Column("valid_to", TIME),
        Column("recorded_at", TIME, nullable=False),
        Column("kind", String(16), nullable=False),
        Column("digest", DIGEST),
        Column("name", Text(), nullable=False),
        Column("changed", Text()),
        Column("stream", String(64)),
        Column("seq", BigInteger()),
        Column("cause", Text(), nullable=False),
        Column("stands_for", Integer()),
        PrimaryKeyConstraint("feed"),
    )
    op.create_index("ix_device_version_device_feed", "device_version", ["device", "feed"])
    op.create_index("ix_device_version_host_feed", "device_version", ["host", "feed"])
    op.create_index("ix_device_version_valid_from", "device_version", ["valid_from"])
    op.create_table(
        "document",
        Column("digest", DIGEST, nullable=False),
        Column("body", LargeBinary(), nullable=False),
        PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "feed",
        Column("id", Integer(), autoincrement=False, nullable=False),
        Column("position", BigInteger(), nullable=False),
        PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "host",
        Column("id", String(64), nullable=False),
        Column("name", Text(), nullable=False),
        Column("stream", String(64)),
        Column("seq", BigInteger(), nullable=False),
        Column("count", Integer(), nullable=False),
        Column("digest", String(64), nullable=False),
        Column("state_digest", String(64), nullable=False),
        Column("evidence", DOCUMENT, nullable=False),
        Column("boot", String(64)),
        Column("agent_version", Text()),
        Column("model", Text()),
        Column("kernel", Text()),
        Column("sources", DOCUMENT, nullable=False),
        Column("creatable", DOCUMENT, nullable=False),
        Column("commands_partition", Integer()),
        Column("events_partition", Integer()),
        Column("first_seen", TIME, nullable=False),
        Column("clock_skew", Float()),
        Column("resync_wanted", String(16)),
        Column("resync_identities", DOCUMENT),
        Column("resync_reason", Text()),
        Column("asked", DOCUMENT),
        Column("resync_command", String(64)),
        Column("resync_sent_at", TIME),
        Column("resync_attempts", Integer(), nullable=False),
        Column("excess", DOCUMENT),
        Column("conflict", DOCUMENT),
        Column("revision", BigInteger(), nullable=False),
        Column("retired_at", TIME),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_host_name", "host", ["name"])
    op.create_index("ix_host_resync_wanted", "host", ["resync_wanted"])
    op.create_table(
        "host_seen",
        Column("host", String(64), nullable=False),
        Column("heard_at", TIME, nullable=False),
        Column("spool", Integer()),
        Column("rss", BigInteger()),
        Column("cpu", Float()),
        PrimaryKeyConstraint("host"),
    )
    op.create_table(
        "identifier",
        Column("device", BigInteger(), nullable=False),
        Column("kind", String(16), nullable=False),
        Column("value", Text(), nullable=False),
        Column("own", Boolean(), nullable=False),
        PrimaryKeyConstraint("device", "kind", "value"),
    )
    op.create_index("ix_identifier_value", "identifier", ["value"])
    op.create_table(
        "kafka_offset",
        Column("topic", String(255), nullable=False),
        Column("partition", Integer(), nullable=False),
        Column("next", BigInteger(), nullable=False),
        Column("fingerprint", DIGEST),
        PrimaryKeyConstraint("topic", "partition"),
    )
    op.create_table(
        "refused",
        Column("host", String(64), nullable=False),
        Column("identity", Text(), nullable=False),
        Column("digest", LargeBinary(16), nullable=False),
        PrimaryKeyConstraint("host", "identity"),
    )
    op.create_table(
        "state_change",
        Column("id", ID, nullable=False),
        Column("device", BigInteger(), nullable=False),
        Column("at", TIME, nullable=False),
        Column("path", Text(), nullable=False),
        Column("old", Text()),
        Column("new", Text()),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_state_change_device_id", "state_change", ["device", "id"])
    op.create_table(
        "stream",
        Column("host", String(64), nullable=False),
        Column("stream", String(64), nullable=False),
        Column("first_seq", BigInteger(), nullable=False),
        Column("last_seq", BigInteger(), nullable=False),
        Column("begun_at", TIME, nullable=False),
        Column("left_at", TIME),
        PrimaryKeyConstraint("host", "stream"),
    )
    # The one row that every writer of versions locks until its COMMIT.
    op.execute("INSERT INTO feed (id, position) VALUES (1, 0)")


def downgrade() -> None:
    for name in TABLES:
        op.drop_table(name)
