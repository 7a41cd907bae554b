"""Every row of docs/facts.md, and every origin in it, has a test that fails if the fact is wrong."""

import subprocess
import sys

import pytest

from tests.fixtures.process import ROOT, program_environment


def wrong_facts(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import sys; from tests.wrong_facts import main; sys.exit(main({script}))"],
        cwd=ROOT, env=program_environment(), capture_output=True, text=True, check=False, timeout=850,
    )  # fmt: skip


@pytest.mark.timeout(900)
def test_every_fact_has_a_test_that_notices_when_it_is_wrong() -> None:
    done = wrong_facts("")
    assert done.returncode == 0, done.stdout


def test_what_no_test_looks_at_is_told() -> None:
    done = wrong_facts("('virtio.vendor', 'usb.address.'), ('tests/unit/test_describe_usb.py',)")
    assert done.returncode != 0
    said = [line for line in done.stdout.splitlines() if line.startswith(("unnoticed", "untested"))]
    assert said == ["untested: virtio.vendor by sysfs"]
