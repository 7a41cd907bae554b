"""Alembic's environment: revisions run on the connection that the caller gives, inside its transaction.

There is no offline mode and no configuration file: `hwcensus-collector db upgrade` is the door.
"""

from alembic import context
from sqlalchemy import Connection

connection = context.config.attributes["connection"]
assert isinstance(connection, Connection)
# SQLite can roll DDL back as well, where the driver does not commit behind our back: the caller saw to that.
context.configure(connection=connection, transactional_ddl=True)
context.run_migrations()
