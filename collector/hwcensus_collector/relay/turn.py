"""One relay at a time: whoever holds the turn sends, all others wait for it.

On PostgreSQL it is a session's advisory lock, and the relay writes through that very session: a relay that lost the
lock cannot claim anything any more. On SQLite there is one collector process.
"""

from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, text

#: Any number, the same in all our programs.
_RELAY_LOCK = 0x68776372


class Turn:
    """`with Turn(engine) as turn`; `turn.take()` asks for it, `turn.connection` writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.give_up()

    @property
    def connection(self) -> Connection:
        """Only while the turn is held. Transactions on it hold SQLite's write lock from their beginning."""
        assert self._connection is not None, "the turn is not held"
        return self._connection

    @property
    def held(self) -> bool:
        return self._connection is not None

    def take(self) -> bool:
        """Whether the turn is ours; asks for it where it is not. Raises SQLAlchemyError."""
        if self._connection is not None:
            return True
        connection = self._engine.connect().execution_options(hwcensus_begin="BEGIN IMMEDIATE")
        try:
            held = self._lock(connection)
        except BaseException:
            connection.close()
            raise
        if held:
            self._connection = connection
        else:
            connection.close()
        return held

    def give_up(self) -> None:
        """Lets another have it. The session ends with it, and the lock with the session."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _lock(self, connection: Connection) -> bool:
        if connection.dialect.name != "postgresql":
            return True
        with connection.begin():
            return bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _RELAY_LOCK}).scalar())
