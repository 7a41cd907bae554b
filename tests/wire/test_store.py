"""The write path on both databases: what the fold gives out is what SQL holds, however it is cut into batches."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sql

from hwcensus.event import Change, Event, Produced, Result
from hwcensus_collector import database, tables
from hwcensus_collector.ingest.fold import fold
from hwcensus_collector.ingest.intake import Entry, Intake, Positions
from hwcensus_collector.ingest.reconcile import wanted_devices
from hwcensus_collector.ingest.record import Record, of_event
from hwcensus_collector.ingest.state import HostState
from hwcensus_collector.ingest.step import Version
from hwcensus_collector.store.check import check
from hwcensus_collector.store.load import load, read_offset
from hwcensus_collector.store.write import OffsetLost
from tests.fixtures.simulated_host import Nic, SimulatedHost

OFFLINE = 600.0


def new_intake(engine: sql.Engine, cached_hosts: int = 100) -> Intake:
    return Intake(engine, offline_after=OFFLINE, cached_hosts=cached_hosts)


def entry(event: Event | Record) -> Entry:
    record = event if isinstance(event, Record) else of_event(event, event.time)
    return Entry(message=None, at=record.at, record=record, letter=None)


def take(intake: Intake, *events: Event | Record) -> None:
    intake.take([entry(event) for event in events], {})


def rows(engine: sql.Engine, query: sql.Select[Any]) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(query))


def column(engine: sql.Engine, query: sql.Select[Any]) -> list[Any]:
    return [row[0] for row in rows(engine, query)]


@dataclass
class Message:
    """What comes out of Kafka, as far as we look at it."""

    offset: int
    value: bytes | None = b"<event/>"
    partition: int = 0
    topic: str = "events"
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int = 0


class Story:
    """A random life of one host with losses, copies, broken records, clones and healing; and its fold in memory."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.host = SimulatedHost(macs=("52:54:00:00:00:01",))
        self.clone = SimulatedHost(self.host.host, name="clone", macs=("52:54:00:00:00:02",))
        self.state = HostState(id=self.host.host)
        self.versions: list[Version] = []
        self.records: list[Record] = []
        self.now = self.host.clock

    def tell(self, chapters: int) -> None:
        self._arrive(self.host.hello())
        for _ in range(chapters):
            for event in self._happens():
                self._arrive(event)
            self._arrive(self.host.heartbeat())
            if self.state.healing.wanted is not None and self.state.conflict is None:
                for event in self.host.answer(self.state.healing.wanted, wanted_devices(self.state)):
                    self._arrive(event)

    def _happens(self) -> list[Event]:  # noqa: PLR0911 (one a case)
        number, host = self.random.randrange(6), self.host
        there = Nic(number).identity in host.devices
        match self.random.randrange(14):
            case 0:
                return [host.hello()]
            case 1 if there:
                return [host.remove(number)]
            case 2 | 3 if there:
                return [host.change_link(number, self.random.choice(["up", "down"]))]
            case 4 if there and Nic(number + 10).identity not in host.devices:
                nic = host.devices.pop(Nic(number).identity)
                return [host.change(replace(nic, number=number + 10), was=nic.identity)]
            case 5:
                return list(host.manifest(self.random.randint(1, 3)))
            case 6:
                return [self.clone.hello()]
            case 7 if self.clone.stream:
                return [self.clone.add(Nic(number))]
            case 8:
                self.now += timedelta(seconds=self.random.choice([1, 1000]))
                return []
            case _ if there:
                return [host.change_facts(number, self.random.choice(["igb", "ixgbe", "e1000e"]))]
            case _:
                return [host.add(Nic(number))]

    def _arrive(self, event: Event) -> None:
        self.now += timedelta(seconds=1)
        record = of_event(event, self.now)
        match self.random.randrange(20):
            case 0:
                return
            case 1 if record.seq is not None:
                record = record._replace(event=None, reading=None)
            case 2:
                self._fold(record)
        self._fold(record)

    def _fold(self, record: Record) -> None:
        self.records.append(record)
        step = fold(self.state, record, timedelta(seconds=OFFLINE))
        self.versions.extend(step.versions)
        self.state.take(step)


def without_parts(state: HostState) -> HostState:
    """Parts of a manifest that is not whole yet are the one thing that is not stored."""
    return replace(state, healing=replace(state.healing, parts=()))


