"""What survives a crash, a reboot and a Kafka outage: the published census, unsent events, numbered ones in flight.

One SQLite file, WAL, `synchronous=FULL`. *Taking* a run of the outbox numbers it, renders it and moves the published
census forward, all in one transaction; the command inbox (commands/inbox.py) lives in the same file. No network here.
"""

import json
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hwcensus import census_digest
from hwcensus.errors import HwcensusError
from hwcensus.event import Event
from hwcensus.instant import now, read_instant, write_instant
from hwcensus_agent.news import CHANGE, GAP, REMOVE, News, Sight, merged_kind
from hwcensus_agent.transaction import transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stream (number INTEGER PRIMARY KEY, stream TEXT NOT NULL UNIQUE, last_seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS published (
  identity TEXT PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL,
  xml BLOB NOT NULL, digest BLOB NOT NULL, state_hash BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, identity TEXT, bytes INTEGER NOT NULL,
  time TEXT NOT NULL, detail TEXT NOT NULL, name TEXT, key TEXT, path TEXT, xml BLOB, digest BLOB, state_hash BLOB
);
CREATE INDEX IF NOT EXISTS outbox_identity ON outbox (identity, number);
CREATE TABLE IF NOT EXISTS sending (
  number INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, seq INTEGER NOT NULL, headers TEXT NOT NULL,
  value BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS too_large (seq INTEGER, stream TEXT, value BLOB NOT NULL);
"""
_SIGHT = "identity, name, key, path, xml, digest, state_hash"
#: Streams remembered as our own past: commands live 7 days at most, and no host starts its agent this often in them.
_STREAMS_KEPT = 10_000
#: Share of the limit that merging must get the outbox below: it reads all of it, and must not be due again at once.
ROOM = 7 / 8


class SpoolError(HwcensusError):
    """the spool cannot be used"""

    code = "spool"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """One row of the outbox. `detail` holds what else the type needs."""

    number: int
    type: str
    time: datetime
    detail: dict[str, object]
    sight: Sight | None


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """One record as it goes to Kafka, the same bytes however often it is tried."""

    number: int
    #: A list, for aiokafka takes nothing else.
    headers: list[tuple[str, bytes]]
    value: bytes


class Spool:
    """The open spool. Everything blocks for as long as the disk does; use it from one thread."""

    def __init__(self, path: Path, *, limit: int, further_schema: str = "") -> None:
        """Opens or makes the file; `limit` is the most bytes of unsent events. Raises SpoolError."""
        self.path, self._limit = path, limit
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Made by us, for SQLite gives its -wal file the rights that this one has when it is opened.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            path.chmod(0o600)
            self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=FULL")
            self._bring_up()
            self.connection.executescript(_SCHEMA + further_schema)
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"{path}: {error}; choose another place with spool.path") from error
        self.count, self.digest, self.state_digest = self._sums()
        self.stream, self.seq = self._last_stream()
        self._bytes = self._outbox_bytes()
        #: Merging did not help, so adds and removes alone are too many: only dropping them does (`drop`).
        self.is_full = False

    def close(self) -> None:
        self.connection.close()

    def _bring_up(self) -> None:
        """A spool of before devices had a path beside their key gets one: they were the same."""
        for table in ("published", "outbox"):
            columns = [row[1] for row in self.connection.execute(f"PRAGMA table_info({table})")]
            if columns and "path" not in columns:
                self.connection.execute(f"ALTER TABLE {table} ADD COLUMN path TEXT NOT NULL DEFAULT ''")
                self.connection.execute(f"UPDATE {table} SET path = coalesce(key, '')")  # noqa: S608

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """All or nothing, on disk when it is left."""
        return transaction(self.connection)

    # --- what is remembered between starts

    def remembered(self, key: str) -> str | None:
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, key: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def knows_stream(self, stream: str) -> bool:
        """Whether a stream is one of our own past."""
        return self.connection.execute("SELECT 1 FROM stream WHERE stream = ?", (stream,)).fetchone() is not None

    def begin_stream(self, hello: Callable[[str | None, int], Event]) -> None:
        """Starts a new stream with its hello, which is made of what the last one was and how far it went."""
        former = (self.stream, self.seq)
        with self._numbering() as connection:
            self.stream, self.seq = uuid.uuid4().hex, 0
            connection.execute("INSERT INTO stream (stream, last_seq) VALUES (?, 0)", (self.stream,))
            connection.execute("DELETE FROM stream WHERE number <= last_insert_rowid() - ?", (_STREAMS_KEPT,))
            self._send([hello(*former)])

    # --- the census

    def published(self) -> Iterator[Sight]:
        """The census as last published, sorted by identity."""
        for row in self.connection.execute(f"SELECT {_SIGHT} FROM published ORDER BY identity"):  # noqa: S608
            yield Sight(**dict(zip(_SIGHT.split(", "), row, strict=True)))

    def published_one(self, identity: str) -> Sight | None:
        row = self.connection.execute(
            f"SELECT {_SIGHT} FROM published WHERE identity = ?",  # noqa: S608
            (identity,),
        ).fetchone()
        return None if row is None else Sight(**dict(zip(_SIGHT.split(", "), row, strict=True)))

    def told(self) -> dict[str, Sight]:
        """The census as it will be published when the outbox is empty."""
        census = {sight.identity: sight for sight in self.published()}
        for row in self._waiting("type IN ('add', 'change', 'remove')", -1):
            assert row.sight is not None
            if row.type == REMOVE:
                census.pop(row.sight.identity, None)
            else:
                census.pop(str(row.detail.get("was", "")), None)
                census[row.sight.identity] = row.sight
        return census

    # --- the outbox

    def put(self, news: Iterable[News]) -> None:
        """Adds events about devices to the outbox, in one transaction."""
        with self.transaction():
            for one in news:
                detail = {
                    "source": one.source, "kind": one.kind, "changed": list(one.changed), "was": one.was,
                    "command": one.command, "stands_for": one.stands_for,
                }  # fmt: skip
                self._insert(one.type, one.time, {k: v for k, v in detail.items() if v}, one.sight)
        if self._bytes > self._limit:
            self._merge()
            self.is_full = self._bytes > self._limit * ROOM

    def put_other(self, type_: str, detail: dict[str, object]) -> None:
        """Adds a present, manifest, gap or result, rendered when it is taken."""
        with self.transaction():
            self.put_in_transaction(type_, detail)

    def put_gap(self, source: str, reason: str, since: datetime, until: datetime) -> None:
        """Adds a gap; one that only goes on where the last event of the outbox ended becomes part of it."""
        detail: dict[str, object] = {"source": source, "reason": reason, "to": write_instant(until)}
        with self.transaction() as connection:
            last = next(self._waiting("number = (SELECT max(number) FROM outbox)", 1), None)
            if last is None or (last.type, last.detail.get("source"), last.detail.get("reason")) != (
                GAP,
                source,
                reason,
            ):
                self.put_in_transaction(GAP, detail | {"from": write_instant(since)})
            else:
                longer = json.dumps(last.detail | detail)
                connection.execute("UPDATE outbox SET detail = ? WHERE number = ?", (longer, last.number))

    def put_in_transaction(self, type_: str, detail: dict[str, object]) -> None:
        """The same inside a transaction that somebody else has begun."""
        self._insert(type_, now(), detail, None)

    def _insert(self, type_: str, time: datetime, detail: dict[str, object], sight: Sight | None) -> None:
        size = 200 + (0 if sight is None else len(sight.xml))
        fields = (None,) * 6 if sight is None else (
            sight.name, sight.key, sight.path, sight.xml, sight.digest, sight.state_hash
        )  # fmt: skip
        self.connection.execute(
            "INSERT INTO outbox (type, identity, bytes, time, detail, name, key, path, xml, digest, state_hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (type_, sight and sight.identity, size, write_instant(time), json.dumps(detail), *fields),
        )
        self._bytes += size

    def waiting(self) -> int:
        """Events that Kafka has not acknowledged, numbered or not."""
        query = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM sending)"
        return int(self.connection.execute(query).fetchone()[0])

    def drop(self) -> datetime | None:
        """Empties the outbox; tells since when events are lost by it."""
        first = self.connection.execute("SELECT min(time) FROM outbox").fetchone()[0]
        with self.transaction() as connection:
            connection.execute("DELETE FROM outbox WHERE type IN ('add', 'change', 'remove')")
        self._bytes, self.is_full = self._outbox_bytes(), False
        return None if first is None else read_instant(first)

    def _merge(self) -> None:
        """Keeps of a device's unsent changes between an add and a remove only the last, with their count."""
        runs: list[list[tuple[int, dict[str, object]]]] = []
        open_runs: dict[str, list[tuple[int, dict[str, object]]]] = {}
        rows = "SELECT number, type, identity, detail FROM outbox WHERE identity IS NOT NULL ORDER BY number"
        for number, type_, identity, written in self.connection.execute(rows):
            detail = json.loads(written)
            if type_ != CHANGE or "was" in detail or "command" in detail:
                open_runs.pop(identity, None)
                continue
            if identity not in open_runs:
                runs.append(open_runs.setdefault(identity, []))
            open_runs[identity].append((number, detail))
        with self.transaction() as connection:
            for run in runs:
                *others, last = (number for number, _ in run)
                if others:
                    together = json.dumps(_together([detail for _, detail in run]))
                    connection.execute("UPDATE outbox SET detail = ? WHERE number = ?", (together, last))
                    connection.executemany("DELETE FROM outbox WHERE number = ?", [(number,) for number in others])
        self._bytes = self._outbox_bytes()

    def _waiting(self, where: str, limit: int) -> Iterator[Waiting]:
        query = (
            f"SELECT number, type, time, detail, {_SIGHT} FROM outbox"  # noqa: S608
            f" WHERE {where} ORDER BY number LIMIT ?"
        )
        for number, type_, time, detail, *sight in self.connection.execute(query, (limit,)).fetchall():
            yield Waiting(
                number=number,
                type=type_,
                time=read_instant(time),
                detail=json.loads(detail),
                sight=Sight(**dict(zip(_SIGHT.split(", "), sight, strict=True))) if sight[4] is not None else None,
            )

    # --- what is numbered and in flight

    def next_rows(self, limit: int) -> list[Waiting]:
        """The next rows of the outbox, oldest first."""
        return list(self._waiting("1", limit))

    def take(self, rows: list[Waiting], render: Callable[[Waiting, int], list[Event]]) -> None:
        """Numbers rows, renders them and moves the published census forward, in one transaction.

        `render` gets a row and the next seq, sees the published census as it was before that row, and gives the
        events that the row makes, numbered from that seq.
        """
        with self._numbering() as connection:
            for row in rows:
                self._send(render(row, self.seq + 1))
                self._publish(row)
            connection.executemany("DELETE FROM outbox WHERE number = ?", [(row.number,) for row in rows])
        self._bytes = self._outbox_bytes()

    @contextmanager
    def _numbering(self) -> Iterator[sqlite3.Connection]:
        """A transaction that gives numbers: what is remembered here goes back with it."""
        before = (self.stream, self.seq, self.count, self.digest, self.state_digest)
        try:
            with self.transaction() as connection:
                yield connection
                connection.execute("UPDATE stream SET last_seq = ? WHERE stream = ?", (self.seq, self.stream))
                self.remember("alive", write_instant(now()))
        except BaseException:
            self.stream, self.seq, self.count, self.digest, self.state_digest = before
            raise

    def _send(self, events: list[Event]) -> None:
        for event in events:
            self.connection.execute(
                "INSERT INTO sending (stream, seq, headers, value) VALUES (?, ?, ?, ?)",
                (self.stream, self.seq + 1, _write_headers(event.headers()), event.to_bytes()),
            )
            self.seq += 1

    def _publish(self, row: Waiting) -> None:
        sight = row.sight
        if sight is None:
            return
        former = self.published_one(str(row.detail.get("was", sight.identity)))
        if former is not None:
            self._count(former, -1)
            self.connection.execute("DELETE FROM published WHERE identity = ?", (former.identity,))
        if row.type != REMOVE:
            self._count(sight, 1)
            self.connection.execute(
                f"INSERT INTO published ({_SIGHT}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                (sight.identity, sight.name, sight.key, sight.path, sight.xml, sight.digest, sight.state_hash),
            )

    def _count(self, sight: Sight, sign: int) -> None:
        self.count += sign
        self.digest = census_digest.add(self.digest, sign * census_digest.term(sight.identity, sight.digest))
        self.state_digest = census_digest.add(
            self.state_digest, sign * census_digest.term(sight.identity, sight.state_hash)
        )

    def sending(self) -> list[Numbered]:
        """What was numbered and is not acknowledged, in order."""
        rows = self.connection.execute("SELECT number, headers, value FROM sending ORDER BY number")
        return [Numbered(number=n, headers=_read_headers(h), value=v) for n, h, v in rows]

    def acknowledged(self, records: Iterable[Numbered]) -> None:
        with self.transaction() as connection:
            connection.executemany("DELETE FROM sending WHERE number = ?", [(r.number,) for r in records])

    def set_aside(self, record: Numbered) -> None:
        """Keeps a record that the broker will never take out of the way of the others."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO too_large SELECT seq, stream, value FROM sending WHERE number = ?", (record.number,)
            )
            connection.execute("DELETE FROM sending WHERE number = ?", (record.number,))

    def _sums(self) -> tuple[int, int, int]:
        rows = self.connection.execute("SELECT identity, digest, state_hash FROM published").fetchall()
        return (
            len(rows),
            census_digest.total((identity, digest) for identity, digest, _ in rows),
            census_digest.total((identity, state) for identity, _, state in rows),
        )

    def _last_stream(self) -> tuple[str | None, int]:
        row = self.connection.execute("SELECT stream, last_seq FROM stream ORDER BY number DESC LIMIT 1").fetchone()
        return (None, 0) if row is None else (str(row[0]), int(row[1]))

    def _outbox_bytes(self) -> int:
        return int(self.connection.execute("SELECT coalesce(sum(bytes), 0) FROM outbox").fetchone()[0])


def _together(details: list[dict[str, object]]) -> dict[str, object]:
    """The last of several changes, saying for how many it stands and everything that differs."""
    changed = sorted({str(path) for detail in details for path in _list(detail.get("changed"))})
    stands = sum(int(str(detail.get("stands_for", 1))) for detail in details)
    kind = merged_kind(str(detail.get("kind")) for detail in details)
    return details[-1] | {"changed": changed, "stands_for": stands, "kind": kind}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _write_headers(headers: Iterable[tuple[str, bytes]]) -> str:
    return json.dumps([[name, value.decode()] for name, value in headers])


def _read_headers(text: str) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in json.loads(text)]
