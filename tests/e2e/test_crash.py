"""The crash matrix with bridges of this machine: each program is killed at each step of a command's life."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hwcensus.client import Command
from hwcensus.client.creation import Creation
from tests.fixtures.crash import AGENT, COLLECTOR, CREATE, DESTROY, MOMENTS, Moment, Order, Rig, kill_kafka
from tests.fixtures.faults import Forked, Here
from tests.fixtures.kafka import SOON_AGAIN, Kafka, kafka_can_run
from tests.fixtures.line import Line, bridges, can_make_links, ip, wait_until
from tests.fixtures.require import require

CREATE_BRIDGE = (
    '<device><capability type="net"><interface>{}</interface><capability type="bridge"/></capability></device>'
)
MODULES = {AGENT: "hwcensus_agent.main", COLLECTOR: "hwcensus_collector.main"}


class Bridges:
    """Bridges hwcc…x of this network namespace, which all rigs share."""

    executor = "hwcensus_agent.commands.executors.bridge:BridgeExecutor"

    def __init__(self, rig: str) -> None:
        self._rig = rig

    def name(self, number: int) -> str:
        return f"hwcc{number}{self._rig}x"

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

    def is_noted(self, name: str, command: Command, asked: Creation) -> None:
        """There is nothing else."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One that all cases share, and that they may kill."""
    require(can_make_links(), "making network links needs root")
    kafka_can_run()
    broker = Kafka(tmp_path_factory.mktemp("crash-kafka"), SOON_AGAIN)
    broker.start()
    yield broker
    broker.stop()


@contextmanager
def a_rig(kafka: Kafka, name: str, folder: Path) -> Iterator[Rig]:
    with ExitStack() as running:
        line = Line(folder / "line", kafka.bootstrap, kafka.create_topics(), f"sqlite:///{folder / 'sqlite'}", name)
        line.collector["HWCENSUS_INGEST_STATIC"] = "yes"  # a group waits for the member that was killed
        assert line.run("collector", "db", "upgrade").returncode == 0
        here = Here(folder)
        running.callback(here.close)
        settings = {AGENT: line.agent, COLLECTOR: line.collector}
        programs = {one: Forked(MODULES[one], line.folder, settings[one], here) for one in settings}
        rig = Rig(line=line, things=Bridges(name), programs=programs)
        for one in programs:
            rig.start(one)
        wait_until(line.agrees, "the census is there")
        running.enter_context(bridges(*(rig.things.name(number) for number in range(1, 100))))
        yield rig


@pytest.fixture(scope="module")
def rig(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """All cases share the line."""
    with a_rig(kafka, "a", tmp_path_factory.mktemp("crash")) as made:
        yield made


@pytest.fixture(scope="module")
def four(kafka: Kafka, rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Rig]]:
    """So many cases are served by one death of Kafka."""
    with ExitStack() as running:
        more = [running.enter_context(a_rig(kafka, name, tmp_path_factory.mktemp("crash"))) for name in "bcd"]
        yield [rig, *more]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("verb", [CREATE, DESTROY])
def test_a_program_that_is_killed_leaves_one_bridge_or_none_as_the_command_says(
    rig: Rig, verb: str, moment: Moment
) -> None:
    rig.kill_program(verb, moment)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_kafka_that_is_killed_leaves_one_bridge_or_none_as_the_command_says(
    kafka: Kafka, four: list[Rig], moment: Moment
) -> None:
    verbs = (CREATE, DESTROY, CREATE, DESTROY)
    orders = [Order(rig, verb, moment, held=True) for rig, verb in zip(four, verbs, strict=True)]
    kill_kafka(kafka, without=orders[:2], after=orders[2:])
