"""The agent as a program: one a host, clear words for wrong settings, a clean stop."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import Line, bridges, can_make_links, ip, wait_until
from tests.fixtures.require import require


@pytest.fixture
def lonely(tmp_path: Path) -> Line:
    """A line whose Kafka does not exist."""
    return Line(tmp_path / "line", "127.0.0.1:1", Topics("events", "commands"), f"sqlite:///{tmp_path}/i.db")


def test_a_second_agent_on_the_same_spool_says_so_and_stops(lonely: Line) -> None:
    with lonely.start_agent() as first:
        second = lonely.run("agent", "run")
    assert second.returncode == 4
    assert "already-running" in second.stderr
    assert str(first.popen.pid) in second.stderr


def test_a_second_agent_of_the_same_host_says_so_and_stops(lonely: Line, tmp_path: Path) -> None:
    with lonely.start_agent():
        lonely.agent["HWCENSUS_SPOOL_PATH"] = str(tmp_path / "another" / "spool.db")
        assert "already-running" in lonely.run("agent", "run").stderr


def test_an_agent_stops_cleanly_without_kafka_and_keeps_what_waits(lonely: Line) -> None:
    agent = lonely.start_agent()
    assert agent.stop() == 0
    assert "the agent stops" in agent.output


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("HWCENSUS_SPOOL_PAHT", "/tmp/x", ["HWCENSUS_SPOOL_PAHT", "HWCENSUS_SPOOL_PATH"]),
        ("HWCENSUS_CENSUS_COALESCE_MS", "soon", ["HWCENSUS_CENSUS_COALESCE_MS", "whole number"]),
        ("HWCENSUS_CENSUS_COALESCE_MS", "5000", ["coalesce_max_ms"]),
        ("HWCENSUS_SPOOL_PATH", "/dev/null/spool.db", ["/dev/null/spool", "spool.path"]),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(
    lonely: Line, name: str, value: str, words: list[str]
) -> None:
    lonely.agent[name] = value
    refused = lonely.run("agent", "run")
    assert refused.returncode != 0
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    for word in words:
        assert word in refused.stderr


def test_a_policy_that_is_wrong_keeps_the_agent_from_starting(lonely: Line) -> None:
    (lonely.folder / "policy.toml").write_text('[[allow]]\nclass = "brigde"\n')
    refused = lonely.run("agent", "run")
    assert refused.returncode == 2
    assert "bridge" in refused.stderr


def test_changes_while_the_agent_was_down_are_told_when_it_is_back(
    tmp_path: Path, kafka: Kafka, kafka_topics: Callable[..., Topics], sqlite_url: str
) -> None:
    require(can_make_links(), "making network links needs root")
    line = Line(tmp_path / "line", kafka.bootstrap, kafka_topics(), sqlite_url)
    with line.start_collector() as collector, bridges("hwcdown1", "hwcdown2"):
        ip("link", "add", "hwcdown1", "type", "bridge")
        with line.start_agent() as agent:
            wait_until(lambda: "net_hwcdown1" in line.devices(), "the bridge is there", collector, agent)
        ip("link", "delete", "hwcdown1")
        ip("link", "add", "hwcdown2", "type", "bridge")
        with line.start_agent() as agent:
            wait_until(line.agrees, "the census is true", collector, agent)


FORMER = """
from hwcensus_agent.describe.link_kind import KINDS
table = KINDS["bridge"]
table._sources = [pair for pair in table._sources if pair[0].label != "stp"]
"""


def test_what_an_upgraded_agent_knows_more_is_redescribed_and_no_news(
    tmp_path: Path, kafka: Kafka, kafka_topics: Callable[..., Topics], sqlite_url: str
) -> None:
    require(can_make_links(), "making network links needs root")
    line = Line(tmp_path / "line", kafka.bootstrap, kafka_topics(), sqlite_url)
    with line.start_collector() as collector, bridges("hwcold1"):
        ip("link", "add", "hwcold1", "type", "bridge")
        with line.start_agent(FORMER) as agent:
            wait_until(lambda: "net_hwcold1" in line.devices(), "the bridge is told", collector, agent)
        with line.start_agent() as agent:
            wait_until(line.agrees, "the census is true", collector, agent)

        def kinds(*words: str) -> list[str]:
            told = line.hwcensus(*words, "-o", "ndjson").stdout.splitlines()
            return [one["kind"] for one in map(json.loads, told) if one["name"] == "net_hwcold1"]

        assert kinds("history", line.host, "net_hwcold1") == ["add", "redescribed"]
        told = json.loads(line.hwcensus("history", line.host, "net_hwcold1", "-o", "json").stdout)
        assert told[-1]["changed"] == ["bridge.stp"]
        assert kinds("changes", "--since", "1h") == ["add"]
        assert kinds("changes", "--since", "1h", "--kinds", "all") == ["add", "redescribed"]
