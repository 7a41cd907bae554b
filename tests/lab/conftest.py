"""What the lab's tests share: the image, and one guest with one agent for all of them.

They are marked `lab`: `pytest tests/lab` runs them alone, `pytest -m "not lab"` leaves them out.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwcensus.broker import EmbeddedBroker
from tests.fixtures.require import require
from tests.lab import hardware
from tests.lab.console import Console
from tests.lab.guest import Guest
from tests.lab.image import Image, NoImage, image
from tests.lab.lab import Lab
from tests.lab.listener import Listener
from tests.lab.vports import LEFT, SPARE

HERE = Path(__file__).parent
SECONDS = 600.0  # a boot is in the first test's time
said: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(SECONDS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in said:
        terminalreporter.write_line(f"lab: {line}")


@pytest.fixture(scope="session")
def lab_image() -> Image:
    """The guest's image. What the agent imports is there as bytecode: the guest may read this repository, not write."""
    require(os.geteuid() == 0, "the lab needs root")
    try:
        found = image()
    except NoImage as error:
        require(False, str(error))
        raise
    said.append(found.made)
    subprocess.run([sys.executable, "-c", "import hwcensus_agent.run, hwcensus_agent.main"], check=True)
    return found


@pytest.fixture(scope="session")
def lab_folder() -> Iterator[Path]:
    """The guest's /lab. Not pytest's folder: a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="hwcensus-lab-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def lab_broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(scope="session")
def console_of_this_run(lab_folder: Path, lab_broker: EmbeddedBroker) -> Iterator[Console]:
    """Its collector runs from the beginning: the embedded broker keeps no long past. Tests use `console`."""
    console = Console(lab_folder / "centre", lab_broker.address)
    with console.start():
        yield console


@pytest.fixture(scope="session")
def lab_of_this_run(
    lab_image: Image, lab_folder: Path, lab_broker: EmbeddedBroker, console_of_this_run: Console
) -> Iterator[Lab]:
    """Tests use `lab`."""
    words = [*hardware.slots(), *hardware.controllers()]
    with (
        Guest(lab_image, lab_folder, words, first=hardware.FIRST, forward=[port_of(lab_broker)]) as guest,
        Listener(lab_broker.address, "events") as listener,
    ):
        guest(f"fabric switch 0 1 2; fabric adapter 0; fabric adapter 1; fabric target host2 {hardware.INITIATOR}")
        lab = Lab(guest, listener, lab_broker.address, console_of_this_run.agent)
        lab.start_agent()
        lab.sees("scsi_host1", fc__port="Online")
        lab.sees("scsi_host2", fc__port="Online")
        said.append(f"guest up in {guest.booted_s:.0f} s, its {len(lab.census)} devices told in {lab.told_s:.0f} s")
        yield lab


def port_of(broker: EmbeddedBroker) -> int:
    return int(broker.address.rpartition(":")[2])


@pytest.fixture
def lab(lab_of_this_run: Lab) -> Iterator[Lab]:
    """The lab, which each test leaves as it found it."""
    before = lab_of_this_run.begin()
    yield lab_of_this_run
    assert lab_of_this_run.end() == before


@pytest.fixture
def console(lab: Lab, console_of_this_run: Console) -> Iterator[Console]:
    """The operator's side of the lab: what the test ordered has ended, and the inventory holds what was told."""
    console_of_this_run.settle(lab.listener)
    yield console_of_this_run
    lab.end()
    console_of_this_run.settle(lab.listener)


@pytest.fixture
def ports_of_a_test_that_failed(lab: Lab) -> Iterator[None]:
    """They are not to be in the way of the next one."""
    yield
    left = lab.guest(LEFT)
    if left:
        lab.guest(f"until [ ! -e /sys/class/scsi_host/{SPARE.removeprefix('scsi_')} ]; do sleep 0.1; done")
        lab.settle()


@pytest.fixture
def spare(lab: Lab) -> Iterator[str]:
    """One more adapter, with a cable of its own."""
    lab.guest("fabric adapter 2")
    lab.hears(f"add {SPARE}")
    lab.sees(SPARE, fc__port="Online")
    yield SPARE
    lab.guest("echo fc2 >/sys/bus/fcoe/ctlr_destroy")
    lab.hears(f"remove {SPARE}")
