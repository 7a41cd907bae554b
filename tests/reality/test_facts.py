"""Every row of docs/facts.md has a test that fails if the fact is wrong."""

import subprocess
import sys

import pytest

from tests.fixtures.process import ROOT, program_environment


@pytest.mark.timeout(900)
def test_every_fact_has_a_test_that_notices_when_it_is_wrong() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.wrong_facts"],
        cwd=ROOT, env=program_environment(), capture_output=True, text=True, check=False, timeout=850,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
