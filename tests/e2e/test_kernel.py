"""What this kernel's devices do is told by the whole line: under a real udevd, and without one."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import Line, bridges, can_make_links, inside, ip, wait_until
from tests.fixtures.process import Process
from tests.fixtures.require import require


@pytest.fixture
def line(tmp_path: Path, kafka: Kafka, kafka_topics: Callable[..., Topics], sqlite_url: str) -> Line:
    require(can_make_links(), "making network links needs root")
    return Line(tmp_path / "line", kafka.bootstrap, kafka_topics(), sqlite_url)


@pytest.fixture
def collector(line: Line) -> Iterator[Process]:
    with line.start_collector() as running:
        yield running


def kinds(line: Line, name: str) -> list[str]:
    told = line.hwcensus("history", line.host, name, "-o", "ndjson")
    assert told.returncode == 0, told.stderr
    return [json.loads(text)["kind"] for text in told.stdout.splitlines()]


@pytest.mark.usefixtures("collector")
def test_under_a_real_udevd_links_come_are_renamed_and_go(line: Line) -> None:
    with line.start_agent_under_udevd() as agent:
        wait_until(lambda: "computer" in line.devices(), "the census is there", agent)
        assert "no udevd" not in agent.output
        inside(agent, "ip", "link", "add", "hwctest5", "type", "bridge")
        wait_until(lambda: "net_hwctest5" in line.devices(), "the bridge is told", agent)
        inside(agent, "ip", "link", "set", "hwctest5", "name", "hwctest6")
        wait_until(lambda: "net_hwctest6" in line.devices(), "its new name is told", agent)
        assert kinds(line, "net_hwctest6") == ["add", "renumbered"]
        inside(agent, "ip", "link", "delete", "hwctest6")
        wait_until(lambda: "net_hwctest6" not in line.devices(), "its removal is told", agent)
        assert agent.popen.poll() is None


@pytest.mark.usefixtures("collector")
def test_enslaving_which_makes_no_uevent_is_told_by_both_sides(line: Line) -> None:
    with line.start_agent_under_udevd() as agent:
        inside(agent, "ip", "link", "add", "hwctest7", "up", "type", "bridge")
        inside(agent, "ip", "link", "add", "hwcifb7", "up", "type", "ifb")
        wait_until(lambda: {"net_hwctest7", "net_hwcifb7"} <= set(line.devices()), "both are told", agent)
        inside(agent, "ip", "link", "set", "hwcifb7", "master", "hwctest7")

        def both_say_so() -> bool:
            port = json.loads(line.hwcensus("show", line.host, "net_hwcifb7", "-o", "json").stdout)
            bridge = json.loads(line.hwcensus("show", line.host, "net_hwctest7", "-o", "json").stdout)
            told = port["facts"].get("net.master"), bridge["state"].get("net.port")
            return told == ("net_hwctest7", ["net_hwcifb7"])

        wait_until(both_say_so, "who is enslaved to whom is told", agent)


@pytest.mark.usefixtures("collector")
def test_veth_is_told_only_where_it_is_included(line: Line) -> None:
    line.agent["HWCENSUS_CENSUS_INCLUDE"] = "net:veth"
    with line.start_agent_under_udevd() as agent:
        inside(agent, "ip", "link", "add", "hwcveth0", "type", "veth", "peer", "name", "hwcveth1")
        wait_until(lambda: {"net_hwcveth0", "net_hwcveth1"} <= set(line.devices()), "both ends are told", agent)


@pytest.mark.usefixtures("collector")
def test_a_loop_device_is_told_from_the_moment_it_has_a_size(line: Line, tmp_path: Path) -> None:
    require(shutil.which("losetup") is not None, "losetup is not installed")
    image = tmp_path / "image"
    image.write_bytes(b"\0" * (4 << 20))
    with line.start_agent() as agent:
        made = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            pytest.skip(f"losetup: {made.stderr}")
        device = made.stdout.strip()
        name = f"block_{Path(device).name}"
        try:
            wait_until(lambda: name in line.devices(), "the loop device is told", agent)
            told = json.loads(line.hwcensus("show", line.host, name, "-o", "json").stdout)
            assert told["facts"]["block.size"] == 4 << 20
            assert told["facts"]["loop.backing_file"] == str(image)
        finally:
            subprocess.run(["losetup", "--detach", device], check=True)
        wait_until(lambda: name not in line.devices(), "its end is told", agent)


@pytest.mark.usefixtures("collector")
def test_a_zram_device_is_told_from_the_moment_it_has_a_size(line: Line) -> None:
    control = Path("/sys/class/zram-control/hot_add")
    if not control.exists():
        pytest.skip("this kernel has no zram")
    number = control.read_text().strip()
    name, folder = f"block_zram{number}", Path(f"/sys/block/zram{number}")
    try:
        with line.start_agent() as agent:
            wait_until(lambda: "computer" in line.devices(), "the census is there", agent)
            assert name not in line.devices()
            folder.joinpath("disksize").write_text(str(8 << 20))
            wait_until(lambda: name in line.devices(), "the zram device is told", agent)
            told = json.loads(line.hwcensus("show", line.host, name, "-o", "json").stdout)
            assert told["facts"]["block.size"] == 8 << 20
            folder.joinpath("reset").write_text("1")
            wait_until(lambda: name not in line.devices(), "its end is told", agent)
    finally:
        control.with_name("hot_remove").write_text(number)


@pytest.mark.usefixtures("collector")
def test_without_udevd_the_kernels_own_uevents_lead_and_the_agent_says_why(line: Line) -> None:
    if Path("/run/udev/control").exists():
        pytest.skip("a udevd runs on this machine")
    with line.start_agent() as agent, bridges("hwctest8"):
        agent.wait_for("no udevd runs here")
        ip("link", "add", "hwctest8", "type", "bridge")
        wait_until(lambda: "net_hwctest8" in line.devices(), "the bridge is told", agent)
