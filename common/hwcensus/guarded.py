"""Files that others must have no hand in: keys and policies. What they hold is not looked at here."""

import os
import stat
from pathlib import Path

from hwcensus.errors import ConfigError


class BadMode(ConfigError):
    """others may read or write a file that is to be ours alone"""

    code = "bad-mode"


def read_guarded(path: Path, *, secret: bool = False) -> bytes:
    """The content of a file that not everybody may write; of a secret one, that its owner alone may read.

    Raises BadMode, OSError.
    """
    with path.open("rb") as stream:
        status = os.fstat(stream.fileno())
        mode = stat.S_IMODE(status.st_mode)
        if secret and mode & 0o077:
            raise BadMode(f"{path} has mode {mode:04o}: others may read or write this key; chmod 600 {path}")
        if secret and status.st_uid not in (0, os.geteuid()):
            raise BadMode(f"{path} belongs to user {status.st_uid}, who could exchange this key; chown it")
        if mode & 0o002:
            raise BadMode(f"{path} has mode {mode:04o}: everybody may write it; chmod o-w {path}")
        return stream.read()
