"""`scale`: what a look at a host costs a device, with 10,000 devices and with 2,500; and `agent-10000`, what an agent
needs to know so many.

The host is made (tests/fixtures/san.py): LUNs behind one Fibre Channel port, enumerated and written as XML in process.
"""

import sqlite3
import tempfile
import time
from pathlib import Path
from statistics import median

from hwcensus import document
from hwcensus_agent.enumerate import enumerate_host
from tests.bench.figure import Figure
from tests.bench.idle import imports_mb, peak_mb, rss_mb
from tests.fixtures.kafka import Kafka
from tests.fixtures.line import Line, wait_until
from tests.fixtures.san import San

SIZES = (2_500, 5_000, 10_000)
LUNS = 2_000
ROUNDS = 3
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where sysfs has its files too
RSS_LIMIT_MB = 120.0


def scale_figure() -> Figure:
    """Microseconds of CPU a device at 10,000 ÷ at 2,500, medians of three in turn: 1 is linear."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        hosts = {count: San(Path(folder, str(count))).luns(luns_for(count)) for count in SIZES}
        many = San(Path(folder, "luns")).luns(LUNS)
        took = {count: median(seconds(sysroot) for _ in range(ROUNDS)) for count, sysroot in hosts.items()}
        each = {count: took[count] / devices(sysroot) * 1e6 for count, sysroot in hosts.items()}
        luns = f"{LUNS} LUNs ({devices(many)} devices) in {seconds(many):.2f} s"
    small, large = each[SIZES[0]], each[SIZES[-1]]
    times = ", ".join(f"{count} in {took[count]:.2f} s" for count in SIZES)
    note = f"a device, at {SIZES[-1]} ÷ at {SIZES[0]} devices: {times}; {luns}; aim: linear, ratio ≤ 1.2"
    return Figure(name="scale", ours=large, limit=small, ratio=large / small, unit="µs", note=note)


def luns_for(count: int) -> int:
    """How many LUNs give about that many devices."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        few, more = (devices(San(Path(folder, str(luns))).luns(luns)) for luns in (16, 32))
    return round((count - 2 * few + more) * 16 / (more - few))


def devices(sysroot: Path) -> int:
    """How many there are; each was written as a document."""
    return len([document.to_bytes(one.element) for one in enumerate_host(sysroot=str(sysroot)).devices])


def seconds(sysroot: Path) -> float:
    """CPU time, which neighbours do not lengthen."""
    began = time.process_time()
    devices(sysroot)
    return time.process_time() - began


def agent_figure() -> Figure:
    """RSS in MB of an agent that has told Kafka 10,000 devices ÷ the limit of 120."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        sysroot = San(Path(folder)).luns(luns_for(SIZES[-1]))
        kafka = Kafka(Path(folder, "kafka"))
        kafka.start()
        try:
            line = Line(Path(folder, "line"), kafka.bootstrap, kafka.create_topics(), f"sqlite:///{folder}/i.db")
            line.agent |= {"HWCENSUS_CENSUS_SYSROOT": str(sysroot), "HWCENSUS_PUBLISHER_HEARTBEAT_S": "30"}
            with line.start_agent() as agent:
                told = wait_until(lambda: told_by(line), "all devices are told", agent)
                rss, peak = rss_mb(agent.popen.pid), peak_mb(agent.popen.pid)
        finally:
            kafka.stop()
    note = f"RSS with {told} devices told, of which imports {imports_mb():.0f} MB; peak {peak:.0f} MB; aim: ratio ≤ 1"
    return Figure(name="agent-10000", ours=rss, limit=RSS_LIMIT_MB, ratio=rss / RSS_LIMIT_MB, unit="MB", note=note)


def told_by(line: Line) -> int:
    """How many devices an agent's spool holds as published, once nothing waits there; 0 before."""
    with sqlite3.connect(f"file:{line.folder / 'spool.db'}?mode=ro", uri=True) as spool:
        (waiting,) = spool.execute("SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM sending)").fetchone()
        (published,) = spool.execute("SELECT count(*) FROM published").fetchone()
    return 0 if waiting else int(published)
