"""What was there, what happened, and since when; on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hwcensus.instant import now
from hwcensus_collector.inventory.changes import ChangeFilter, changes_after, feed_position, list_changes
from hwcensus_collector.inventory.cursor import Window
from hwcensus_collector.inventory.filters import DeviceFilter
from hwcensus_collector.inventory.history import document_of, history_of
from hwcensus_collector.inventory.moment import read_moment
from hwcensus_collector.inventory.past import find_device_at, list_devices_at
from hwcensus_collector.inventory.refusal import BadParameter, Unknown
from hwcensus_collector.inventory.version import KINDS, read_kinds
from tests.wire.census_world import BEGAN, LONG_AGO, World, after, bridge, computer, net, world


@pytest.fixture
def census(database_url: str) -> Iterator[World]:
    """A bridge comes after one hour, changes after two, goes after three and comes again after four."""
    with world(database_url) as made:
        for host, name in (("a1", "web17"), ("b2", "db7")):
            made.host(host, name)
            made.tell(host, computer(), BEGAN)
        made.tell("a1", bridge("hwc0"), after(hours=1))
        made.tell("a1", bridge("hwc0", stp="yes"), after(hours=2))
        made.remove("a1", "net_hwc0", after(hours=3))
        made.tell("a1", bridge("hwc0"), after(hours=4))
        yield made


def at(census: World, hours: float, **wanted: str) -> list[str]:
    with census.engine.connect() as connection:
        page = list_devices_at(connection, after(hours=hours), DeviceFilter(**wanted), Window())
    return [f"{one.host}:{one.name}" for one in page.items]


def test_the_past_is_as_it_was(census: World) -> None:
    assert at(census, -1) == []
    assert at(census, 0.5) == ["a1:computer", "b2:computer"]
    assert at(census, 1, cap="bridge") == ["a1:net_hwc0"]
    assert at(census, 3.5, cap="bridge") == []
    assert at(census, 4.5, host="a1", name="net_hwc0") == ["a1:net_hwc0"]


def test_a_device_of_the_past_has_the_facts_of_then_and_says_what_was_not_kept(census: World) -> None:
    with census.engine.connect() as connection:
        then = find_device_at(connection, "a1", "net_hwc0", after(hours=2.5), xml=True)
        assert then.facts["bridge.stp"] is True
        assert (then.key, then.state, then.left_out) == (None, {}, ("key", "state"))
        assert "<stp>yes</stp>" in str(then.xml)
        with pytest.raises(Unknown, match="has no device"):
            find_device_at(connection, "a1", "net_hwc0", after(hours=3.5))


def test_what_the_past_does_not_hold_cannot_be_asked_for(census: World) -> None:
    for wanted in (DeviceFilter(key="/sys/x"), DeviceFilter(present="all")):
        with census.engine.connect() as connection, pytest.raises(BadParameter) as refusal:
            list_devices_at(connection, BEGAN, wanted, Window())
        assert refusal.value.code == "not-recorded"


def test_pages_of_the_past_keep_the_instant_of_the_first_one(census: World) -> None:
    found, cursor, moment = [], None, after(hours=2.5)
    with census.engine.connect() as connection:
        while True:
            page = list_devices_at(connection, moment, DeviceFilter(), Window(limit=1, cursor=cursor))
            found += [f"{one.host}:{one.name}" for one in page.items]
            cursor, moment = page.next, now()
            if cursor is None:
                break
    assert found == ["a1:computer", "a1:net_hwc0", "b2:computer"]


def test_a_page_of_the_past_leads_on_past_many_hosts_without_a_match(census: World) -> None:
    census.hosts({f"x{number:03}": f"host{number}" for number in range(120)})
    census.tell("x119", bridge("far"), after(hours=1))
    found, cursor = [], None
    with census.engine.connect() as connection:
        while True:
            page = list_devices_at(connection, after(hours=5), DeviceFilter(cap="bridge"), Window(cursor=cursor))
            found += [one.name for one in page.items]
            cursor = page.next
            if cursor is None:
                break
    assert found == ["net_hwc0", "net_far"]


def test_history_has_every_version_once_with_its_document(census: World) -> None:
    with census.engine.connect() as connection:
        versions = history_of(connection, "a1", "net_hwc0", Window()).items
        assert [one.kind for one in versions] == ["add", "change", "remove", "add"]
        assert [one.valid_to for one in versions] == [one.valid_from for one in versions[1:]] + [None]
        assert b"<stp>yes</stp>" in document_of(connection, str(versions[1].digest))
        assert versions[2].digest is None
        first = history_of(connection, "a1", "net_hwc0", Window(limit=3))
        rest = history_of(connection, "a1", "net_hwc0", Window(limit=3, cursor=first.next))
        assert first.items + rest.items == versions
        for digest in ("0" * 64, "zz", ""):
            with pytest.raises(Unknown):
                document_of(connection, digest)


def test_changes_come_by_position_or_by_time(census: World) -> None:
    with census.engine.connect() as connection:
        assert feed_position(connection) == 6
        assert [one.feed for one in changes_after(connection, 2, ChangeFilter(), 100)] == [3, 4, 5, 6]
        assert [one.feed for one in changes_after(connection, 2, ChangeFilter(cap="system"), 100)] == []
        page = list_changes(connection, ChangeFilter(host="a1"), Window(limit=2), since=after(hours=1.5))
        assert [one.kind for one in page.items] == ["change", "remove"]
        # A duration is another instant on the second page; the cursor knows where to go on.
        rest = list_changes(
            connection, ChangeFilter(host="a1"), Window(limit=2, cursor=page.next), since=after(hours=1)
        )
        assert [one.kind for one in rest.items] == ["add"]
        assert rest.next is None


def test_by_time_means_when_it_held_whatever_the_order_in_which_it_was_heard(census: World) -> None:
    late = census.tell("b2", net("late"), after(minutes=30))
    with census.engine.connect() as connection:
        found = list_changes(connection, ChangeFilter(), Window(), since=after(minutes=15)).items
        assert found[0].feed == late
        assert found[-1].valid_from == after(hours=4)


def test_renumbering_is_told_only_where_asked_for(census: World) -> None:
    moved = bridge("hwc0").replace("<parent>computer</parent>", "<parent>pci_0000_00_01_0</parent>")
    census.tell("a1", moved, after(hours=6), kind="renumbered")
    with census.engine.connect() as connection:
        usual = list_changes(connection, ChangeFilter(kinds=read_kinds(None)), Window()).items
        all_ = list_changes(connection, ChangeFilter(kinds=read_kinds("all")), Window()).items
    assert len(all_) == len(usual) + 1
    assert read_kinds("all") == KINDS
    with pytest.raises(BadParameter, match="did you mean add"):
        read_kinds("ad")


@pytest.mark.parametrize("text", ["yesterday", "7", "7x", "2026-13-01", "2026-03-01T00:00:00", "999999w", ""])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="is not a time; write") as refusal:
        read_moment(text, now())
    assert refusal.value.code == "bad-time"


def test_times_may_be_days_instants_or_durations_but_not_in_the_future() -> None:
    assert read_moment("2020-01-01", now()) == read_moment("2020-01-01T00:00:00Z", now()) == LONG_AGO
    assert read_moment("90m", BEGAN) == BEGAN - timedelta(minutes=90)
    with pytest.raises(BadParameter, match="future"):
        read_moment("2020-01-02", LONG_AGO)
