"""One transaction a batch, and the order of things in it.

First the offsets are compared and set, so that whoever lost a partition writes nothing. Then the rows. The feed's
positions come last: its one row stays locked until COMMIT, so that positions become visible in their order. What takes
the database longest is left to `Writer.finish`, when the hosts in memory are not looked at any more.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from hwcensus.errors import HwcensusError
from hwcensus.event import Result
from hwcensus_collector import tables
from hwcensus_collector.audit import audit
from hwcensus_collector.ingest.step import Stretch
from hwcensus_collector.relay.results import ResultStep, record_results
from hwcensus_collector.store import rows
from hwcensus_collector.store.batch import TRANSITIONS_KEPT, Batch, Offset, Sight
from hwcensus_collector.store.postgresql import PostgresqlWriter
from hwcensus_collector.store.sqlite import SqliteWriter
from hwcensus_collector.store.tracked import Thing, Tracked
from hwcensus_collector.store.writer import Row, Writer


class OffsetLost(HwcensusError):
    """another process has folded this partition in the meantime"""

    code = "offset-lost"

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(f"{topic}/{partition}: its position in SQL is not what we left there")
        self.topic, self.partition = topic, partition


class HostsChanged(HwcensusError):
    """somebody else has written hosts that we have in memory"""

    code = "hosts-changed"


def writer_of(connection: Connection) -> Writer:
    """The write path of a connection's database."""
    return PostgresqlWriter() if connection.dialect.name == "postgresql" else SqliteWriter()


def write(connection: Connection, batch: Batch) -> Writer:
    """All of the batch but what the writer still has to finish. Raises OffsetLost and HostsChanged; then nothing may
    be committed, and all that took part in memory is void."""
    writer = writer_of(connection)
    for offset in sorted(batch.offsets, key=lambda one: (one.topic, one.partition)):
        _compare_and_set(connection, offset)
    dirty = [tracked for _, tracked in sorted(batch.hosts.items()) if tracked.row() != tracked.written]
    _lock(connection, dirty)
    _write_letters(connection, batch)
    writer.merge(connection, rows.DOCUMENT, sorted(batch.documents.items()))
    new = _number_things(connection, writer, batch)
    _write_marks(connection, writer, batch, new)
    _write_hosts(connection, writer, batch, dirty)
    _write_coverage(connection, batch)
    _write_transitions(connection, batch)
    record_results(connection, [_result(event, at) for event, at in batch.results])
    for deed in batch.deeds:
        audit(connection, deed)
    _write_history(connection, writer, batch, new)
    return writer


def _compare_and_set(connection: Connection, offset: Offset) -> None:
    table = tables.kafka_offset
    here = (table.c.topic == offset.topic) & (table.c.partition == offset.partition)
    if offset.expected is None:
        found = connection.execute(select(table.c.next).where(here)).first()
        if found is not None:
            raise OffsetLost(offset.topic, offset.partition)
        connection.execute(
            insert(table).values(
                topic=offset.topic, partition=offset.partition, next=offset.next, fingerprint=offset.fingerprint
            )
        )
        return
    done = connection.execute(
        update(table)
        .where(here, table.c.next == offset.expected)
        .values(next=offset.next, fingerprint=offset.fingerprint)
    )
    if done.rowcount != 1:
        raise OffsetLost(offset.topic, offset.partition)


def _lock(connection: Connection, dirty: Sequence[Tracked]) -> None:
    """Holds the hosts' rows, and makes sure that they are what we loaded or wrote last."""
    table = tables.host
    known = {tracked.state.id: tracked.revision for tracked in dirty}
    found = connection.execute(
        select(table.c.id, table.c.revision).where(table.c.id.in_(known)).order_by(table.c.id).with_for_update()
    )
    revisions = {row.id: row.revision for row in found}
    if {host: revision for host, revision in known.items() if revision} != revisions:
        raise HostsChanged
    for tracked in dirty:
        tracked.revision += 1


def _write_letters(connection: Connection, batch: Batch) -> None:
    if batch.letters:
        connection.execute(
            insert(tables.dead_letter),
            [
                {
                    "topic": letter.topic,
                    "partition": letter.partition,
                    "offset": letter.offset,
                    "at": letter.at,
                    "host": letter.headers.get("host"),
                    "headers": letter.headers,
                    "value": letter.value,
                    "code": letter.code,
                    "reason": letter.reason,
                }
                for letter in batch.letters
            ],
        )


def _number_things(connection: Connection, writer: Writer, batch: Batch) -> set[Thing]:
    """The things that are new; they have ids now."""
    new = list(batch.new_things())
    if new:
        for thing, number in zip(new, writer.reserve(connection, len(new)), strict=True):
            thing.id = number
    return set(new)


def _write_marks(connection: Connection, writer: Writer, batch: Batch, new: set[Thing]) -> None:
    """What things are looked up by, only of those whose names, capabilities or identifiers have changed."""
    named: list[Row] = []
    capabilities: list[Row] = []
    identifiers: list[Row] = []
    for thing, sight in batch.things.items():
        if sight.reading is None:
            continue
        survey, names = sight.reading.survey, rows.named_row(thing, sight.reading)
        types, values = rows.capabilities(survey), rows.identifiers(survey)
        marks = rows.marks(names[1:], types, values)
        if marks != thing.marks:
            thing.marks = marks
            capabilities.extend((thing.id, type_) for type_ in types)
            identifiers.extend((thing.id, *value) for value in values)
            if thing not in new:
                named.append(names)
    known = [(row[0],) for row in named]
    writer.delete(connection, rows.CAPABILITY_GONE, known)
    writer.delete(connection, rows.IDENTIFIER_GONE, known)
    writer.insert(connection, rows.CAPABILITY, capabilities)
    writer.insert(connection, rows.IDENTIFIER, identifiers)
    writer.update(connection, rows.DEVICE_NAMED, named)


