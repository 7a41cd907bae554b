"""What a WWPN was before it was reserved: it goes back to that where nothing is made, with the host whose it was."""

from alembic import op
from sqlalchemy import JSON, Column
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("wwn", Column("former", JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")))


def downgrade() -> None:
    op.drop_column("wwn", "former")
