"""An agent whose only way to Kafka is one interface, and commands that would take it away: their results arrive."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hwcensus.client import Client
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import Line, inside, wait_until
from tests.fixtures.namespace import in_namespace, namespaces_work
from tests.fixtures.process import Process, program_environment

BEHIND_VETH = str(Path(__file__).parents[1] / "fixtures" / "behind_veth.sh")
BRIDGE = '<device><capability type="net"><interface>hwc0</interface><capability type="bridge"/>{}</capability></device>'
WITH_V0 = BRIDGE.format("<state><port>net_v0</port></state>")


@pytest.fixture
def line(tmp_path: Path, kafka: Kafka, kafka_topics: Callable[..., Topics], sqlite_url: str) -> Iterator[Line]:
    namespaces_work()
    made = Line(tmp_path / "line", kafka.bootstrap, kafka_topics(), sqlite_url)
    made.agent["HWCENSUS_COMMANDS_WAY_S"] = "0.5"
    with made.start_collector():
        yield made


@pytest.fixture
def agent(line: Line) -> Iterator[Process]:
    """Its v0 leads to Kafka."""
    port = int(line.agent["HWCENSUS_KAFKA_BOOTSTRAP_SERVERS"].rpartition(":")[2])
    command = ["sh", BEHIND_VETH, sys.executable, "-m", "hwcensus_agent.main", "run"]
    with Process(in_namespace(command, forward=[port]), env=program_environment(**line.agent)) as running:
        running.wait_for("the agent runs")
        wait_until(lambda: "computer" in line.devices(), "the census is there", running)
        yield running


def test_a_bridge_that_would_take_the_way_is_refused_and_forced_is_undone_and_told(line: Line, agent: Process) -> None:
    with Client(line.url) as client:
        host = client.host(line.host)
        refused = host.create_device(WITH_V0).wait(60.0)
        assert (refused.state, refused.code) == ("failed", "carries-kafka")
        assert refused.text is not None
        assert refused.text.startswith("v0 carries the way to Kafka, to 127.0.0.1:")

        lost = host.create_device(WITH_V0, force=True).wait(60.0)
        assert (lost.state, lost.code) == ("failed", "way-lost")
        wait_until(lambda: "net_hwc0" not in line.devices(), "the bridge is gone again", agent)

        assert host.create_device(BRIDGE.format("")).wait(60.0).state == "succeeded"
        inside(agent, "ip", "link", "show", "hwc0", "type", "bridge")
