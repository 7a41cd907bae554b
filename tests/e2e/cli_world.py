"""`hwcensus` as a process, with or without a terminal, and what came of it in the collector."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime

from hwcensus_collector import tables
from tests.fixtures.process import program_environment
from tests.wire.census_world import World

EVIL = "=HYPERLINK(1)\u202e\u009b2J"
BRIDGE = "<device><capability type='net'><interface>{}</interface><capability type='bridge'/></capability></device>"

Run = Callable[..., subprocess.CompletedProcess[str]]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "hwcensus.cli", *words]


def on_terminal(words: list[str], columns: int, code: int = 0) -> str:
    """What a command that ends with this exit code writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    env = program_environment(COLUMNS=str(columns), LINES="50", TERM="xterm")
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, stdin=theirs, env=env) as process:
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:  # the terminal is closed: the command has ended
            pass
        assert process.wait(60) == code, written
    os.close(ours)
    return written.decode()


def colourless(line: str) -> str:
    """A line without the sequences that set colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def asked(url: str, *words: str, answer: bytes = b"n") -> tuple[int, str]:
    """The exit code of a command on a terminal of its own, after the answer if it asks, and all that it said."""
    ours, theirs = pty.openpty()
    env = program_environment(HWCENSUS_URL=url, COLUMNS="200")
    with subprocess.Popen(command(*words), stdin=theirs, stdout=theirs, stderr=theirs, env=env) as asking:
        os.close(theirs)
        written, is_answered = b"", False
        try:
            while part := os.read(ours, 1024):
                written += part
                if b"[y/N]" in written and not is_answered:
                    is_answered = bool(os.write(ours, answer + b"\n"))
        except OSError:  # the terminal is closed: the command has ended
            pass
        code = asking.wait(60)
    os.close(ours)
    return code, written.decode()


def valid_for(told: dict[str, str]) -> float:
    """The seconds from the issue of a command, as the API told it, to its deadline."""
    return (datetime.fromisoformat(told["expires"]) - datetime.fromisoformat(told["issued"])).total_seconds()


def ordered(census: World) -> list[str]:
    """The types of what was ordered."""
    with census.engine.connect() as connection:
        return [row.type for row in connection.execute(tables.command.select())]
