"""Batches of commands; and the database refuses a command every step that its life does not have."""

from alembic import op
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

TIME = DateTime(timezone=True)
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

#: State → states that may follow, as relay/lifecycle.py had them; a test holds the two together.
FIRST = "queued"
MOVES = {
    "queued": ("dispatched", "expired", "cancelled"),
    "dispatched": ("accepted", "succeeded", "failed", "expired", "abandoned"),
    "accepted": ("succeeded", "failed", "expired", "abandoned"),
}


def upgrade() -> None:
    op.create_table(
        "batch",
        Column("id", String(64), nullable=False),
        Column("by", Text(), nullable=False),
        Column("issued", TIME, nullable=False),
        Column("subject", Text()),
        Column("at_once", Integer(), nullable=False),
        Column("stop_after", Integer(), nullable=False),
        Column("refused", DOCUMENT, nullable=False),
        Column("idempotency_key", Text()),
        Column("request_digest", LargeBinary(32)),
        Column("stopped_at", TIME),
        Column("stopped_by", Text()),
        Column("reason", Text()),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("idempotency_key", name="uq_batch_idempotency_key"),
    )
    op.add_column("command", Column("batch", String(64)))
    op.create_index("ix_command_batch_state", "command", ["batch", "state"])
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_postgresql() -> None:
    op.execute(
        f"""
        CREATE FUNCTION command_moves() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP = 'INSERT' AND NEW.state <> '{FIRST}' THEN
            RAISE check_violation USING MESSAGE = 'a command begins {FIRST}, not ' || NEW.state;
          ELSIF TG_OP = 'UPDATE' AND NEW.state <> OLD.state AND OLD.state || ' ' || NEW.state NOT IN ({_pairs()}) THEN
            RAISE check_violation USING MESSAGE = 'no command goes from ' || OLD.state || ' to ' || NEW.state;
          END IF;
          RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER command_moves BEFORE INSERT OR UPDATE OF state ON command "
        "FOR EACH ROW EXECUTE FUNCTION command_moves()"
    )


def _guard_sqlite() -> None:
    op.execute(
        f"CREATE TRIGGER command_begins BEFORE INSERT ON command WHEN NEW.state <> '{FIRST}' "
        f"BEGIN SELECT RAISE(ABORT, 'a command begins {FIRST}'); END"
    )
    op.execute(
        "CREATE TRIGGER command_moves BEFORE UPDATE OF state ON command "
        f"WHEN NEW.state <> OLD.state AND OLD.state || ' ' || NEW.state NOT IN ({_pairs()}) "
        "BEGIN SELECT RAISE(ABORT, 'no command makes this step'); END"
    )


def _pairs() -> str:
    return ", ".join(f"'{state} {to}'" for state, targets in MOVES.items() for to in targets)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER command_moves ON command")
        op.execute("DROP FUNCTION command_moves()")
    else:
        op.execute("DROP TRIGGER command_begins")
        op.execute("DROP TRIGGER command_moves")
    op.drop_index("ix_command_batch_state", "command")
    op.drop_column("command", "batch")
    op.drop_table("batch")
