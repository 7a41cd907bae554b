"""Ed25519 signatures over the exact bytes of a command (RFC 8032), and the public keys that agents pin.

The collector's private keys are in `key_file.py`.

`cryptography` is imported on first use: an agent that never gets a command need not hold its 8 MB.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hwcensus.errors import HwcensusError
from hwcensus.guarded import read_guarded

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: Kafka headers that carry the signature and the id of the key.
SIGNATURE_HEADER, KEY_HEADER = "signature", "key-id"
#: Bytes of the name of an unknown key that are worth repeating.
_LONGEST_NAME = 64


class BadSignature(HwcensusError):
    """the signature does not fit the command"""

    code = "bad-signature"


def key_id(public: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of a raw public key: what the header names it by."""
    return hashlib.sha256(public).hexdigest()[:16]


class UnknownKey(BadSignature):
    """the command is signed by a key that this agent does not pin"""

    code = "unknown-key"


class Signer:
    """Signs with one private key of the collector's."""

    def __init__(self, private: "Ed25519PrivateKey") -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()
        self.key_id = key_id(self.public)

    @classmethod
    def load_or_make(cls, path: Path) -> "Signer":
        """With the key that signs of those in `path`, made where there is none. Raises as `key_file.load` does."""
        from hwcensus import key_file

        return cls(key_file.load_or_make(path)[0])

    def headers(self, value: bytes) -> list[tuple[str, bytes]]:
        """The Kafka headers that prove `value`."""
        signature = base64.b64encode(self._private.sign(value))
        return [(SIGNATURE_HEADER, signature), (KEY_HEADER, self.key_id.encode())]


def read_public_keys(path: Path) -> dict[str, bytes]:
    """The keys an agent pins: one base64 line each, by key id; `#` begins a remark.

    Raises HwcensusError `bad-key`, BadMode for a file that everybody may write, OSError, ValueError.
    """
    keys = {}
    for line in (line.partition("#")[0].strip() for line in read_guarded(path).decode().splitlines()):
        if not line:
            continue
        try:
            raw = base64.b64decode(line, validate=True)
        except ValueError as error:
            raise HwcensusError(f"{path}: {line[:20]!r} is not base64", code="bad-key") from error
        if len(raw) != 32:
            raise HwcensusError(f"{path}: a key has 32 bytes, this one {len(raw)}", code="bad-key")
        keys[key_id(raw)] = raw
    return keys


def verify(value: bytes, headers: Mapping[str, bytes], keys: Mapping[str, bytes]) -> None:
    """Checks the headers of a command against the pinned keys. Raises BadSignature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if KEY_HEADER not in headers:
        raise BadSignature(f"signed by none: it has no header {KEY_HEADER!r}")
    named = headers[KEY_HEADER][:_LONGEST_NAME].decode("ascii", "replace")
    key = keys.get(named)
    if key is None:
        raise UnknownKey(f"signed by key {named!r}; pinned here: {', '.join(sorted(keys))}")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(headers.get(SIGNATURE_HEADER, b"")), value)
    except (InvalidSignature, ValueError) as error:
        raise BadSignature(f"the signature by key {named!r} does not fit the command") from error
