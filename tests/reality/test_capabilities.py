"""What root may still do with no more than the unit of systemd leaves it: as the shipped agent, not as these tests."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.process import ROOT, program_environment
from tests.fixtures.require import require

UNIT = ROOT / "compose" / "systemd" / "hwcensus-agent.service"
NOBODY = 65534
ASKED = """
import sys
from hwcensus_agent.holders import holders
print(*holders("/sys", sys.argv[1]), sep="\\n")
"""


def confined(*command: str) -> str:
    """What a command says under the unit's capabilities."""
    found = re.search(r"^CapabilityBoundingSet=(.+)$", UNIT.read_text(), re.M)
    assert found is not None
    kept = (f"+{name.removeprefix('CAP_').lower()}" for name in found[1].split())
    done = subprocess.run(
        ["setpriv", f"--bounding-set=-all,{','.join(kept)}", "--no-new-privs", *command],
        capture_output=True, text=True, check=False, env=program_environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    require(os.geteuid() == 0 and Path("/dev/loop-control").exists(), "loop devices need root")
    require(shutil.which("setpriv") is not None, "util-linux's setpriv is not installed")
    file = tmp_path / "disk"
    with file.open("wb") as content:
        content.truncate(1 << 20)
    make = ["losetup", "--find", "--show", str(file)]
    device = subprocess.run(make, check=True, capture_output=True, text=True).stdout.strip()
    yield Path(device)
    subprocess.run(["losetup", "--detach", device], check=True)


def users_of(disk: Path) -> str:
    return confined(sys.executable, "-c", ASKED, f"/sys/devices/virtual/block/{disk.name}")


def test_who_has_a_disk_open_is_seen_whoever_it_is(disk: Path) -> None:
    with disk.open("rb") as opened:
        holder = subprocess.Popen(["sleep", "infinity"], stdin=opened, user=NOBODY)
    try:
        assert users_of(disk) == f"{disk} is open in sleep (pid {holder.pid})"
    finally:
        holder.kill()
        holder.wait()


def test_that_nobody_has_it_open_is_seen_beside_processes_that_are_not_roots(disk: Path) -> None:
    other = subprocess.Popen(["sleep", "infinity"], user=NOBODY)
    try:
        assert users_of(disk) == ""
    finally:
        other.kill()
        other.wait()


def test_a_disk_that_the_kernel_claims_is_asked_for_though_its_file_was_given_to_a_guests_user(
    disk: Path, tmp_path: Path
) -> None:
    subprocess.run(["mkfs.ext4", "-q", disk], check=True)
    script = f"mount {disk} {tmp_path} && echo ready && read _"
    elsewhere = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert elsewhere.stdout is not None
    assert elsewhere.stdout.readline() == "ready\n"
    owned = disk.stat()
    os.chown(disk, NOBODY, NOBODY)
    try:
        assert users_of(disk) == f"{disk} is claimed by the kernel"
    finally:
        os.chown(disk, owned.st_uid, owned.st_gid)
        elsewhere.communicate("\n")
