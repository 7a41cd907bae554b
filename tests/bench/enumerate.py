"""`enumerate`: every device of this machine described as XML ÷ `udevadm info --export-db`, which prints udev's view."""

import subprocess
import time
from collections.abc import Callable
from statistics import median

from hwcensus import document
from hwcensus_agent.enumerate import enumerate_host
from tests.bench.figure import Figure

ROUNDS = 5
AIM = 1.5


def enumerate_figure() -> Figure:
    """Medians of five, the two in turn; imports and schemas are apart, as they are for a running agent."""
    entries = export().count(b"\nP: ") + 1
    ours, theirs = zip(*((_milliseconds(describe_all), _milliseconds(export)) for _ in range(ROUNDS)), strict=True)
    return Figure(
        name="enumerate",
        ours=round(median(ours), 2),
        limit=round(median(theirs), 2),
        ratio=round(median(ours) / median(theirs), 3),
        unit="ms",
        note=f"{describe_all()} devices as XML, in process ÷ udevadm info --export-db ({entries} entries); aim ≤ {AIM}",
    )


def describe_all() -> int:
    """How many devices there are; each was written as a document."""
    return len([document.to_bytes(one.element) for one in enumerate_host().devices])


def export() -> bytes:
    """What udev prints of every device."""
    return subprocess.run(["udevadm", "info", "--export-db"], check=True, stdout=subprocess.PIPE).stdout


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
