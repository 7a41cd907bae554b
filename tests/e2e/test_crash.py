"""The crash matrix with bridges of this machine: each program is killed at each step of a command's life."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fixtures.crash import AGENT, COLLECTOR, CREATE, DESTROY, KAFKA_MOMENTS, MOMENTS, Moment, Rig
from tests.fixtures.faults import Forked, Here
from tests.fixtures.kafka import Kafka, kafka_can_run
from tests.fixtures.line import Line, bridges, can_make_links, ip, wait_until
from tests.fixtures.require import require

CREATE_BRIDGE = (
    '<device><capability type="net"><interface>{}</interface><capability type="bridge"/></capability></device>'
)
MODULES = {AGENT: "hwcensus_agent.main", COLLECTOR: "hwcensus_collector.main"}


class Bridges:
    """Bridges hwcc1 … of this network namespace."""

    executor = "hwcensus_agent.commands.executors.bridge:BridgeExecutor"

    def name(self, number: int) -> str:
        return f"hwcc{number}x"

    def document(self, name: str) -> str:
        return CREATE_BRIDGE.format(name)

    def reference(self, name: str) -> str:
        return f"net_{name}"

    def there(self, name: str) -> int:
        return Path(f"/sys/class/net/{name}").exists()

    def make(self, name: str) -> None:
        ip("link", "add", name, "up", "type", "bridge")

    def take(self, name: str) -> None:
        ip("link", "delete", name)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """All cases share the line, and a Kafka that they may kill."""
    require(can_make_links(), "making network links needs root")
    kafka_can_run()
    folder = tmp_path_factory.mktemp("crash")
    kafka, here = Kafka(folder / "kafka"), Here(folder)
    with ExitStack() as running:
        running.callback(kafka.stop)
        kafka.start()
        database = f"sqlite:///{folder / 'inventory.sqlite'}"
        line = Line(folder / "line", kafka.bootstrap, kafka.create_topics(), database, "crash-host")
        line.collector["HWCENSUS_INGEST_STATIC"] = "yes"  # a group waits for the member that was killed
        assert line.run("collector", "db", "upgrade").returncode == 0
        running.callback(here.close)
        settings = {AGENT: line.agent, COLLECTOR: line.collector}
        programs = {name: Forked(MODULES[name], line.folder, settings[name], here) for name in settings}
        rig = Rig(line=line, kafka=kafka, things=Bridges(), programs=programs)
        for name in programs:
            rig.start(name)
        wait_until(line.agrees, "the census is there")
        running.enter_context(bridges(*(rig.things.name(number) for number in range(1, 200))))
        yield rig


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("verb", [CREATE, DESTROY])
def test_a_program_that_is_killed_leaves_one_bridge_or_none_as_the_command_says(
    rig: Rig, verb: str, moment: Moment
) -> None:
    rig.kill_program(verb, moment)


@pytest.mark.parametrize("moment", KAFKA_MOMENTS, ids=str)
@pytest.mark.parametrize("verb", [CREATE, DESTROY])
def test_a_kafka_that_is_killed_leaves_one_bridge_or_none_as_the_command_says(
    rig: Rig, verb: str, moment: Moment
) -> None:
    rig.kill_kafka(verb, moment)
