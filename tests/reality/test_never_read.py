"""Attributes that do something when they are touched, or ask slow hardware: nothing of ours ever reads one."""

import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from hwcensus_agent import describe, sysfs
from hwcensus_agent.enumerate import enumerate_host
from tests.reality.test_recordings import t60

__all__ = ["t60"]

#: Ends of paths below /sys, and why not.
NEVER = {
    r"hot_add": "a read makes a new zram device (Documentation/admin-guide/blockdev/zram.rst)",
    r"hot_remove|vport_(create|delete)|issue_lip|rescan(_controller)?|remove(_id)?|delete(_controller)?|scan|reset"
    r"|reset_controller|(un)?bind|new_id|drivers_probe": "they are there to be written",
    r"statistics/.*": "an fc_host asks its adapter for each (sysfs-class-fc_host); an interface's are no hardware",
    r"(hw_)?counters/.*": "InfiniBand asks the adapter",
    r"em_message": "asks the enclosure",
    r"pcrs|caps": "the TPM is asked by commands that take seconds",
    r"rom|resource\d+(_wc)?": "the device's own memory: reads of it have effects",
    r"eeprom|spd|nvmem": "a slow bus, which others may be using",
    r"(temp|in|fan|curr|power|energy|freq)\d+_(input|average)": "a slow bus; drivetemp wakes the drive",
    r"(voltage|current|power|charge|energy)_(now|avg)": "the embedded controller is asked",
    r"trace_pipe|kmsg": "a read takes away what it gives",
}
_NEVER = re.compile("|".join(f"(?:{pattern})" for pattern in NEVER))


def forbidden(attribute: str) -> bool:
    """By any end of its path: `rescan`, `statistics/tx_frames`."""
    parts = attribute.split("/")
    return any(_NEVER.fullmatch("/".join(parts[at:])) for at in range(len(parts)))


def attributes_in_the_table() -> Iterator[str]:
    for fact in describe.facts():
        for words in fact.origins.values():
            yield from re.findall(r"`([^`\s]+)`", words)


def test_no_fact_says_that_it_comes_from_one() -> None:
    named = set(attributes_in_the_table())
    assert {"vendor", "address", "queue/rotational"} <= named
    assert sorted(filter(forbidden, named)) == []


@pytest.mark.parametrize("host", ["recorded", "this"])
def test_none_is_read_of_a_whole_host(host: str, request: pytest.FixtureRequest) -> None:
    sysroot = "/sys" if host == "this" else str(request.getfixturevalue("t60"))
    read, paths = sysfs.read, set[str]()

    def noted(path: str, *, absent: frozenset[int] = frozenset(), limit: int = sysfs.PAGE) -> bytes | None:
        paths.add(path)
        return read(path, absent=absent, limit=limit)

    with patch.object(sysfs, "read", noted):
        enumerate_host(sysroot=sysroot)
    assert len(paths) > 50
    assert sorted(path for path in paths if forbidden(path.removeprefix(sysroot))) == []
    assert forbidden("class/zram-control/hot_add")
    assert forbidden(str(Path(sysroot, "class/fc_host/host5/statistics/tx_frames")))
