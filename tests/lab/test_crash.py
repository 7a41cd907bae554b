"""The crash matrix with virtual ports of a real kernel: agent, collector and Kafka killed at each step of their life.

The agent is a second one, in the guest that all tests share; its collector and its Kafka are its own.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fixtures.crash import AGENT, COLLECTOR, CREATE, DESTROY, KAFKA_MOMENTS, MOMENTS, Moment, Rig
from tests.fixtures.faults import Forked, Here
from tests.fixtures.kafka import Kafka, kafka_can_run
from tests.fixtures.line import Line, wait_until
from tests.lab.guest import Guest
from tests.lab.lab import Lab

SEEN_AS = Path("/lab/crash")
ADAPTER = "/sys/class/fc_host/host1"
VPORT = (
    '<device><parent>scsi_host1</parent><capability type="scsihost"><capability type="fc">'
    '<address wwnn="{}" wwpn="{}"/></capability></capability></device>'
)


class Inside:
    """The guest."""

    scratch = "/run"

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def spawn(self, command: Sequence[str], settings: Mapping[str, str]) -> None:
        words = shlex.join(["env", *(f"{name}={value}" for name, value in settings.items()), *command])
        self._guest(f"setsid {words} </dev/null >/dev/null 2>&1 &")

    def run(self, script: str) -> object:
        return self._guest(script)


class Vports:
    """Virtual ports of the lab's first adapter; their WWPN is their name."""

    executor = "hwcensus_agent.commands.executors.vport:VportExecutor"

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def name(self, number: int) -> str:
        return f"2001001b32c0{number:04x}"

    def document(self, name: str) -> str:
        return VPORT.format(self._wwnn(name), name)

    def reference(self, name: str) -> str:
        return f"scsi/wwpn/{name}"

    def there(self, name: str) -> int:
        return int(self._guest(f"cat /sys/class/fc_vports/*/port_name 2>/dev/null | grep -cx 0x{name} || true"))

    def make(self, name: str) -> None:
        self._guest(f"echo {name}:{self._wwnn(name)} >{ADAPTER}/vport_create")

    def take(self, name: str) -> None:
        self._guest(f"echo {name}:{self._wwnn(name)} >{ADAPTER}/vport_delete")

    def _wwnn(self, name: str) -> str:
        return f"2000{name[4:]}"


@pytest.fixture(scope="module")
def guest(lab_of_this_run: Lab) -> Iterator[Guest]:
    """What the lab's own agent tells of all cases is nobody's business, but that its devices are as they were."""
    before = lab_of_this_run.begin()
    yield lab_of_this_run.guest
    assert lab_of_this_run.settle() == before


@pytest.fixture(scope="module")
def rig(guest: Guest, lab_folder: Path) -> Iterator[Rig]:
    """All cases share the line, and a Kafka that they may kill."""
    kafka_can_run()
    folder = lab_folder / SEEN_AS.name
    kafka, here = Kafka(folder / "kafka"), Here(folder)
    with ExitStack() as running:
        running.callback(kafka.stop)
        kafka.start()
        database = f"sqlite:///{folder / 'inventory.sqlite'}"
        line = Line(folder, kafka.bootstrap, kafka.create_topics(), database, "crash-lab")
        line.collector["HWCENSUS_INGEST_STATIC"] = "yes"  # a group waits for the member that was killed
        assert line.run("collector", "db", "upgrade").returncode == 0
        agent = line.agent | {
            "HWCENSUS_RUNTIME": "/run/crash",
            "HWCENSUS_SPOOL_PATH": "/run/crash/spool.db",
            "HWCENSUS_COMMANDS_KEYS": str(SEEN_AS / "signing-key.pub"),
            "HWCENSUS_COMMANDS_POLICY": "/lab/policy.toml",
        }
        way = f"TCP-LISTEN:{kafka.port},bind=127.0.0.1,fork,reuseaddr TCP:10.0.2.2:{kafka.port}"
        guest(f"socat {way} >/dev/null 2>&1 & echo $! >/run/way")
        running.callback(guest, "kill $(cat /run/way)")
        running.callback(here.close)
        programs = {
            COLLECTOR: Forked("hwcensus_collector.main", folder, line.collector, here),
            AGENT: Forked("hwcensus_agent.main", folder, agent, Inside(guest), seen_as=SEEN_AS),
        }
        running.callback(programs[AGENT].close)
        rig = Rig(line=line, kafka=kafka, things=Vports(guest), programs=programs)
        for name in programs:
            rig.start(name)
        wait_until(lambda: "scsi_host1" in line.devices(), "the census is there")
        yield rig


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("verb", [CREATE, DESTROY])
def test_a_program_that_is_killed_leaves_one_port_or_none_as_the_command_says(
    rig: Rig, verb: str, moment: Moment
) -> None:
    rig.kill_program(verb, moment)


@pytest.mark.parametrize("moment", KAFKA_MOMENTS, ids=str)
@pytest.mark.parametrize("verb", [CREATE, DESTROY])
def test_a_kafka_that_is_killed_leaves_one_port_or_none_as_the_command_says(
    rig: Rig, verb: str, moment: Moment
) -> None:
    rig.kill_kafka(verb, moment)
