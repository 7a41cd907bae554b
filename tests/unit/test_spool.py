"""The spool: numbers without holes, a published census that moves with them, and nothing lost by a stop."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwcensus import census_digest
from hwcensus.event import (
    Add,
    AgentState,
    Change,
    Event,
    Evidence,
    Gap,
    Hello,
    Manifest,
    Present,
    Remove,
    Result,
    read_event,
)
from hwcensus.instant import now, read_instant
from hwcensus_agent.news import ADD, CHANGE, MANIFEST, PRESENT, REMOVE, RESULT, News
from hwcensus_agent.render import Renderer
from hwcensus_agent.spool import Spool, SpoolError

from .test_census import bridge


def news(type_: str, name: str, **more: object) -> News:
    stp = bool(more.pop("stp", False))
    plain = News(type=type_, sight=bridge(name, stp=stp), time=now(), source="udev")
    return replace(plain, **({"kind": "facts", "changed": ("bridge.stp",)} if type_ == CHANGE else {}), **more)  # type: ignore[arg-type]


def hello(after_stream: str | None = None, after_seq: int = 0) -> Event:
    return Hello(
        host="host-1", stream="s1", seq=1, time=now(), name="web17", after_stream=after_stream, after_seq=after_seq,
        count=0, digest="0" * 64, state_digest="0" * 64, evidence=Evidence(),
        agent=AgentState(version="1", model="1", kernel="6"),
    )  # fmt: skip


def open_spool(path: Path, limit: int) -> Spool:
    """With a stream that has begun, and whose hello went out."""
    spool = Spool(path, limit=limit)
    spool.begin_stream(hello)
    spool.acknowledged(spool.sending())
    return spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = open_spool(tmp_path / "spool.db", 1 << 20)
    yield opened
    opened.close()


def take(spool: Spool) -> None:
    spool.take(spool.next_rows(100), Renderer("host-1", spool))


def sent(spool: Spool) -> list[Event]:
    return [read_event(record.value) for record in spool.sending()]


def test_taking_numbers_the_events_in_order_and_publishes_them(spool: Spool) -> None:
    spool.put([news(ADD, "br0"), news(ADD, "br1"), news(CHANGE, "br0", stp=True), news(REMOVE, "br1")])
    assert spool.count == 0
    take(spool)
    events = sent(spool)
    assert [type(event) for event in events] == [Add, Add, Change, Remove]
    assert [event.seq for event in events if isinstance(event, Add | Change | Remove)] == [2, 3, 4, 5]
    assert [sight.name for sight in spool.published()] == ["net_br0"]
    assert spool.digest == census_digest.total((s.identity, s.digest) for s in spool.published())
    assert spool.state_digest == census_digest.total((s.identity, s.state_hash) for s in spool.published())


def test_what_was_numbered_keeps_its_bytes_and_numbers_over_a_stop(spool: Spool) -> None:
    spool.put([news(ADD, "br0")])
    take(spool)
    before = spool.sending()
    again = Spool(spool.path, limit=1 << 20)
    assert again.sending() == before
    assert (again.stream, again.seq, again.digest, again.count) == (spool.stream, 2, spool.digest, 1)
    again.acknowledged(before)
    assert (again.sending(), again.waiting()) == ([], 0)
    again.close()


def test_a_render_that_fails_leaves_everything_as_it_was(spool: Spool) -> None:
    spool.put([news(ADD, "br0"), news(ADD, "br1")])
    good = Renderer("host-1", spool)

    def fails_on_the_second(row: object, seq: int) -> list[Event]:
        if seq == 3:
            raise RuntimeError("disk full")
        return good(row, seq)  # type: ignore[arg-type]  # only to fail

    with pytest.raises(RuntimeError):
        spool.take(spool.next_rows(100), fails_on_the_second)
    assert (spool.seq, spool.count, spool.sending(), spool.waiting()) == (1, 0, [], 2)


def test_a_result_that_repeats_what_xml_cannot_carry_is_told_all_the_same(spool: Spool) -> None:
    spool.put_other(RESULT, {"command": "c1", "state": "failed", "text": "modprobe: \x1b[31mno\0 eth\udcff"})
    take(spool)
    (result,) = [event for event in sent(spool) if isinstance(event, Result)]
    assert result.text == "modprobe: \\x1b[31mno\\x00 eth\\xff"


def test_a_manifest_and_a_present_say_what_is_published_when_they_are_taken(spool: Spool) -> None:
    spool.put([news(ADD, "br0")])
    spool.put_other(MANIFEST, {"for": "c1"})
    spool.put([news(ADD, "br1")])
    identities = [bridge("br1").identity, bridge("gone").identity]
    spool.put_other(PRESENT, {"for": "c2", "identities": identities})
    take(spool)
    _, manifest, _, present = sent(spool)
    assert isinstance(manifest, Manifest)
    assert [entry.identity for entry in manifest.entries] == [bridge("br0").identity]
    assert isinstance(present, Present)
    assert (present.identity, present.for_, present.seq) == (bridge("br1").identity, "c2", 5)


def test_unsent_changes_of_one_device_are_merged_when_the_spool_is_over_its_limit(tmp_path: Path) -> None:
    small = open_spool(tmp_path / "small.db", 3000)
    small.put([news(ADD, "br0")])
    for number in range(10):
        small.put([news(CHANGE, "br0", stp=number % 2 == 0)])
    assert not small.is_full
    take(small)
    *_, last = sent(small)
    assert isinstance(last, Change)
    assert sum(event.stands_for or 1 for event in sent(small) if isinstance(event, Change)) == 10
    small.close()


def test_a_full_spool_is_merged_again_only_when_there_was_room_to_fill(tmp_path: Path) -> None:
    small, merges = open_spool(tmp_path / "small.db", 40_000), 0
    for number in range(400):
        before = small.waiting()
        small.put([news(CHANGE, f"br{number % 20}", stp=number % 2 == 0)])
        merges += small.waiting() <= before
    assert 1 <= merges <= 400 // 8
    assert not small.is_full
    take(small)
    assert sum(event.stands_for or 1 for event in sent(small) if isinstance(event, Change)) == 400
    small.close()


def test_a_spool_that_merging_leaves_nearly_full_is_full_until_it_is_dropped(tmp_path: Path) -> None:
    small = open_spool(tmp_path / "small.db", 3000)
    while not small.is_full:
        small.put([news(ADD, f"br{small.waiting()}")])
    assert small.waiting() > 2
    small.drop()
    assert (small.is_full, small.waiting()) == (False, 0)
    small.close()


def test_changes_are_merged_within_each_life_of_a_device(tmp_path: Path) -> None:
    small = open_spool(tmp_path / "small.db", 5000)
    life = [CHANGE, CHANGE, CHANGE, REMOVE, ADD]
    small.put([news(type_, "br0", stp=True) for type_ in [ADD, *life, *life]])
    take(small)
    told = [(type(event).__name__, event.stands_for) for event in sent(small) if isinstance(event, Change | Remove)]
    assert told == [("Change", 3), ("Remove", None)] * 2
    small.close()


GAPS = [("udev", "netlink-overflow"), ("udev", "netlink-overflow"), ("rtnetlink", "netlink-overflow"),
        ("rtnetlink", "suspend"), ("rtnetlink", "suspend")]  # fmt: skip


def test_a_gap_that_only_goes_on_is_one_with_the_first_beginning_and_the_last_end(spool: Spool) -> None:
    times = [read_instant(f"2026-11-25T10:00:0{second}.000000Z") for second in range(len(GAPS) + 1)]
    for (source, reason), since, until in zip(GAPS, times, times[1:], strict=False):
        spool.put_gap(source, reason, since, until)
    spool.put([news(ADD, "br0")])
    spool.put_gap("rtnetlink", "suspend", times[4], times[5])
    take(spool)
    told = [(gap.source, gap.reason, gap.from_, gap.to) for gap in sent(spool) if isinstance(gap, Gap)]
    assert told == [
        ("udev", "netlink-overflow", times[0], times[2]),
        ("rtnetlink", "netlink-overflow", times[2], times[3]),
        ("rtnetlink", "suspend", times[3], times[5]),
        ("rtnetlink", "suspend", times[4], times[5]),
    ]


def test_a_stream_and_its_hello_are_on_disk_together_or_not_at_all(spool: Spool) -> None:
    def killed(*_: object) -> Event:
        raise KeyboardInterrupt

    before = (spool.stream, spool.seq)
    with pytest.raises(KeyboardInterrupt):
        spool.begin_stream(killed)
    again = Spool(spool.path, limit=1 << 20)
    assert (spool.stream, spool.seq) == (again.stream, again.seq) == before
    assert spool.sending() == []
    again.close()


def test_dropping_the_outbox_forgets_what_was_never_published(spool: Spool) -> None:
    spool.put([news(ADD, "br0")])
    take(spool)
    spool.put([news(REMOVE, "br0"), news(ADD, "br1")])
    assert set(spool.told()) == {bridge("br1").identity}
    spool.drop()
    assert set(spool.told()) == {bridge("br0").identity}


def test_streams_of_the_past_are_known_as_our_own(spool: Spool) -> None:
    first = spool.stream or ""
    spool.begin_stream(hello)
    (begun,) = sent(spool)
    assert isinstance(begun, Hello)
    assert (begun.after_stream, begun.after_seq) == (first, 1)
    assert spool.knows_stream(first)
    assert not spool.knows_stream("a clone's")


def test_a_spool_that_cannot_be_opened_says_where_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"file/spool.db.*spool.path"):
        Spool(tmp_path / "file" / "spool.db", limit=1)


steps = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans(), st.booleans()), max_size=25)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_however_events_and_taking_interleave_the_published_sums_fit(
    tmp_path_factory: pytest.TempPathFactory, run: list[tuple[str, bool, bool]]
) -> None:
    spool = open_spool(tmp_path_factory.mktemp("spool") / "spool.db", 3000)
    for name, stp, taking in run:
        known = spool.told().get(bridge(name).identity)
        spool.put([news(CHANGE if known else ADD, name, stp=stp) if stp or not known else news(REMOVE, name)])
        if taking:
            take(spool)
    expected = {identity: sight.digest for identity, sight in spool.told().items()}
    while spool.next_rows(1):
        take(spool)
    assert {sight.identity: sight.digest for sight in spool.published()} == expected
    assert spool.digest == census_digest.total(expected.items())
    assert [int(dict(r.headers)["seq"]) for r in spool.sending()] == list(range(2, spool.seq + 1))
    spool.close()


def test_nobody_else_may_read_the_spool_nor_what_lies_beside_it(tmp_path: Path) -> None:
    former = os.umask(0o022)
    try:
        opened = open_spool(tmp_path / "spool.db", 1 << 20)
        assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
        opened.close()
    finally:
        os.umask(former)


def test_a_spool_of_before_paths_stood_beside_keys_is_brought_up(spool: Spool) -> None:
    spool.put([news(ADD, "br0"), news(ADD, "br1")])
    spool.take(spool.next_rows(1), Renderer("host-1", spool))
    for table in ("published", "outbox"):
        spool.connection.execute(f"ALTER TABLE {table} DROP COLUMN path")
    again = Spool(spool.path, limit=1 << 20)
    assert {sight.path for sight in again.told().values()} == {bridge("br0").path, bridge("br1").path}
    again.close()
