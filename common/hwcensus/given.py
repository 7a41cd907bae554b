"""What a verb is given to read: a file, or stdin."""

import sys
from pathlib import Path

from hwcensus.errors import NotFound, UsageError


def read_given(name: str) -> bytes:
    """All of it; `-` is stdin. Raises NotFound (`no-file`), UsageError."""
    if name == "-" and sys.stdin is None:
        raise UsageError("-: stdin is closed; give a file")
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise NotFound(f"{name}: {error.strerror}", code="no-file") from error
