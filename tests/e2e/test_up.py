"""`hwcensus up`: everything of one machine under one command, and a census that outlives a broker that forgets."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hwcensus_agent.look import HostLook
from hwcensus_agent.settings import CensusSettings
from tests.fixtures.kafka import free_port
from tests.fixtures.line import bridges, can_make_links, ip, wait_until
from tests.fixtures.process import Process, program_environment
from tests.fixtures.require import require

pytest.importorskip("confluent_kafka")


class Up:
    """One `hwcensus up` and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"

    @contextmanager
    def running(self) -> Iterator[Process]:
        words = ["up", "--dir", str(self.folder), "--listen", self.address, "--name", "here"]
        with Process([sys.executable, "-m", "hwcensus.cli", *words], env=program_environment()) as up:
            up.ready("ready: http", seconds=60)
            yield up

    def ask(self, *words: str) -> list[dict[str, object]]:
        environment = program_environment(HWCENSUS_URL=f"http://{self.address}")
        command = [sys.executable, "-m", "hwcensus.cli", *words, "-o", "ndjson"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def shows_all(self) -> bool:
        """Whether the inventory has every device of this machine: it is ready with the first."""
        return {one["name"] for one in self.ask("list")} == {sight.name for sight in HostLook(CensusSettings())().seen}


@pytest.fixture
def up(tmp_path: Path) -> Up:
    return Up(tmp_path / "up")


def child_of(up: Process, module: str) -> int:
    """The process id of one of the programs that `up` runs."""
    for pid in Path(f"/proc/{up.popen.pid}/task/{up.popen.pid}/children").read_text().split():
        if module in Path(f"/proc/{pid}/cmdline").read_text():
            return int(pid)
    raise AssertionError(f"{module} does not run under {up.command}")


def test_the_census_outlives_a_broker_that_forgets(up: Up) -> None:
    require(can_make_links(), "making network links needs root")
    with up.running() as first:
        wait_until(up.shows_all, "the census is there", first)
        before = up.ask("changes", "--since", "1d")
        assert {change["kind"] for change in before} == {"add"}
    with bridges("hwcup1"):
        ip("link", "add", "hwcup1", "type", "bridge")
        with up.running() as again:
            wait_until(up.shows_all, "the bridge is told", again)
            after = up.ask("changes", "--since", "1d")
    assert after[: len(before)] == before
    assert [(change["kind"], change["name"]) for change in after[len(before) :]] == [("add", "net_hwcup1")]


def test_the_keys_and_the_brokers_address_are_for_their_owner_only(up: Up) -> None:
    with up.running():
        for name in ("signing-key", "broker", "spool.db"):
            assert up.folder.joinpath(name).stat().st_mode & 0o077 == 0, name


def test_a_program_that_dies_ends_all_and_is_named(up: Up) -> None:
    words = ["up", "--dir", str(up.folder), "--listen", up.address, "--name", "here"]
    process = Process([sys.executable, "-m", "hwcensus.cli", *words], env=program_environment())
    process.ready("ready: http", seconds=60)
    agent = child_of(process, "hwcensus_agent")
    collector = child_of(process, "hwcensus_collector")
    os.kill(agent, signal.SIGKILL)
    assert process.wait(seconds=30) == 1
    assert "the agent ended" in process.output
    assert not Path(f"/proc/{collector}").exists()


def test_it_stops_cleanly_and_leaves_no_program_behind(up: Up) -> None:
    with up.running() as process:
        children = [child_of(process, "hwcensus_agent"), child_of(process, "hwcensus_collector")]
        assert process.stop() == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def try_up(folder: Path, address: str) -> tuple[int, str]:
    """The exit code and stderr of a second `up` that cannot run."""
    words = [sys.executable, "-m", "hwcensus.cli", "up", "--dir", str(folder), "--listen", address, "--name", "here"]
    done = subprocess.run(words, env=program_environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_second_one_is_refused_before_it_starts_anything(up: Up, tmp_path: Path) -> None:
    with up.running() as process:
        code, said = try_up(up.folder, f"127.0.0.1:{free_port()}")
        assert (code, said.count("\n")) == (4, 1)
        assert f"already-running: another `hwcensus up` (process {process.popen.pid})" in said
        code, said = try_up(tmp_path / "other", up.address)
        assert (code, said.count("\n")) == (4, 1)
        assert f"address-taken: another program listens at {up.address}" in said


def test_a_folder_that_cannot_be_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = try_up(tmp_path / "file", "127.0.0.1:1")
    assert (code, said.count("\n")) == (2, 1)


def test_killed_it_takes_its_programs_along_and_starts_again(up: Up) -> None:
    with up.running() as process:
        children = [child_of(process, "hwcensus_agent"), child_of(process, "hwcensus_collector")]
        before = up.ask("list")
        process.kill()
        wait_until(lambda: not any(map(runs, children)), "its programs end")
    with up.running():
        assert {device["identity"] for device in before} <= {device["identity"] for device in up.ask("list")}


def runs(pid: int) -> bool:
    """Whether it lives; a zombie that nobody collects does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
