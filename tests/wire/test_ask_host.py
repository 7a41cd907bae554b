"""What a person is told of a host that was asked before him, over a real API, as hosts may answer."""

import io
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from hwcensus.cli import check
from hwcensus.cli.check import PATIENCE_S, Check, ask_host, ask_hosts
from hwcensus.cli.taken import confirm_taken
from hwcensus.client import Client, Command
from hwcensus.errors import Refused, Unreachable
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.relay.ready import CLOCK_SKEW_LIMIT
from hwcensus_collector.relay.results import ResultStep, record_results
from tests.wire.census_world import BEGAN, World, bridge, pci, served, world

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


def answered(
    census: World, client: Client, code: str | None, text: str | None = None, *, forced: str | None = None
) -> Check:
    """A check that its host has answered by the time that it is waited for, with `forced` where it is about force."""

    def answer(*, force: bool) -> Command:
        asked = client.host("web17").lookup_by_name("net_hwc0").check("destroy", force=force)
        end = forced if force else code
        state = "succeeded" if end is None else "failed"
        with writing(census.engine) as connection:
            result = ResultStep(command=asked.id, host="a1", state=state, at=now(), code=end, text=text)
            record_results(connection, [result])
        return asked

    return answer


def test_what_the_host_has_against_it_ends_it_but_is_only_said_to_who_forces_it(
    census: World, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    host, held = client.host("web17"), answered(census, client, "in-use", HELD)
    with pytest.raises(Refused) as error:
        ask_host(host, held, force=False)
    assert (error.value.code, HELD in str(error.value)) == ("in-use", True)
    ask_host(host, held, force=True)
    said = capsys.readouterr().err
    assert said.startswith("hwcensus: its host is against it without --force: in-use: /dev/sda is mounted at ")
    assert (said.count("in-use"), "\x9b" in said) == (1, False)
    ask_host(host, answered(census, client, None), force=False)
    assert "sees nobody who uses it" in capsys.readouterr().err


def test_what_no_force_overrides_ends_it_after_the_rest_was_said(
    census: World, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Refused) as error:
        ask_host(client.host("web17"), answered(census, client, "in-use", HELD, forced="not-allowed"), force=True)
    assert error.value.code == "not-allowed"
    assert "without --force: in-use" in capsys.readouterr().err


def test_of_many_hosts_one_that_would_refuse_keeps_no_other_from_it(
    census: World, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    census.hosts({"a2": "web18", "a3": "web19"})
    census.heard({"a3"}, BEGAN)
    free, held = answered(census, client, None), answered(census, client, "in-use", HELD)
    hosts = [client.host(name) for name in ("web17", "web18", "web19")]
    ask_hosts(hosts, lambda host: held if host.name == "web18" else free, force=False)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "hwcensus: web17 sees nobody who uses it, and has nothing against it"
    assert said[1].startswith("hwcensus: web18 would refuse: in-use: /dev/sda is mounted at ")
    assert said[2:] == ["hwcensus: web19 is offline: who uses it is not known"]
    with pytest.raises(Refused) as error:
        ask_hosts(hosts[:2], lambda _: held, force=False)
    assert error.value.code == "in-use"


class Person(io.StringIO):
    """At a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("number, hosts", [(0, ["web17", "web18"]), (1, ["web17"])])
def test_before_virtual_functions_go_every_named_host_that_may_lose_some_is_asked(
    census: World, client: Client, monkeypatch: pytest.MonkeyPatch, number: int, hosts: list[str]
) -> None:
    """Where all go, also one of which the inventory knows none."""
    census.host("a2", "web18")
    functions = '<capability type="pci"><virt_functions max="8"/><state virt_functions="2"/></capability></device>'
    census.tell("a1", pci().replace("</device>", functions), BEGAN)
    census.tell("a2", pci(), BEGAN)
    with writing(census.engine) as connection:
        connection.execute(update(tables.host).values(creatable=["virt_functions"]))
    monkeypatch.setattr(check, "PATIENCE_S", 0.01)
    monkeypatch.setattr(sys, "stdin", Person("y\n"))
    state = f'<capability type="pci"><state virt_functions="{number}"/></capability>'
    named = [client.host(name) for name in ("web17", "web18", "web17")]
    confirm_taken(f"<device><parent>pci_0000_00_1f_3</parent>{state}</device>", named, force=True)
    asked = [(one.host_name, one.type) for one in client.commands()]
    assert sorted(asked) == [(host, "check-create") for host in hosts]


@pytest.mark.parametrize("force", [False, True])
def test_an_agent_that_does_not_know_the_question_keeps_nobody_from_ordering(
    census: World, client: Client, capsys: pytest.CaptureFixture[str], force: bool
) -> None:
    ask_host(client.host("web17"), answered(census, client, "schema", "line 1: …"), force=force)
    assert "older than this question: who uses it is not known" in capsys.readouterr().err


def test_a_collector_that_is_gone_is_no_host_that_says_nothing(client: Client) -> None:
    def unanswered(*, force: bool) -> Command:
        raise Unreachable("no collector answers")

    with pytest.raises(Unreachable, match="no collector"):
        ask_host(client.host("web17"), unanswered, force=True)


def test_a_host_whose_clock_is_ahead_is_in_time_to_answer(census: World, client: Client) -> None:
    ask_host(client.host("web17"), answered(census, client, None), force=False)
    (asked,) = client.commands()
    assert (asked.expires - asked.issued).total_seconds() > CLOCK_SKEW_LIMIT + PATIENCE_S
