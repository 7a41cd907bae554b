"""`libvirt`: the time until a made host is written whole, beside libvirt's own daemon over the same sysfs."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from lxml import etree

from hwcensus import document
from tests.bench.figure import Figure
from tests.bench.scale import LUNS, MEMORY
from tests.fixtures.libvirt import NodeDevices, node_devices
from tests.fixtures.process import program_environment
from tests.fixtures.san import San

ROUNDS = 3
DUMP = [sys.executable, "-m", "hwcensus_agent.main", "dump", "--sysroot"]


def libvirt_figure() -> Figure:
    """Seconds from the start of either until every device of 2,000 LUNs is written, medians of three in turn."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        sysroot = San(Path(folder)).luns(LUNS)
        rounds = [(dump(sysroot), node_devices(sysroot)) for _ in range(ROUNDS)]
    (_, ours), theirs = rounds[-1]
    seconds = median(took for (took, _), _ in rounds)
    limit = median(found.listed + found.dumped for _, found in rounds)
    listed = median(found.listed for _, found in rounds)
    note = (
        f"{LUNS} LUNs: {len(ours)} devices with {sum(map(facts, ours))} facts, libvirt {len(theirs.devices)} with "
        f"{libvirt_facts(theirs)}, its list alone {listed:.2f} s; aim: ratio ≤ 1"
    )
    return Figure(name="libvirt", ours=seconds, limit=limit, ratio=seconds / limit, unit="s", note=note)


def dump(sysroot: Path) -> tuple[float, list[etree._Element]]:
    """How long `hwcensus-agent dump` takes, and its documents."""
    began = time.perf_counter()
    done = subprocess.run([*DUMP, str(sysroot)], env=program_environment(), capture_output=True, check=True)
    return time.perf_counter() - began, list(etree.fromstring(done.stdout))


def facts(device: etree._Element) -> int:
    survey = document.survey(device)
    return sum(map(len, (survey.frame, survey.facts, survey.state)))


def libvirt_facts(found: NodeDevices) -> int:
    """Texts and attributes, but the types of capabilities and nodes."""
    elements = [element for device in found.devices.values() for element in device.iter()]
    texts = sum(bool(element.text and element.text.strip()) for element in elements)
    return texts + sum(len(element.attrib) - ("type" in element.attrib) for element in elements)
