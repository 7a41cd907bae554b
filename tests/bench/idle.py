"""`agent-idle`: resident memory, CPU and wakeups of an agent with 200 devices that has nothing to do."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figure import Figure
from tests.fixtures.kafka import Kafka
from tests.fixtures.line import Line
from tests.fixtures.process import program_environment

DEVICES = 200
SETTLE_S, MEASURED_S = 8.0, 20.0
LIMIT_MB = 60.0
#: What the agent imports, and nothing of ours: the share that libraries take.
IMPORTS = "import asyncio, sqlite3, lxml.etree, aiokafka"


def idle_figure() -> Figure:
    """RSS in MB ÷ the limit of 60; CPU and wakeups in the note."""
    with tempfile.TemporaryDirectory() as folder:
        kafka = Kafka(Path(folder, "kafka"))
        kafka.start()
        names = [f"hwcb{number}" for number in range(DEVICES)]
        try:
            for name in names:
                subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
            line = Line(Path(folder, "line"), kafka.bootstrap, kafka.create_topics(), f"sqlite:///{folder}/i.db")
            line.agent["HWCENSUS_PUBLISHER_HEARTBEAT_S"] = "30"
            with line.start_agent() as agent:
                time.sleep(SETTLE_S)
                cpu, wakeups, rss = measure(agent.popen.pid)
        finally:
            for name in names:
                subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
            kafka.stop()
    note = (
        f"RSS with {DEVICES}+ devices, of which imports {imports_mb():.0f} MB; CPU {cpu:.2%} of a core (aim 0.2 %),"
        f" {wakeups:.1f} wakeups/s; aim: ratio ≤ 1"
    )
    return Figure(name="agent-idle", ours=rss, limit=LIMIT_MB, ratio=rss / LIMIT_MB, unit="MB", note=note)


def measure(pid: int) -> tuple[float, float, float]:
    """(share of a core, voluntary context switches a second over all threads, RSS in MB)."""
    before, switched, at = cpu_seconds(pid), switches(pid), time.monotonic()
    time.sleep(MEASURED_S)
    seconds = time.monotonic() - at
    return (cpu_seconds(pid) - before) / seconds, (switches(pid) - switched) / seconds, rss_mb(pid)


def cpu_seconds(pid: int) -> float:
    """Of the whole process, from the scheduler's own nanoseconds (proc(5), schedstat), finer than clock ticks."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int(Path(task, "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def switches(pid: int) -> int:
    lines = [
        line for task in Path(f"/proc/{pid}/task").iterdir() for line in Path(task, "status").read_text().splitlines()
    ]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb(pid: int) -> float:
    """The most that it ever was (VmHWM, in kB)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")) / 1e6


def imports_mb() -> float:
    """RSS of a Python that has only imported the agent's libraries."""
    code = f"{IMPORTS}\nprint(open('/proc/self/statm').read().split()[1])"
    done = subprocess.run([sys.executable, "-c", code], env=program_environment(), capture_output=True, check=True)
    return int(done.stdout) * os.sysconf("SC_PAGE_SIZE") / 1e6
