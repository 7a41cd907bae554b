"""Ids of commands: UUIDs of version 7 (RFC 9562), which sort by the time they were made. Python 3.14 brings its own."""

import secrets
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> str:
    """A fresh id, greater than all that this process made before (RFC 9562, 6.2, method 2)."""
    global _last  # noqa: PLW0603 - what was made last is the process's
    with _lock:
        # 48 bits of milliseconds, then 74 random ones; counting on within a millisecond, or when the clock goes back.
        fresh = (time.time_ns() // 1_000_000) << 74 | secrets.randbits(74)
        _last = max(fresh, _last + 1)
        milliseconds, rest = divmod(_last, 1 << 74)
    high, low = divmod(rest, 1 << 62)
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low))
