"""`enumerate-lab`: what `enumerate` measures, in the lab's guest: Debian's kernel, and a udevd that has seen all."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.bench.figure import Figure
from tests.fixtures.process import ROOT
from tests.lab import hardware
from tests.lab.guest import Guest
from tests.lab.image import image

MEASURE = """
import dataclasses, json
from tests.bench.enumerate import enumerate_figure
print(json.dumps(dataclasses.asdict(enumerate_figure())))
"""


def enumerate_lab() -> Figure:
    """One boot; what is measured is the guest's own doing, emulated on both sides."""
    words = [*hardware.slots(), *hardware.controllers()]
    with (
        tempfile.TemporaryDirectory(prefix="hwcensus-lab-") as folder,
        Guest(image(), Path(folder), words, first=hardware.FIRST) as guest,
    ):
        found = Figure(**json.loads(guest(f"cd {ROOT}; {guest.python('-c', MEASURE)}")))
    return replace(found, name="enumerate-lab", note=f"in the lab's guest: {found.note}")
