"""`hal`: a hald's 500 devices over the bus, described as XML ÷ one raw pass of GetAllProperties on the same bus."""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from dbus_next.message import Message

from hwcensus import document
from hwcensus_agent.enumerate import Enumerator
from hwcensus_agent.hal.bus import Bus
from hwcensus_agent.hal.client import DEVICE, NAME
from hwcensus_agent.hal.devices import HalDevices
from hwcensus_agent.host import NO_SYSFS
from hwcensus_agent.sources.hal import HalSource
from tests.bench.figure import Figure
from tests.fixtures.hald import private_bus
from tests.fixtures.process import program_environment

DEVICES, ROUNDS, AIM = 500, 5, 2


def hal_figure() -> Figure:
    """Medians of five, the three in turn. An old hald is asked one by one, as the raw pass does."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> Figure:
    async with private_bus(folder) as address:
        old = [await _with_hald(address, "old") for _ in range(ROUNDS)]
        new = [await _with_hald(address) for _ in range(ROUNDS)]
    ours, limit = median(one for one, _ in old), median(raw for _, raw in old)
    return Figure(
        name="hal",
        ours=round(ours, 1),
        limit=round(limit, 1),
        ratio=round(ours / limit, 3),
        unit="ms",
        note=f"{DEVICES} devices as XML, asked one by one ÷ one raw pass of GetAllProperties; in one call"
        f" {median(one for one, _ in new):.1f} ms; aim ≤ {AIM}",
    )


async def _with_hald(address: str, *words: str) -> tuple[float, float]:
    """Milliseconds of ours and of the raw pass, against a hald that is a process of its own."""
    hald = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fixtures.hald", address, "fcserver", str(DEVICES), *words,
        env=program_environment(), stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert hald.stdout is not None
        await hald.stdout.readline()
        began = time.perf_counter()
        udis = await _describe_all(address)
        between = time.perf_counter()
        await _raw_pass(address, udis)
        return (between - began) * 1000, (time.perf_counter() - between) * 1000
    finally:
        hald.kill()
        await hald.wait()


async def _describe_all(address: str) -> list[str]:
    """Everything that an agent does; the udis."""
    devices = HalDevices()
    source = HalSource(address, devices)
    await source.connect()
    assert source.works, source.why_not
    source.close()
    for one in Enumerator(NO_SYSFS, (), devices).everything().devices:
        document.to_bytes(one.element)
    return [device.udi for device in devices.by_path.values()]


async def _raw_pass(address: str, udis: list[str]) -> None:
    bus = Bus(address)
    await bus.connect()
    for udi in udis:
        await bus.call(Message(destination=NAME, path=udi, interface=DEVICE, member="GetAllProperties"))
    bus.hang_up()