@pytest.mark.parametrize("seed", range(6))
def test_sql_holds_what_the_fold_gave_out(engine: sql.Engine, seed: int) -> None:
    random = Random(seed)
    stories = [Story(random), Story(random)]
    for story in stories:
        story.tell(60)
    intake = new_intake(engine, cached_hosts=random.choice([1, 100]))
    waiting = [list(story.records) for story in stories]
    while any(waiting):
        batch = [records.pop(0) for records in waiting for _ in range(min(len(records), random.randrange(30)))]
        take(intake, *batch)
    with engine.connect() as connection:
        loaded = load(connection, [story.host.host for story in stories], datetime.now(UTC))
    for story in stories:
        assert without_parts(loaded[story.host.host].state) == without_parts(story.state)
        assert history(engine, story.host.host) == [
            (one.kind, one.valid_from, one.digest, one.name, one.cause) for one in story.versions
        ]
    assert list(check(engine)) == []


def history(engine: sql.Engine, host: str) -> list[tuple[object, ...]]:
    """In the order of the feed; each version ends where the next of its device begins, and the last does not end."""
    version = tables.device_version
    found = rows(engine, sql.select(version).where(version.c.host == host).order_by(version.c.feed))
    current: dict[int, Any] = {}
    for row in found:
        if row.device in current:
            assert current[row.device].valid_to == row.valid_from
        current[row.device] = row
    assert [row.valid_to for row in current.values()] == [None] * len(current)
    return [(row.kind, row.valid_from, row.digest, row.name, row.cause) for row in found]


def test_a_batch_of_many_records_is_as_good_as_many_batches(engine: sql.Engine) -> None:
    host = SimulatedHost()
    take(new_intake(engine), host.hello(), *(host.add(Nic(number)) for number in range(300)))
    take(new_intake(engine), *(host.change_facts(number % 300, f"driver{number}") for number in range(900)))
    take(new_intake(engine), host.heartbeat())
    assert column(engine, sql.select(tables.host.c.resync_wanted)) == [None]
    assert column(engine, sql.select(tables.device_version.c.feed).order_by(tables.device_version.c.feed)) == list(
        range(1, 1201)
    )
    assert column(engine, sql.select(tables.feed.c.position)) == [1200]
    assert list(check(engine)) == []


def test_equal_documents_are_stored_once(engine: sql.Engine) -> None:
    one, other = SimulatedHost(), SimulatedHost()
    for host in (one, other):
        take(new_intake(engine), host.hello(), host.add(Nic(0)))
    assert len(rows(engine, sql.select(tables.document))) == 1


def test_a_device_row_says_what_the_document_says(engine: sql.Engine) -> None:
    host = SimulatedHost()
    take(new_intake(engine), host.hello(), host.add(Nic(1, link="down")))
    (device,) = rows(engine, sql.select(tables.device))
    assert (device.name, device.parent, device.driver, device.present) == ("net_eth1", "computer", "e1000e", True)
    assert device.facts["net.address"] == "52:54:00:00:00:01"
    assert device.state == {"net.link": "down"}
    assert b"<state" in device.xml
    assert device.key == "/sys/devices/pci0000:00/net/eth1"
    assert sorted(column(engine, sql.select(tables.capability.c.type))) == ["80203", "net"]
    assert [tuple(row)[1:] for row in rows(engine, sql.select(tables.identifier))] == [
        ("mac", "52:54:00:00:00:01", True)
    ]


def test_identifiers_follow_the_document(engine: sql.Engine) -> None:
    host, intake = SimulatedHost(), new_intake(engine)
    take(intake, host.hello(), host.add(Nic(1)))
    nic = host.devices.pop(Nic(1).identity)
    take(intake, host.change(replace(nic, number=2), was=nic.identity))
    assert column(engine, sql.select(tables.identifier.c.value)) == ["52:54:00:00:00:02"]
    assert rows(engine, sql.select(tables.device.c.id, tables.device.c.identity)) == [(1, Nic(2).identity)]


def test_identities_may_change_in_a_circle_within_a_batch(engine: sql.Engine) -> None:
    host, intake = SimulatedHost(), new_intake(engine)
    take(intake, host.hello(), host.add(Nic(1)), host.add(Nic(2)))
    one, two = host.devices.pop(Nic(1).identity), host.devices.pop(Nic(2).identity)
    take(
        intake,
        host.change(replace(one, number=3), was=Nic(1).identity),
        host.change(replace(two, number=1), was=Nic(2).identity),
        host.change(replace(one, number=2), was=Nic(3).identity),
        host.add(Nic(3)),
    )
    found = rows(engine, sql.select(tables.device.c.identity, tables.device.c.id).order_by(tables.device.c.id))
    assert [row.identity for row in found] == [Nic(2).identity, Nic(1).identity, Nic(3).identity]
    assert list(check(engine)) == []


