"""One agent a host: a lock on the spool, and one by host id in the runtime folder. The kernel lets go of both."""

import fcntl
import os
from pathlib import Path
from typing import IO

from hwcensus.errors import Refused


class AlreadyRunning(Refused):
    """another agent of this host is running; stop it first"""

    code = "already-running"


def hold(path: Path) -> IO[str]:
    """Locks a file, made where it is absent, until the returned stream is closed. Raises AlreadyRunning, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+")
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
