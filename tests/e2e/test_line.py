"""The line from kernel to console and back, with the real programs as processes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hwcensus.client import Client
from tests.e2e.cli_world import BRIDGE, asked
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import Line, bridges, can_make_links, ip, wait_until
from tests.fixtures.process import Process
from tests.fixtures.require import require

CREATE = '<device><capability type="net"><interface>{}</interface><capability type="bridge"/></capability></device>'

#: What is told of every command that its host takes.
BEGUN = ["queued", "dispatched", "accepted"]


def steps(told: str) -> list[str]:
    """What `--wait` said."""
    return [line.removeprefix("hwcensus: ") for line in told.splitlines() if line.startswith("hwcensus: ")]


@pytest.fixture
def line(tmp_path: Path, kafka: Kafka, kafka_topics: Callable[..., Topics], sqlite_url: str) -> Line:
    require(can_make_links(), "making network links needs root")
    return Line(tmp_path / "line", kafka.bootstrap, kafka_topics(), sqlite_url)


@pytest.fixture
def running(line: Line) -> Iterator[tuple[Process, Process]]:
    with line.start_collector() as collector, line.start_agent() as agent:
        wait_until(line.agrees, "the census is there", collector, agent)
        yield collector, agent


@pytest.mark.usefixtures("running")
def test_a_bridge_made_by_hand_is_seen_and_its_history_told(line: Line) -> None:
    with bridges("hwctest1"):
        ip("link", "add", "hwctest1", "up", "type", "bridge")  # of a link that is down the kernel tells nothing
        wait_until(lambda: "net_hwctest1" in line.devices(), "the bridge is in the inventory")
        ip("link", "set", "hwctest1", "type", "bridge", "stp_state", "1")
        wait_until(lambda: "<stp>yes</stp>" in line.hwcensus("xml", line.host, "net_hwctest1").stdout, "its change too")
        ip("link", "delete", "hwctest1")
        wait_until(lambda: "net_hwctest1" not in line.devices(), "its removal is there")
    told = line.hwcensus("history", line.host, "net_hwctest1", "-o", "json")
    assert told.returncode == 0, told.stderr
    assert sorted(version["kind"] for version in json.loads(told.stdout)) == ["add", "change", "remove"]


@pytest.mark.usefixtures("running")
def test_before_a_bridge_goes_its_host_says_who_uses_it(line: Line, tmp_path: Path) -> None:
    with bridges("hwctest9", "hwctest9v"):
        ip("link", "add", "hwctest9", "up", "type", "bridge")
        wait_until(lambda: "net_hwctest9" in line.devices(), "the bridge is in the inventory")
        document = tmp_path / "bridge.xml"
        document.write_text(BRIDGE.format("hwctest9"))
        there = line.hwcensus("create", line.host, str(document), "--check")
        assert (there.returncode, "name-taken" in there.stderr) == (4, True), there.stderr
        words = ("destroy", line.host, "net_hwctest9")
        could = line.hwcensus(*words, "--check")
        assert (could.returncode, steps(could.stderr)[-1]) == (0, "succeeded (nothing on this host is against it)")
        _, written = asked(line.url, *words)
        assert "its host sees nobody who uses it, and has nothing against it" in written

        ip("link", "add", "hwctest9v", "type", "veth", "peer", "name", "hwctest9w")
        ip("link", "set", "hwctest9v", "master", "hwctest9")
        code, written = asked(line.url, *words, answer=b"y")
        assert (code, "hwcensus: in-use: hwctest9v of a guest or container is a port" in written) == (4, True)
        assert "[y/N]" not in written
        code, written = asked(line.url, *words, "--force", answer=b"n")
        assert (code, "[y/N]" in written) == (4, True)
        assert "its host is against it without --force: in-use: hwctest9v of a guest" in written
        assert Path("/sys/class/net/hwctest9").exists()
        ordered = {one["type"] for one in json.loads(line.hwcensus("command", "list", "-o", "json").stdout)}
        assert ordered == {"check-create", "check-destroy"}
        code, _ = asked(line.url, *words, "--force", "--wait", answer=b"y")
        assert (code, Path("/sys/class/net/hwctest9").exists()) == (0, False)


@pytest.mark.usefixtures("running")
def test_a_bridge_is_created_and_destroyed_from_the_console(line: Line, tmp_path: Path) -> None:
    document = tmp_path / "bridge.xml"
    document.write_text(CREATE.format("hwctest2"))
    with bridges("hwctest2"):
        made = line.hwcensus("create", line.host, str(document), "--wait")
        assert (made.returncode, steps(made.stderr)) == (0, [*BEGUN, "succeeded"])
        assert Path("/sys/class/net/hwctest2").exists()
        assert "net_hwctest2" in line.devices()

        again = line.hwcensus("create", line.host, str(document), "--wait")
        *began, failed, end = steps(again.stderr)
        assert (again.returncode, began) == (4, BEGUN)
        assert failed.startswith("failed (name-taken: ")
        assert end.startswith("name-taken: create failed (")

        gone = line.hwcensus("destroy", line.host, "net_hwctest2", "--yes", "--wait")
        assert (gone.returncode, steps(gone.stderr)) == (0, [*BEGUN, "succeeded"])
        assert not Path("/sys/class/net/hwctest2").exists()
    told = line.hwcensus("history", line.host, "net_hwctest2", "-o", "json")
    causes = {version["cause"] for version in json.loads(told.stdout)}
    with Client(line.url) as client:
        commands = {command.id for command in client.commands(host=line.host) if command.state == "succeeded"}
    assert causes == commands


def test_who_waits_is_told_of_a_step_when_it_comes(line: Line, tmp_path: Path) -> None:
    """Also while the host is down, which has the rest to tell."""
    document = tmp_path / "bridge.xml"
    document.write_text(CREATE.format("hwctest9"))
    with bridges("hwctest9"), line.start_collector() as collector:
        with line.start_agent() as agent:
            wait_until(line.agrees, "the census is there", collector, agent)
        with line.program("cli", "create", line.host, str(document), "--wait") as waiting:
            waiting.wait_for("dispatched")
            assert steps(waiting.output) == BEGUN[:2]
            with line.start_agent():
                assert waiting.wait(seconds=60) == 0, waiting.output
        assert steps(waiting.output) == [*BEGUN, "succeeded"]


@pytest.mark.usefixtures("running")
def test_a_batch_is_carried_out_and_its_outcome_is_the_exit_code(line: Line, tmp_path: Path) -> None:
    document = tmp_path / "bridge.xml"
    document.write_text(CREATE.format("hwctest8"))
    with bridges("hwctest8"):
        made = line.hwcensus("batch", "create", str(document), "--status", "online", "--wait")
        assert made.returncode == 0, made.stderr
        assert Path("/sys/class/net/hwctest8").exists()
        again = line.hwcensus("batch", "create", str(document), "--host", line.host, "--wait")
        assert again.returncode == 4
        assert "batch-failed: 1 failed" in again.stderr
        assert "name-taken" in again.stdout


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    "interface, status, code",
    [("sixteen-letters-", 4, "name-too-long"), ("br0", 4, "not-allowed")],
    ids=["the document alone shows it", "only the host knows"],
)
def test_a_bridge_that_may_not_be_is_refused_with_a_code(
    line: Line, tmp_path: Path, interface: str, status: int, code: str
) -> None:
    document = tmp_path / "bridge.xml"
    document.write_text(CREATE.format(interface))
    refused = line.hwcensus("create", line.host, str(document), "--wait")
    assert refused.returncode == status
    assert code in refused.stderr
    assert not Path(f"/sys/class/net/{interface}").exists()


def test_an_agent_that_starts_before_kafka_says_so_once_and_tells_all_later(
    tmp_path: Path, own_kafka: Kafka, sqlite_url: str
) -> None:
    require(can_make_links(), "making network links needs root")
    line = Line(tmp_path / "line", own_kafka.bootstrap, own_kafka.create_topics(), sqlite_url)
    own_kafka.stop()
    with bridges("hwctest3"), line.start_agent() as agent:
        agent.wait_for("Kafka does not answer")
        ip("link", "add", "hwctest3", "type", "bridge")
        own_kafka.start()
        agent.wait_for("Kafka answers again", seconds=60)
        with line.start_collector() as collector:
            wait_until(lambda: "net_hwctest3" in line.devices(), "the census is there", collector, agent)
        assert agent.output.count("Kafka does not answer") == 1


def test_a_collector_whose_database_was_wiped_learns_the_whole_census_again(
    line: Line, tmp_path: Path, kafka: Kafka
) -> None:
    with line.start_agent() as agent:
        with line.start_collector() as collector:
            wait_until(line.agrees, "the census is there", collector, agent)
        line.collector["HWCENSUS_DATABASE_URL"] = f"sqlite:///{tmp_path / 'another.sqlite'}"
        with line.start_collector() as collector:
            wait_until(line.agrees, "it is there again", collector, agent)


def test_a_topic_that_was_deleted_and_made_anew_is_noticed_and_healed(
    tmp_path: Path, own_kafka: Kafka, sqlite_url: str
) -> None:
    require(can_make_links(), "making network links needs root")
    topics = own_kafka.create_topics()
    line = Line(tmp_path / "line", own_kafka.bootstrap, topics, sqlite_url)
    with line.start_collector() as collector, line.start_agent() as agent, bridges("hwctest4"):
        wait_until(line.agrees, "the census is there", collector, agent)
        own_kafka.delete(topics.events)
        own_kafka.create(topics.events, 4)
        ip("link", "add", "hwctest4", "type", "bridge")
        wait_until(line.agrees, "the census is true", collector, agent, seconds=110)
