"""A parser of arguments whose errors are ours: one line, exit code 2. What the arguments are, each program says."""

import argparse
import os
import sys
from typing import Any, NoReturn

from hwcensus.errors import UsageError

#: The type of an argument that names a file: any bytes, as the kernel has it. One without a type is text.
FILE = str
#: What bytes must be in to be text.
ENCODING = sys.getfilesystemencoding()


class Parser(argparse.ArgumentParser):
    """Takes no abbreviations, and raises UsageError instead of printing its usage; so do its subparsers."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})  # type: ignore[arg-type]
        self.register("type", None, _text)

    def add_subparsers(self, **settings: Any) -> Any:
        """All words that follow are theirs to look at: they know which are files."""
        action = super().add_subparsers(**settings)
        action.type = FILE
        return action

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{' '.join(message.split())}; see `{self.prog} --help`")


def is_text(given: str) -> bool:
    """Whether an argument or a variable is: bytes that are none come as surrogates (PEP 383), and go nowhere from here,
    neither over HTTP nor into a database."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(given: str) -> str:
    if not is_text(given):
        raise argparse.ArgumentTypeError(f"{os.fsencode(given)!r} is no text in {ENCODING}, your locale's encoding")
    return given
