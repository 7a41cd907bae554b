"""What a person is told of a host that was asked before him, over a real API, as hosts may answer."""

from collections.abc import Callable, Iterator

import pytest

from hwcensus.cli.check import PATIENCE_S, ask_host
from hwcensus.client import Client, Command
from hwcensus.errors import Refused, Unreachable
from hwcensus.instant import now
from hwcensus_collector.database import writing
from hwcensus_collector.relay.ready import CLOCK_SKEW_LIMIT
from hwcensus_collector.relay.results import ResultStep, record_results
from tests.wire.census_world import BEGAN, World, bridge, served, world

HELD = "/dev/sda is mounted at /data\x9b2J"


@pytest.fixture
def census(sqlite_url: str) -> Iterator[World]:
    with world(sqlite_url) as made:
        made.host("a1", "web17")
        made.tell("a1", bridge("hwc0"), BEGAN)
        yield made


@pytest.fixture
def client(census: World) -> Iterator[Client]:
    with served(census.engine) as url, Client(url, actor="alice") as made:
        yield made


def answered(census: World, client: Client, code: str | None, text: str | None = None) -> Callable[[], Command]:
    """A check that its host has answered by the time that it is waited for."""

    def check() -> Command:
        asked = client.host("web17").lookup_by_name("net_hwc0").check("destroy")
        state = "succeeded" if code is None else "failed"
        with writing(census.engine) as connection:
            result = ResultStep(command=asked.id, host="a1", state=state, at=now(), code=code, text=text)
            record_results(connection, [result])
        return asked

    return check


def test_what_the_host_has_against_it_ends_it_but_is_only_said_to_who_forces_it(
    census: World, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    host, check = client.host("web17"), answered(census, client, "in-use", HELD)
    with pytest.raises(Refused) as error:
        ask_host(host, check, force=False)
    assert (error.value.code, HELD in str(error.value)) == ("in-use", True)
    ask_host(host, check, force=True)
    said = capsys.readouterr().err
    assert said.startswith("hwcensus: against it is, without --force: in-use: /dev/sda is mounted at ")
    assert (said.count("in-use"), "\x9b" in said) == (1, False)
    ask_host(host, answered(census, client, None), force=False)
    assert "sees nobody who uses it" in capsys.readouterr().err


@pytest.mark.parametrize("force", [False, True])
def test_an_agent_that_does_not_know_the_question_keeps_nobody_from_ordering(
    census: World, client: Client, capsys: pytest.CaptureFixture[str], force: bool
) -> None:
    ask_host(client.host("web17"), answered(census, client, "schema", "line 1: …"), force=force)
    assert "older than this question: who uses it is not known" in capsys.readouterr().err


def test_a_collector_that_is_gone_is_no_host_that_says_nothing(client: Client) -> None:
    def check() -> Command:
        raise Unreachable("no collector answers")

    with pytest.raises(Unreachable, match="no collector"):
        ask_host(client.host("web17"), check, force=True)


def test_a_host_whose_clock_is_ahead_is_in_time_to_answer(census: World, client: Client) -> None:
    ask_host(client.host("web17"), answered(census, client, None), force=False)
    (asked,) = client.commands()
    assert (asked.expires - asked.issued).total_seconds() > CLOCK_SKEW_LIMIT + PATIENCE_S