def test_the_last_fifty_transitions_are_kept(engine: sql.Engine) -> None:
    host, intake = SimulatedHost(), new_intake(engine)
    take(intake, host.hello(), host.add(Nic(1)))
    for _ in range(3):
        take(intake, *(host.change_link(1, link) for _ in range(15) for link in ("down", "up")))
    kept = rows(engine, sql.select(tables.state_change).order_by(tables.state_change.c.id))
    assert len(kept) == 50
    assert (kept[-1].old, kept[-1].new, kept[-1].at) == ("down", "up", host.clock)


def test_a_removed_device_keeps_its_row_and_returns_to_it(engine: sql.Engine) -> None:
    host, intake = SimulatedHost(), new_intake(engine)
    take(intake, host.hello(), host.add(Nic(1)))
    take(intake, host.remove(1))
    assert rows(engine, sql.select(tables.device.c.id, tables.device.c.present)) == [(1, False)]
    take(intake, host.add(Nic(1)))
    assert rows(engine, sql.select(tables.device.c.id, tables.device.c.present)) == [(1, True)]
    assert [kind for kind, *_ in history(engine, host.host)] == ["add", "remove", "add"]
    take(intake, host.change_facts(1, "igb"), host.remove(1))
    (device,) = rows(engine, sql.select(tables.device))
    assert (device.present, device.driver) == (False, "igb")
    assert list(check(engine)) == []


def test_what_the_relay_noted_ends_with_what_was_wanted(engine: sql.Engine) -> None:
    host, intake = SimulatedHost(), new_intake(engine)
    take(intake, host.hello())
    host.add(Nic(1))
    take(intake, host.heartbeat())
    with database.writing(engine) as connection:
        connection.execute(sql.update(tables.host).values(resync_sent_at=host.clock, resync_attempts=3))
    take(intake, host.add(Nic(2)))
    assert column(engine, sql.select(tables.host.c.resync_attempts)) == [3]
    take(intake, *host.manifest())
    (row,) = rows(engine, sql.select(tables.host))
    assert (row.resync_wanted, row.resync_identities) == ("devices", [Nic(1).identity])
    assert (row.resync_sent_at, row.resync_attempts) == (None, 0)


def test_nothing_is_written_by_whoever_lost_the_partition(engine: sql.Engine) -> None:
    host = SimulatedHost()
    first, second = new_intake(engine), new_intake(engine)
    positions: Positions = {("events", 0): None}
    entries = [
        entry(event)._replace(message=Message(offset))
        for offset, event in enumerate([host.hello(), host.add(Nic(1)), host.add(Nic(2))])
    ]
    first.take(entries[:2], positions)
    with pytest.raises(OffsetLost):
        second.take(entries[:1], {("events", 0): None})
    with pytest.raises(OffsetLost):
        second.take(entries[1:], {("events", 0): 1})
    assert positions == {("events", 0): 2}
    with engine.connect() as connection:
        assert read_offset(connection, "events", 0)[0] == 2
    assert len(rows(engine, sql.select(tables.device_version))) == 1
    second.take(entries[2:], positions)
    assert len(rows(engine, sql.select(tables.device_version))) == 2


def test_a_host_that_somebody_else_wrote_is_looked_at_again(engine: sql.Engine) -> None:
    host = SimulatedHost()
    clone = SimulatedHost(host.host, macs=("52:54:00:00:00:09",))
    intake = new_intake(engine)
    take(intake, host.hello(), host.add(Nic(1)), clone.hello())
    assert column(engine, sql.select(tables.host.c.conflict["stream"].as_string())) == [clone.stream]
    new_intake(engine).accept(host.host, at=host.clock, actor="local:alice", door="api")
    take(intake, clone.add(Nic(2)))
    (row,) = rows(engine, sql.select(tables.host))
    assert (row.stream, row.seq, row.conflict, row.resync_wanted) == (clone.stream, 2, None, "stream")
    assert column(engine, sql.select(tables.coverage.c.ended)) == ["accepted"]


def test_a_record_that_sql_does_not_take_does_not_stop_the_others(engine: sql.Engine) -> None:
    host, intake = SimulatedHost(), new_intake(engine)
    events = [host.hello(), *(host.add(Nic(number)) for number in range(5))]
    events[3] = replace(events[3], stands_for=2**63)  # type: ignore[call-arg]
    entries = [entry(event)._replace(message=Message(offset)) for offset, event in enumerate(events)]
    positions: Positions = {("events", 0): None}
    intake.take(entries, positions)
    assert positions == {("events", 0): 6}
    assert len(rows(engine, sql.select(tables.device))) == 4
    (letter,) = rows(engine, sql.select(tables.dead_letter))
    assert (letter.offset, letter.code) == (3, "unstorable")
    assert column(engine, sql.select(tables.host.c.resync_reason)) == ["dead-letter"]
    assert intake.counts["dead-letter:unstorable"] == 1