def _write_hosts(connection: Connection, writer: Writer, batch: Batch, dirty: Sequence[Tracked]) -> None:
    _restart_resync(connection, dirty)
    _write_refused(connection, dirty)
    writer.merge(connection, rows.HOST, [rows.host_row(tracked) for tracked in dirty])
    for tracked in dirty:
        tracked.written = tracked.row()
    streams = sorted(batch.streams.items())
    writer.merge(
        connection,
        rows.STREAM,
        [(*key, row.first_seq, row.last_seq, row.begun_at, row.left_at) for key, row in streams],
    )
    heard = {host: tracked.state.place.heard_at for host, tracked in sorted(batch.hosts.items())}
    writer.merge(
        connection,
        rows.HEARD,
        [(host, at) for host, at in heard.items() if at is not None and host not in batch.beats],
    )
    beats = sorted(batch.beats.items())
    writer.merge(connection, rows.BEAT, [(host, heard[host], beat.spool, beat.rss, beat.cpu) for host, beat in beats])


def _restart_resync(connection: Connection, dirty: Sequence[Tracked]) -> None:
    """What the relay noted about asking belongs to the former question."""
    others = [
        tracked.state.id
        for tracked in dirty
        if tracked.written is not None and tracked.written.healing.wanted != tracked.state.healing.wanted
    ]
    if others:
        connection.execute(
            update(tables.host)
            .where(tables.host.c.id.in_(others))
            .values(resync_command=None, resync_sent_at=None, resync_attempts=0)
        )


def _write_refused(connection: Connection, dirty: Sequence[Tracked]) -> None:
    table = tables.refused
    for tracked in dirty:
        refused = tracked.state.healing.refused
        if refused != (tracked.written.healing.refused if tracked.written is not None else {}):
            connection.execute(delete(table).where(table.c.host == tracked.state.id))
            if refused:
                connection.execute(
                    insert(table),
                    [
                        {"host": tracked.state.id, "identity": identity, "digest": digest}
                        for identity, digest in refused.items()
                    ],
                )


def _write_coverage(connection: Connection, batch: Batch) -> None:
    for host, stretches in batch.stretches.items():
        for stretch in stretches:
            _write_stretch(connection, host, stretch)


def _write_stretch(connection: Connection, host: str, stretch: Stretch) -> None:
    table = tables.coverage
    if stretch.begins:
        connection.execute(insert(table).values(host=host, began_at=stretch.at, began=stretch.reason))
        return
    connection.execute(
        update(table)
        .where(table.c.host == host, table.c.ended_at.is_(None))
        .values(ended_at=stretch.at, ended=stretch.reason)
    )


def _write_transitions(connection: Connection, batch: Batch) -> None:
    table = tables.state_change
    if not batch.transitions:
        return
    connection.execute(
        insert(table),
        [
            {"device": thing.id, "at": one.at, "path": one.path, "old": one.old, "new": one.new}
            for thing, transitions in batch.transitions.items()
            for one in transitions
        ],
    )
    others = table.alias()
    oldest = (
        select(others.c.id)
        .where(others.c.device == bindparam("thing"))
        .order_by(others.c.id.desc())
        .offset(TRANSITIONS_KEPT)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(
        delete(table).where(table.c.device == bindparam("thing"), table.c.id <= oldest),
        [{"thing": thing.id} for thing in batch.transitions],
    )


def _result(event: Result, at: datetime) -> ResultStep:
    return ResultStep(
        command=event.command,
        host=event.host,
        state=event.state,
        at=at,
        code=event.code,
        text=event.text,
        produced=event.produced,
    )


def _write_history(connection: Connection, writer: Writer, batch: Batch, new: set[Thing]) -> None:
    """Versions under the feed's next positions, the ones that they end, and the things as they are now."""
    for thing, identity in batch.moved:
        # One by one, in order: an identity may be free only since the last one left it.
        connection.execute(update(tables.device).where(tables.device.c.id == thing.id).values(identity=identity))
    closed = [(thing.version, at) for thing, at in batch.closed.items()]
    if batch.versions:
        first = _advance(connection, len(batch.versions))
        for feed, version in enumerate(batch.versions, first):
            version.thing.version = feed
        writer.insert(connection, rows.VERSION, list(rows.version_rows(batch, first)))
        writer.update(connection, rows.VERSION_CLOSED, closed)
    _write_things(connection, writer, batch.things, new)


def _advance(connection: Connection, count: int) -> int:
    """The first of so many positions of the feed. Whoever comes next waits for our COMMIT."""
    table = tables.feed
    last: int = connection.execute(
        update(table).where(table.c.id == 1).values(position=table.c.position + count).returning(table.c.position)
    ).scalar_one()
    return last - count + 1


def _write_things(connection: Connection, writer: Writer, things: dict[Thing, Sight], new: set[Thing]) -> None:
    begun: list[Row] = []
    told: list[Row] = []
    gone: list[Row] = []
    for thing, sight in things.items():
        if sight.reading is None:
            gone.append(rows.gone_row(thing, sight))
        elif thing in new:
            begun.append(rows.new_row(thing, sight, sight.reading))
        else:
            told.append(rows.told_row(thing, sight, sight.reading))
    writer.insert(connection, rows.DEVICE, begun)
    writer.update(connection, rows.DEVICE_TOLD, told)
    writer.update(connection, rows.DEVICE_GONE, gone)
