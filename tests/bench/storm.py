"""`storm`: CPU of an agent while 10,000 change uevents of the kernel come within 10 s, and nothing has changed.

So do NVMe hosts, and block devices that somebody opens for writing again and again. Nothing may go out.
"""

import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.idle import cpu_seconds
from tests.fixtures.kafka import Kafka
from tests.fixtures.line import Line

DEVICES, EVENTS, SECONDS = 20, 10_000, 10.0
LIMIT = 0.20  # of one core
SETTLE_S = 3.0
#: In a process of its own, for what the writing costs is not the agent's. The kernel tells of each write.
WRITER = """
import sys, time
events, seconds, files = int(sys.argv[1]), float(sys.argv[2]), [open(path, "w") for path in sys.argv[3:]]
began = time.monotonic()
for number in range(events):
    file = files[number % len(files)]
    file.write("change")
    file.flush()
    time.sleep(max(0, began + (number + 1) * seconds / events - time.monotonic()))
"""


def storm_figure() -> Figure:
    """Share of a core ÷ 0.2."""
    names = [f"hwcb{number}" for number in range(DEVICES)]
    with tempfile.TemporaryDirectory() as folder:
        kafka = Kafka(Path(folder, "kafka"))
        kafka.start()
        try:
            for name in names:
                subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
            line = Line(Path(folder, "line"), kafka.bootstrap, kafka.create_topics(), f"sqlite:///{folder}/i.db")
            line.agent["HWCENSUS_PUBLISHER_HEARTBEAT_S"] = "30"
            with line.start_agent() as agent:
                time.sleep(SETTLE_S)
                share = measure(agent.popen.pid, [f"/sys/class/net/{name}/uevent" for name in names], line)
        finally:
            for name in names:
                subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
            kafka.stop()
    note = (
        f"of a core, for {EVENTS} change uevents of {DEVICES} devices in {SECONDS:.0f} s that change nothing; aim ≤ 1"
    )
    return Figure(name="storm", ours=share, limit=LIMIT, ratio=share / LIMIT, unit="cores", note=note)


def measure(pid: int, files: list[str], line: Line) -> float:
    """Share of a core, all that the storm leaves to do included. AssertionError where something was told."""
    told, before = last_number(line), cpu_seconds(pid)
    subprocess.run([sys.executable, "-c", WRITER, str(EVENTS), str(SECONDS), *files], check=True)
    time.sleep(SETTLE_S)
    spent = cpu_seconds(pid) - before
    assert last_number(line) == told, "something went out"
    return spent / SECONDS


def last_number(line: Line) -> tuple[str, int]:
    with sqlite3.connect(f"file:{line.folder / 'spool.db'}?mode=ro", uri=True) as spool:
        found: tuple[str, int] = spool.execute("SELECT stream, last_seq FROM stream ORDER BY number DESC").fetchone()
    return found