def order(engine: sql.Engine, host: SimulatedHost) -> None:
    """A command to the host that has left."""
    with database.writing(engine) as connection:
        connection.execute(
            sql.insert(tables.command).values(
                id="c1", host=host.host, number=1, type="create", state="queued", body=b"", stream=host.stream,
                by="me", issued=host.clock, expires=host.clock, updated_at=host.clock,
            )
        )  # fmt: skip
        connection.execute(sql.update(tables.command).values(state="dispatched", partition=3))


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3,), (1, 2), (2, 1)], ids=str)
def test_who_reads_succeeded_finds_the_device_and_each_names_the_other(
    engine: sql.Engine, sizes: tuple[int, ...]
) -> None:
    """However the agent's records are cut into batches: the event is folded before the result, or with it."""
    host, intake = SimulatedHost(), new_intake(engine)
    take(intake, host.hello())
    order(engine, host)
    nic = Nic(1)
    produced = (Produced(identity=nic.identity, name=nic.name),)
    events: list[Event] = [
        Result(**host.stamp(), command="c1", state="accepted"),
        host.add(nic, command="c1"),
        Result(**host.stamp(), command="c1", state="succeeded", produced=produced),
    ]
    for size in sizes:
        take(intake, *events[:size])
        del events[:size]
        (state,) = column(engine, sql.select(tables.command.c.state))
        present = column(engine, sql.select(tables.device.c.identity).where(tables.device.c.present))
        assert state in ("dispatched", "accepted") or present == [nic.identity]
    (told,) = rows(engine, sql.select(tables.command))
    assert (told.state, told.identity, told.name) == ("succeeded", nic.identity, nic.name)
    assert [cause for *_, cause in history(engine, host.host)] == ["c1"]


def test_a_result_of_an_agent_that_is_not_trusted_to_be_the_host_moves_nothing(engine: sql.Engine) -> None:
    host, intake = SimulatedHost(), new_intake(engine)
    take(intake, host.hello())
    order(engine, host)
    clone = SimulatedHost(host.host, name="clone", macs=("52:54:00:99:99:99",))
    clone.evidence = replace(clone.evidence, system_uuid="another", machine_id="another")
    clone.clock = host.clock
    take(intake, clone.hello(), Result(**clone.stamp(), command="c1", state="succeeded"))
    assert column(engine, sql.select(tables.command.c.state)) == ["dispatched"]
    take(intake, Result(**host.stamp(), command="c1", state="accepted"))
    assert column(engine, sql.select(tables.command.c.state)) == ["accepted"]


def test_what_a_command_caused_names_it(engine: sql.Engine) -> None:
    host, intake = SimulatedHost(), new_intake(engine)
    take(intake, host.hello(), host.add(Nic(1), command="c1"), host.add(Nic(2)))
    assert [cause for *_, cause in history(engine, host.host)] == ["c1", "event"]


def test_two_writers_give_feed_positions_without_holes(postgresql_url: str) -> None:
    """On PostgreSQL any number of ingest processes write; documents they share do not lock them out for ever."""
    engine = database.open_engine(postgresql_url)
    database.upgrade(engine)

    def live(_: int) -> None:
        host, intake = SimulatedHost(), new_intake(engine)
        take(intake, host.hello())
        for n in range(10):
            changes: list[Change] = [host.change(Nic(number, f"driver{n}")) for number in range(40)]
            take(intake, *changes)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(live, range(4)))
    feeds = column(engine, sql.select(tables.device_version.c.feed).order_by(tables.device_version.c.feed))
    assert feeds == list(range(1, 1601))
    assert list(check(engine)) == []
    engine.dispose()


def test_reading_may_go_on_while_postgresql_updates(postgresql_url: str) -> None:
    engine = database.open_engine(postgresql_url)
    database.upgrade(engine)
    host, intake = SimulatedHost(), new_intake(engine)
    take(intake, host.hello(), host.add(Nic(1)))
    held: dict[str, bool] = {}

    @sql.event.listens_for(engine, "before_cursor_execute")
    def note(_: sql.Connection, __: object, statement: str, *___: object) -> None:
        held[" ".join(statement.split()[:2])] = intake.turn.locked()

    take(intake, host.change(Nic(1, "another")))
    assert held["UPDATE feed"]
    assert not held["UPDATE device_version"]
    assert not held["UPDATE device"]
    assert not intake.turn.locked()
    engine.dispose()
