"""What only one `hwcensus up` can have: its folder and its address. Told before anything starts."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hwcensus.errors import Refused


@contextmanager
def sole(folder: Path) -> Iterator[None]:
    """Holds the folder. Raises Refused (`already-running`) where another holds it."""
    with (folder / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "?"
            raise Refused(
                f"another `hwcensus up` (process {holder}) works in {folder}; stop it, or give another --dir",
                code="already-running",
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def require_free(listen: str) -> None:
    """Raises Refused (`address-taken`) where another program listens; what is no address, the collector refuses."""
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        return
    with suppress(socket.gaierror, OverflowError):
        family, kind, *_, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(probe, address, listen)


def _bind(probe: socket.socket, address: object, listen: str) -> None:
    try:
        probe.bind(address)  # type: ignore[arg-type]
        probe.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused(
                f"another program listens at {listen}; stop it, or give another --listen", code="address-taken"
            ) from error
