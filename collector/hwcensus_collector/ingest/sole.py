"""One ingest on an SQLite inventory, enforced: two would fight for its one write lock and for Kafka's partitions."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from hwcensus.errors import Refused


@contextmanager
def sole_ingest(engine: Engine) -> Iterator[None]:
    """Holds the lock while ingest works; on PostgreSQL there is none. Raises Refused (`ingest-runs`)."""
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file:
        yield
        return
    lock = Path(f"{file}.ingest")
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Refused(f"another ingest works on {file}: stop it first", code="ingest-runs") from error
    try:
        yield
    finally:
        os.close(descriptor)
