"""Connections to the inventory's database, SQLite or PostgreSQL, and its schema's revision.

It knows no table: those are in `tables.py`, and how they came to be is in `migrations/`.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

import hwcensus_migrations
from hwcensus.errors import ConfigError, HwcensusError, Unreachable

#: Seconds that a statement waits for another's lock, runs at most, and that a transaction may lie idle.
LOCK_SECONDS, STATEMENT_SECONDS, IDLE_SECONDS = 10, 120, 60
#: Seconds that PostgreSQL may take to answer at first, unless the URL has a `connect_timeout`.
CONNECT_SECONDS = 10
#: Any number, the same in all our programs: whoever migrates holds it.
MIGRATION_LOCK = 0x68776365


class SchemaOutdated(HwcensusError):
    """the database has another schema than this program"""

    code = "schema-outdated"


def open_engine(url: str) -> Engine:
    """The engine of a SQLAlchemy URL, `sqlite:///FILE` or `postgresql://…`; nothing is opened yet.

    A plain `engine.begin()` is fine for reading and for writes that read nothing first; whoever reads, then writes
    takes `writing(engine)`. Raises ConfigError for a URL that is none of the two.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("database.url: must be like sqlite:////var/lib/x.sqlite or postgresql://host/name") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed)
    if backend == "postgresql":
        return _open_postgresql(parsed)
    raise ConfigError(f"database.url: {backend} is not one of sqlite and postgresql")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may read, then write: on SQLite it holds the one write lock from its beginning.

    (A reader that turns writer there fails at once when somebody else wrote in between.) What the driver raises by
    itself, in COPY and executemany, comes as SQLAlchemy's errors too.
    """
    driver = engine.dialect.loaded_dbapi
    try:
        with engine.connect().execution_options(hwcensus_begin="BEGIN IMMEDIATE") as connection, connection.begin():
            yield connection
    except driver.Error as error:
        raise DBAPIError.instance(None, None, error, driver.Error, dialect=engine.dialect) from error


def is_away(error: Exception) -> bool:
    """Whether the database works for nobody just now (gone, full, locked), whatever was asked of it."""
    return isinstance(error, OperationalError | InterfaceError) and not _is_too_large(error)


def failure(error: DBAPIError) -> HwcensusError:
    """What a person is told in one line."""
    why = (str(error.orig).splitlines() or [type(error).__name__])[0]
    if is_away(error):
        return Unreachable(f"the database does not answer ({why}); check database.url")
    return HwcensusError(f"the database does not do it: {why}", code="database")


def is_beyond(error: Exception) -> bool:
    """Whether the database has refused values as such: too long, too large, of the wrong form."""
    return isinstance(error, DataError) or _is_too_large(error)


def _is_too_large(error: Exception) -> bool:
    # Class 54 of PostgreSQL's codes: above one of its own limits, such as an index entry's 2704 bytes.
    return isinstance(error, DBAPIError) and str(getattr(error.orig, "sqlstate", "")).startswith("54")


def _open_sqlite(url: URL) -> Engine:
    engine = create_engine(url.set(drivername="sqlite"))
    path = Path(url.database or ":memory:")

    @event.listens_for(engine, "do_connect")
    def create(*_: object) -> None:
        # Only we may read it; SQLite gives its side files the same mode.
        try:
            if str(path) != ":memory:" and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise ConfigError(f"database.url: {path} cannot be made ({error.strerror})") from error

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # Our own BEGIN below, instead of the one that Python's module slips in before writes only.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", f"busy_timeout={LOCK_SECONDS * 1000}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("hwcensus_begin", "BEGIN"))

    return engine


def _open_postgresql(url: URL) -> Engine:
    limits = {
        "lock_timeout": f"{LOCK_SECONDS}s",
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        "timezone": "UTC",
    }
    options = " ".join(f"-c {name}={value}" for name, value in limits.items())
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"options": options, "application_name": "hwcensus-collector"},
        pool_pre_ping=True,
    )


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Brings the schema up to a revision; several programs may ask at the same time."""
    _migrate(engine, command.upgrade, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Takes the schema back to a revision, or to `base`: nothing."""
    _migrate(engine, command.downgrade, revision)


def head_revision() -> str | None:
    """The newest revision that this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current_revision(engine: Engine) -> str | None:
    """The revision of the database; None where it is empty."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_head(engine: Engine) -> None:
    """Raises SchemaOutdated unless the database has exactly our schema."""
    ours, theirs = head_revision(), current_revision(engine)
    if ours != theirs:
        raise SchemaOutdated(
            f"the database's schema is {theirs or 'empty'}, this program's is {ours}: run hwcensus-collector db upgrade"
        )


def without_password(url: str) -> str:
    """The URL as it may stand in a log."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(hwcensus_migrations.__file__).parent).replace("%", "%%"))
    return config


def _migrate(engine: Engine, step: Callable[[Config, str], None], revision: str) -> None:
    config = _config()
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config.attributes["connection"] = connection
        step(config, revision)
