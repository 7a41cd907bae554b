"""A program that `hwcensus up` runs: started with a log of its own, watched, and stopped; it never outlives `up`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hwcensus.errors import HwcensusError

STOP_WITHIN_S = 15.0
_LONGEST_WORDS = 500


class Child:
    """One program, and where its log is."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path, begin: int) -> None:
        self.name, self.process, self.log = name, process, log
        #: Where in the log its own words begin, in bytes.
        self._begin = begin

    def check(self) -> None:
        """Raises HwcensusError with its last words where the program has ended."""
        code = self.process.poll()
        if code is None:
            return
        how = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        raise HwcensusError(
            f"the {self.name} ended ({how}): {self._last_words()}; {self.log} has the rest", code="child-ended"
        )

    def _last_words(self) -> str:
        lines = self.log.read_bytes()[self._begin :].decode(errors="replace").splitlines()
        return lines[-1][:_LONGEST_WORDS] if lines else "it said nothing"


@contextmanager
def child(name: str, settings: Mapping[str, str], folder: Path, *words: str) -> Iterator[Child]:
    """A module with its arguments, with `settings` as its environment; stopped at the end."""
    log = folder / f"{name}.log"
    with log.open("ab") as stream:
        begin = stream.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "hwcensus.cli.tied", str(os.getpid()), *words],
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            process_group=0,  # Ctrl-C is ours to pass on, in order
        )
    try:
        yield Child(name, process, log, begin)
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
