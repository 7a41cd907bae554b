"""One agent a host: a lock on the spool, and one by host id in the runtime folder. The kernel lets go of both."""

import fcntl
import os
from pathlib import Path
from typing import IO

from hwcensus.errors import HwcensusError, Refused


class AlreadyRunning(Refused):
    """another agent of this host is running; stop it first"""

    code = "already-running"


class Unlockable(HwcensusError):
    """the lock that keeps a second agent out cannot be made"""

    code = "lock"


def hold(path: Path) -> IO[str]:
    """Locks a file, made where it is absent, until the returned stream is closed.

    Raises AlreadyRunning; Unlockable where the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+")
    except OSError as error:
        raise Unlockable(f"{path}: {error.strerror}; choose another place with spool.path or runtime") from error
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stream.seek(0)
        owner = stream.read().strip() or "unknown"
        stream.close()
        raise AlreadyRunning(f"{path} is held by the agent with process id {owner}; stop it first") from error
    stream.truncate(0)
    stream.write(f"{os.getpid()}\n")
    stream.flush()
    return stream
