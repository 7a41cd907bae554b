"""What a program writes to: a terminal, a pipe or a file, in whatever encoding its user has."""

import sys
from io import TextIOWrapper


def escape_unwritable() -> None:
    """What stdout or stderr has no bytes for is written as an escape: it must not end the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # none where it is closed
            stream.reconfigure(errors="backslashreplace")
