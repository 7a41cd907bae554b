"""What both databases can do with many rows at once: the one interface of the two write paths.

Rows are tuples in the order of the target's columns: aware datetimes, bytes, and JSON as text already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, Table

Row = Sequence[object]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Columns of a table that are written together."""

    #: One word, its own for every target.
    name: str
    table: Table
    columns: tuple[str, ...]
    #: What tells its rows apart.
    key: tuple[str, ...] = ()
    #: Columns that a row keeps if it is there already.
    kept: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[str, ...]:
        """Columns that a row takes over if it is there already."""
        return tuple(name for name in self.columns if name not in self.key and name not in self.kept)


class Writer(Protocol):
    """One write path, on a connection with a transaction begun. Rows of one call have different keys, and those of
    updates stand in no other call."""

    def insert(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        """Rows that are not there yet."""

    def merge(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        """Rows that may be there: what is new comes in, of the others the changed columns."""

    def update(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        """Rows that are there, found by their key; written by `finish` at the latest."""

    def delete(self, connection: Connection, target: Target, rows: Sequence[Row]) -> None:
        """Whatever has one of these keys; the columns are the key."""

    def reserve(self, connection: Connection, count: int) -> Sequence[int]:
        """So many ids for things that nobody else has."""

    def finish(self, connection: Connection) -> None:
        """Comes last, and is the database's work alone: nothing but statements that have all they need there."""
