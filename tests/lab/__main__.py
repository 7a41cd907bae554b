"""`python -m tests.lab [SCRIPT]...`: the lab's machine by hand. Each script, or line of the input, runs in the guest.

A line `qmp COMMAND name=value …` goes to QEMU's monitor instead: `qmp device_add driver=e1000e id=x bus=rp0`.
"""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.lab import hardware
from tests.lab.guest import Guest
from tests.lab.image import image


def main(scripts: Iterable[str]) -> int:
    words = [*hardware.slots(), *hardware.controllers()]
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="hwcensus-lab-") as folder,
        Guest(image(), Path(folder), words, first=hardware.FIRST) as guest,
    ):
        print(f"lab: up in {guest.booted_s:.0f} s", file=sys.stderr, flush=True)
        for script in scripts:
            try:
                print(run(guest, script), flush=True)
            except (AssertionError, ValueError) as error:
                print(error, file=sys.stderr, flush=True)
                failed = 1
    return failed


def run(guest: Guest, script: str) -> str:
    first, *words = script.split()
    if first != "qmp":
        return guest(script).rstrip("\n")
    command, *given = words
    arguments = dict(word.split("=", 1) for word in given)
    return str(guest.qmp(command, **{name: int(v) if v.isdecimal() else v for name, v in arguments.items()}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or (line for line in sys.stdin if line.strip())))
