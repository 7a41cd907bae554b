"""docs/add-a-device-class.md is true: who does what it says has the two classes of devices that it adds."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from tests.fixtures.process import ROOT, program_environment
from tests.unit.sysfs_tree import Tree

BLOCKS = re.findall(r"^```(?:text|python)\n(.*?)^```$", (ROOT / "docs/add-a-device-class.md").read_text(), re.M | re.S)


class Clone:
    """A copy of what the guide changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in ("common/hwcensus", "agent/hwcensus_agent"):
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))

    def insert(self, file: str, before: str, text: str) -> None:
        path = self.folder / file
        content = path.read_text()
        assert content.count(before) == 1, f"{file} has no single {before!r}"
        path.write_text(content.replace(before, text + before))

    def run(self, *words: str) -> bytes:
        packages = ":".join(str(self.folder / package) for package in ("common", "agent"))
        environment = program_environment(PYTHONPATH=packages)
        done = subprocess.run([sys.executable, "-m", *words], env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def capability(self, tree: Tree, device: str) -> etree._Element:
        """What the changed agent says of a device, by the changed schema."""
        self.run("hwcensus.schema")
        found = etree.fromstring(self.run("hwcensus_agent.main", "dump", "--sysroot", str(tree.sys), device))
        schema = etree.RelaxNG(etree.parse(self.folder / "common/hwcensus/schema/device.rng"))
        schema.assertValid(found)
        (capability,) = found.iterchildren("capability")
        return capability


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "host")


def said(capability: etree._Element) -> list[tuple[str, str | None]]:
    return [("type", capability.get("type")), *((str(child.tag), child.text) for child in capability)]


def test_a_class_of_the_long_tail_is_one_line(clone: Clone, tree: Tree) -> None:
    clone.insert("common/hwcensus/classes/longtail.py", '    line("watchdog"', BLOCKS[0])
    tree.device("class/backlight", "devices/pci0000:00/0000:00:02.0/backlight/intel_backlight", type="raw",
                max_brightness="1515")  # fmt: skip
    capability = clone.capability(tree, "backlight_intel_backlight")
    assert said(capability) == [("type", "backlight"), ("type", "raw"), ("max_brightness", "1515")]
    assert "| `backlight.max_brightness` | number |" in clone.run("hwcensus_agent.describe.facts_page").decode()


def test_a_class_with_rules_of_its_own_is_two_small_files(clone: Clone, tree: Tree) -> None:
    (clone.folder / "common/hwcensus/classes/leds.py").write_text(BLOCKS[1])
    (clone.folder / "agent/hwcensus_agent/describe/leds.py").write_text(BLOCKS[2])
    classes, describers = "common/hwcensus/classes/__init__.py", "agent/hwcensus_agent/describe/__init__.py"
    clone.insert(classes, "    longtail,\n", "    leds,\n")
    clone.insert(classes, "        generic.Generic,\n", "        leds.Led,\n")
    clone.insert(describers, "    longtail,\n", "    leds,\n")
    clone.insert(describers, '    ("input", ANY)', '    ("leds", ANY): leds.describe,\n')
    clone.insert(describers, "longtail, generic,", "leds, ")
    tree.device("class/leds", "devices/platform/pad/leds/pad:rgb:kbd", max_brightness="255", multi_index="red green")
    tree.device("class/leds", "devices/platform/thinkpad_acpi/leds/tpacpi:green:batt")
    assert said(clone.capability(tree, "leds_pad_rgb_kbd")) == [
        ("type", "led"), ("color", "red"), ("color", "green"), ("function", "kbd"), ("levels", "255")
    ]  # fmt: skip
    assert said(clone.capability(tree, "leds_tpacpi_green_batt")) == [
        ("type", "led"), ("color", "green"), ("function", "batt")
    ]  # fmt: skip
