"""The audit can be asked: by who did something, by what was done, by what it was done to, and by time."""

from alembic import op

revision = "0005"
down_revision = "0004"

ASKED_BY = ("action", "actor", "at", "subject")


def upgrade() -> None:
    for column in ASKED_BY:
        op.create_index(f"ix_audit_{column}_id", "audit", [column, "id"])


def downgrade() -> None:
    for column in ASKED_BY:
        op.drop_index(f"ix_audit_{column}_id", "audit")
