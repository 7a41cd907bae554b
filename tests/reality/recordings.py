"""Every recorded host: where it lies, its sysfs unpacked once a run, and the devices that must come out.

`python -m tests.reality.recordings` writes the latter anew, to be read in the diff.
"""

import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus_agent.enumerate import enumerate_host
from tests.fixtures.process import ROOT
from tests.reality import umockdev_tree

HERE = ROOT / "tests/data/recordings"
#: Recordings that may not be copied into the repository.
SHARED = ROOT.parent / "shared/data/recordings"

TREES = ("systemd-thinkpad-t60", "hwloc-40intel64-2g2n4c+pci", "hwloc-2pa-pcidomain32bits",
         "ghw-415ee03b", "ghw-8581cf3a", "lsblk-simple-lvm")  # fmt: skip
UMOCKDEV = ("usbkbd", "synaptics-touchpad", "canon-powershot-sx200", "fcserver", "desktop", "vmware")
ALL = (*TREES, *UMOCKDEV)
#: Devices of the ThinkPad T60, itself included.
T60 = 119


def sysroot_of(recording: str) -> Path:
    """The sysfs of a recording, not to be written into. Skips where the recording may not lie in the repository, and
    does not lie beside it."""
    found = _unpacked(recording)
    if found is None:
        pytest.skip(f"{recording} may not be copied here, and does not lie beside the repository")
    return found


@cache
def _unpacked(recording: str) -> Path | None:
    name = f"{recording}.umockdev" if recording in UMOCKDEV else f"{recording}.tree.tar.xz"
    source = next((path for path in (HERE / name, SHARED / name) if path.exists()), None)
    return None if source is None else unpack(source, Path(_folder().name, recording))


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="hwcensus-recordings-")


def unpack(source: Path, folder: Path) -> Path:
    """A recording's sysfs below `folder`."""
    if source.suffix == ".umockdev":
        return umockdev_tree.build(source, folder)
    shutil.unpack_archive(source, folder)  # ours; Debian 12's Python, 3.11.2, knows no filter yet
    return next(path for path in (folder / "sys", *folder.glob("*/sys")) if path.is_dir())


#: Of each recording every device: its name, its bus and its capabilities.
DEVICES = HERE / "devices.txt"


def stated() -> dict[str, list[str]]:
    """Recording → a line a device, as they must come out."""
    blocks = (block.splitlines() for block in DEVICES.read_text().strip().split("\n\n"))
    return {lines[0].strip("[]"): lines[1:] for lines in blocks}


def found(recording: str) -> list[str]:
    """The same, as they come out."""
    lines = []
    for one in enumerate_host(sysroot=str(sysroot_of(recording))).devices:
        survey = document.survey(one.element)
        words = [*([] if survey.bus is None else [f"bus={survey.bus}"]), *survey.capabilities]
        lines.append(" ".join([one.name, *words]))
    return sorted(lines)


if __name__ == "__main__":
    DEVICES.write_text("\n\n".join("\n".join([f"[{recording}]", *found(recording)]) for recording in ALL) + "\n")
