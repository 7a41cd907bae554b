"""The stream of changes: told as they come, resumable, and none lost or told twice."""

import itertools
import threading
from collections.abc import Iterator

import pytest

from hwcensus.client import Client
from hwcensus.client.transport import ServerEvent, Transport
from hwcensus.errors import NotFound, UsageError
from hwcensus.instant import now
from tests.fixtures.kafka import free_port
from tests.wire.census_world import BEGAN, World, bridge, computer, net, served, world


@pytest.fixture
def census(database_url: str) -> Iterator[World]:
    with world(database_url) as made:
        made.host("a1", "web17")
        made.tell("a1", computer(), BEGAN)
        yield made


def events(url: str, last: str | None = None, **query: str) -> Iterator[ServerEvent]:
    with Transport(url, actor=None, timeout=30) as transport:
        yield from transport.events("/v1/changes/stream", query, last)


def test_a_change_is_told_as_it_comes(census: World) -> None:
    with served(census.engine) as url, Client(url) as client:
        began, got = threading.Event(), threading.Event()

        def listen() -> None:
            for event in events(url):
                began.set()
                if event.name == "change":
                    break
            got.set()

        listener = threading.Thread(target=listen)
        listener.start()
        assert began.wait(30), "the stream says where it begins"
        census.tell("a1", bridge("hwc0"), now())
        assert got.wait(30)
        listener.join(30)
        told = next(client.stream(after=1))
        assert (told.name, told.kind, told.feed) == ("net_hwc0", "add", 2)


def test_a_reader_that_comes_back_misses_nothing(census: World) -> None:
    with served(census.engine) as url:
        first = next(iter(events(url)))
        assert first.id == "1"
        for number in range(3):
            census.tell("a1", bridge(f"hwc{number}"), now())
        told = [one for one in itertools.islice(events(url, first.id), 4) if one.name == "change"]
        assert [one.id for one in told] == ["2", "3", "4"]
        again = [one for one in itertools.islice(events(url, "3"), 2) if one.name == "change"]
        assert [one.id for one in again] == ["4"]


def test_a_stream_tells_only_what_its_filter_lets_through(census: World) -> None:
    census.host("b2", "db7")
    census.tell("b2", bridge("hwc0"), now())
    census.tell("a1", net("eth0"), now())
    census.tell("a1", bridge("hwc0"), now())
    with served(census.engine) as url, Client(url) as client:
        found = next(iter(client.stream(after=0, cap="bridge", host="web17")))
        assert (found.host_name, found.feed) == ("web17", 4)
        with pytest.raises(NotFound):
            next(client.stream(host="nobody"))
        with pytest.raises(UsageError, match="no position"):
            next(iter(events(url, "first")))


def test_a_position_beyond_the_end_says_that_the_inventory_was_made_anew(census: World) -> None:
    with served(census.engine) as url:
        told = list(itertools.islice(events(url, "99"), 2))
        assert [(one.name, one.id) for one in told] == [("reset", "1"), ("message", "1")]


def test_a_stream_outlives_its_collector(census: World) -> None:
    """The client connects again by itself and goes on where it was."""
    port = free_port()
    with Client(f"http://127.0.0.1:{port}") as client:
        stream = client.stream(after=0)
        with served(census.engine, port):
            assert next(stream).feed == 1
        census.tell("a1", bridge("hwc0"), now())
        with served(census.engine, port):
            assert next(stream).feed == 2
            stream.close()  # type: ignore[attr-defined]
