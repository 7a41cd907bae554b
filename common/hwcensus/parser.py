"""A parser of arguments whose errors are ours: one line, exit code 2. What the arguments are, each program says."""

import argparse
from typing import NoReturn

from hwcensus.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Takes no abbreviations, and raises UsageError instead of printing its usage; so do its subparsers."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{' '.join(message.split())}; see `{self.prog} --help`")
