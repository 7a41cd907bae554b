"""Processors beside what lscpu says of this machine, memory modules beside what dmidecode reads of the same table."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hwcensus import document
from hwcensus.document import JsonValue
from hwcensus_agent.enumerate import enumerate_host
from tests.fixtures.require import require
from tests.unit.smbios_table import install, module, table
from tests.unit.sysfs_tree import Tree, look

UNITS = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


def test_the_processors_of_this_machine_are_lscpus() -> None:
    require(shutil.which("lscpu") is not None, "there is no lscpu (package util-linux)")
    said = json.loads(subprocess.run(["lscpu", "-J"], check=True, capture_output=True, text=True).stdout)
    lscpu = {one["field"].rstrip(":"): one["data"] for one in said["lscpu"]}
    found = [document.survey(one.element) for one in enumerate_host().devices if one.subsystem == "processor"]
    assert len(found) == int(lscpu["Socket(s)"])
    for survey in found:
        facts = survey.facts
        assert facts["processor.vendor"] == lscpu["Vendor ID"]
        assert facts["processor.model"] == lscpu["Model name"]
        assert facts["processor.identification.family"] == int(lscpu["CPU family"])
        assert facts["processor.identification.model"] == int(lscpu["Model"])
        assert facts["processor.identification.stepping"] == lscpu["Stepping"]
        assert facts["processor.cores"] == int(lscpu["Core(s) per socket"])
        threads = int(lscpu["Core(s) per socket"]) * int(lscpu["Thread(s) per core"])
        assert (facts["processor.threads"], survey.state["processor.online"]) == (threads, threads)


def dmidecode(tmp_path: Path, raw: bytes) -> list[dict[str, str]]:
    """Its fields of each memory device, in a dump that begins with an entry point (DSP0134, 5.2.2)."""
    require(shutil.which("dmidecode") is not None, "there is no dmidecode (package dmidecode)")
    entry = bytearray(b"_SM3_\0\x18\x03\x07\0\x01\0" + len(raw).to_bytes(4, "little") + (32).to_bytes(8, "little"))
    entry[5] = -sum(entry) & 0xFF
    (tmp_path / "dump").write_bytes(bytes(entry).ljust(32, b"\0") + raw)
    command = ["dmidecode", "--from-dump", str(tmp_path / "dump"), "-t", "17"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    blocks = [block for block in said.split("\n\n") if "Memory Device" in block]
    return [dict(re.findall(r"^\t([^:\t]+): (.*)$", block, re.M)) for block in blocks]


def test_memory_modules_are_dmidecodes(tmp_path: Path) -> None:
    parts = [
        module("DIMM_A1", "NODE 1", "Samsung", "37A1B2C3", "tag", "M393A4K40DB3-CWE", size=0x7FFF, extended_size=32768),
        module("DIMM_A2", "NODE 1", size=0),
        module("DIMM 3", "BANK 2", "Micron", "E1", "tag", "MTA18", size=0x4000, kind=0x22, speed=5600),
        module(
            "ONBOARD",
            "BANK 3",
            "Hynix",
            "00AA",
            "tag",
            "H9",
            size=0x8200,
            kind=0x1E,
            speed=0xFFFF,
            extended_speed=70000,
        ),
    ]
    tree = Tree(tmp_path)
    (tree.sys / "class/net").mkdir()
    (tree.sys / "devices").mkdir()
    install(tree.sys, *parts)
    devices = look(tree)
    said = dmidecode(tmp_path, table(*parts))
    assert len(said) == len(parts)
    for number, fields in enumerate(said):
        if fields["Size"] == "No Module Installed":
            assert f"dimm_{number}" not in devices
            continue
        facts: Mapping[str, JsonValue] = document.survey(devices[f"dimm_{number}"].element).facts
        count, unit = fields["Size"].split()
        assert facts["dimm.size"] == int(count) * UNITS[unit]
        assert f"{facts['dimm.speed']} MT/s" == fields["Speed"]
        assert (facts["dimm.locator"], facts["dimm.bank"]) == (fields["Locator"], fields["Bank Locator"])
        assert (facts["dimm.manufacturer"], facts["dimm.part"]) == (fields["Manufacturer"], fields["Part Number"])
        assert (facts["dimm.serial"], facts["dimm.memory_type"]) == (fields["Serial Number"], fields["Type"])
