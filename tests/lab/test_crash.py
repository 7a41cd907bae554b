"""The crash matrix with virtual ports of a real kernel: agent, collector and Kafka killed at each step of their life.

The agent is a second one, in the guest that all tests share; its collector and its Kafka are its own.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from hwcensus.client import Command
from hwcensus.client.creation import Creation
from tests.fixtures.crash import AGENT, COLLECTOR, CREATE, DESTROY, MOMENTS, Moment, Order, Rig, kill_kafka
from tests.fixtures.faults import Forked, Here
from tests.fixtures.kafka import SOON_AGAIN, Kafka, kafka_can_run
from tests.fixtures.line import Line, wait_until
from tests.lab.guest import Guest
from tests.lab.lab import Lab

SEEN_AS, RUN = Path("/lab/crash"), "/run/crash"
EXECUTOR = "hwcensus_agent.commands.executors.vport:VportExecutor"
ADAPTER = "/sys/class/fc_host/host1"
VPORT = (
    '<device><parent>scsi_host1</parent><capability type="scsihost"><capability type="fc">'
    '<address wwnn="{}" wwpn="{}"/></capability></capability></device>'
)
#: Of a Kafka that dies. Before the first and after the last nothing is asked of the kernel, and what is not committed
#: is so in the next moment, with no word to Kafka in between: at those bridges will do (tests/e2e/test_crash.py).
AT_THE_PORT = ("accepted", "begun", "done", "seen", "ended", "result numbered", "result sent")
ONLINE, KEPT = Creation(require="online"), Creation(persistent=True)
#: Of a create that the fabric does not take, and that is to be undone. An agent that finds nothing there does not say
#: who took it away.
UNDONE = [
    Moment(name=name, program=AGENT, place=place, after=after, code=code, told=told, asked=ONLINE | Creation(valid=10))
    for name, place, after, code, told in (
        ("waits for the fabric", f"{EXECUTOR}.health", False, "not-online", ("add", "remove")),
        ("to be undone", f"{EXECUTOR}.undo", False, "not-online", ("add", "remove")),
        ("undone", f"{EXECUTOR}.undo", True, "interrupted", ("add",)),
    )
]
WISH, FILE = "hwcensus_agent.desired:write_whole", "desired.json"
#: Of a command about a port that is made again at every boot.
WISHES = [
    Moment(name=name, program=AGENT, place=place, after=after, given=given, asked=KEPT)
    for name, place, after, given in (
        ("wish not written", WISH, False, FILE),
        ("wish written beside", "pathlib:Path.replace", False, FILE),
        ("wish written", WISH, True, FILE),
    )
]
WAITS = Moment(name="waits", program=AGENT, place=f"{EXECUTOR}.health", asked=ONLINE | KEPT)


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

    executor = EXECUTOR

    def __init__(self, guest: Guest, line: Line) -> None:
        self._guest, self._line = guest, line

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

    def is_noted(self, name: str, command: Command, asked: Creation) -> None:
        """Who has its name, as docs/wwn-pools.md tells, and whether it is made again at boot."""
        is_made = (command.type, command.state) == (CREATE, "succeeded")
        wanted = self._guest(f"cat {RUN}/desired.json 2>/dev/null || true")
        assert (name in wanted) == (is_made and bool(asked.get("persistent")))
        assert (
            self._line.wwn(name)
            == {
                (CREATE, None): ("held", "create"),
                (CREATE, "not-online"): None,
                (CREATE, "interrupted"): ("quarantined", "unknown"),
                (DESTROY, None): ("quarantined", "destroy"),
                (DESTROY, "interrupted"): None,  # made behind our back, and there
            }[command.type, command.code]
        )

    def _wwnn(self, name: str) -> str:
        return f"2000{name[4:]}"


@pytest.fixture(scope="module")
def guest(lab_of_this_run: Lab) -> Iterator[Guest]:
    """What the lab's own agent tells of all cases is nobody's business, but that its devices are as they were."""
    before = lab_of_this_run.begin()
    yield lab_of_this_run.guest
    assert lab_of_this_run.settle() == before


@pytest.fixture(scope="module")
def kafka(lab_folder: Path) -> Iterator[Kafka]:
    """One that all cases share, and that they may kill."""
    kafka_can_run()
    broker = Kafka(lab_folder / SEEN_AS.name / "kafka", SOON_AGAIN)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def rig(kafka: Kafka, guest: Guest, lab_folder: Path) -> Iterator[Rig]:
    """All cases share the line."""
    folder = lab_folder / SEEN_AS.name
    here = Here(folder)
    with ExitStack() as running:
        database = f"sqlite:///{folder / 'inventory.sqlite'}"
        line = Line(folder, kafka.bootstrap, kafka.create_topics(), database, "crash-lab")
        line.collector["HWCENSUS_INGEST_STATIC"] = "yes"  # a group waits for the member that was killed
        assert line.run("collector", "db", "upgrade").returncode == 0
        agent = line.agent | {
            "HWCENSUS_RUNTIME": RUN,
            "HWCENSUS_SPOOL_PATH": f"{RUN}/spool.db",
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
        rig = Rig(line=line, things=Vports(guest, line), programs=programs)
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


@pytest.mark.parametrize("moment", [one for one in MOMENTS if one.name in AT_THE_PORT], ids=str)
@pytest.mark.parametrize("verb", [CREATE, DESTROY])
def test_a_port_is_made_or_taken_away_while_a_kafka_that_was_killed_is_away(
    kafka: Kafka, rig: Rig, verb: str, moment: Moment
) -> None:
    kill_kafka(kafka, without=[Order(rig, verb, moment, held=True)], after=[])


@pytest.fixture
def unwilling_fabric(guest: Guest) -> Iterator[None]:
    """A switch that does not take the port; the kernel makes it all the same."""
    guest("fabric knobs '{\"npiv_max\": 0}'")
    yield
    guest("fabric knobs '{}'")


@pytest.mark.usefixtures("unwilling_fabric")
@pytest.mark.parametrize("moment", UNDONE, ids=str)
def test_an_agent_that_is_killed_while_it_waits_or_undoes_leaves_no_port_and_says_so(rig: Rig, moment: Moment) -> None:
    rig.kill_program(CREATE, moment)


@pytest.mark.parametrize("moment", WISHES, ids=str)
@pytest.mark.parametrize("verb", [CREATE, DESTROY])
def test_an_agent_that_is_killed_leaves_the_wish_for_a_port_as_the_command_says(
    rig: Rig, verb: str, moment: Moment
) -> None:
    rig.kill_program(verb, moment)


def test_an_agent_that_is_killed_while_a_port_comes_online_finds_it_so_and_keeps_it(rig: Rig) -> None:
    rig.kill_program(CREATE, WAITS)
