"""World Wide Names of virtual ports: pools, and who has which."""

from alembic import op
from sqlalchemy import Column, DateTime, PrimaryKeyConstraint, String, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "wwn_pool",
        Column("name", String(64), nullable=False),
        Column("first", String(16), nullable=False),
        Column("last", String(16), nullable=False),
        Column("wwnn", String(16)),
        PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "wwn",
        Column("wwpn", String(16), nullable=False),
        Column("wwnn", String(16)),
        Column("state", String(16), nullable=False),
        Column("reason", String(16), nullable=False),
        Column("since", DateTime(timezone=True), nullable=False),
        Column("host", String(64), nullable=False),
        Column("parent", Text()),
        Column("command", String(64)),
        PrimaryKeyConstraint("wwpn"),
    )
    op.create_index("ix_wwn_command", "wwn", ["command"])
    op.create_index("ix_wwn_host_state", "wwn", ["host", "state"])
    op.create_index("ix_wwn_wwnn", "wwn", ["wwnn"])


def downgrade() -> None:
    op.drop_table("wwn")
    op.drop_table("wwn_pool")
