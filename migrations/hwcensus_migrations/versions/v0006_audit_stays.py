"""The audit only grows: the database refuses to change or delete what is in it."""

from alembic import op

revision = "0006"
down_revision = "0005"

SAID = "the audit stays as it was written"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"""
            CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              RAISE check_violation USING MESSAGE = '{SAID}';
            END $$
            """
        )
        op.execute(
            "CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()"
        )
        return
    for word in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER audit_stays_{word} BEFORE {word.upper()} ON audit BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_stays ON audit")
        op.execute("DROP FUNCTION audit_stays()")
    else:
        op.execute("DROP TRIGGER audit_stays_update")
        op.execute("DROP TRIGGER audit_stays_delete")
