"""The digest of a whole census: a sum that both sides keep up by adding and subtracting one device at a time.

The sum modulo 2^256 of SHA-256(identity ‖ 0 ‖ 32 bytes of digest or state hash) over all devices (docs/protocol.md).
"""

import hashlib
from collections.abc import Iterable

MODULUS = 1 << 256


def term(identity: str, digest: bytes) -> int:
    """What one device adds to the sum."""
    return int.from_bytes(hashlib.sha256(identity.encode() + b"\0" + digest).digest(), "big")


def add(total: int, *terms: int) -> int:
    return (total + sum(terms)) % MODULUS


def subtract(total: int, *terms: int) -> int:
    return (total - sum(terms)) % MODULUS


def total(devices: Iterable[tuple[str, bytes]]) -> int:
    """The sum over (identity, digest) pairs."""
    return sum(term(identity, digest) for identity, digest in devices) % MODULUS


def write_total(value: int) -> str:
    """64 lower-case hex digits, big-endian."""
    return f"{value:064x}"


def read_total(text: str) -> int:
    return int(text, 16)
