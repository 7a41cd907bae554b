"""Ed25519 signatures over the exact bytes of a command (RFC 8032), and the files keys live in.

`cryptography` is imported on first use: an agent that never gets a command need not hold its 8 MB.
"""

import base64
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from hwcensus.errors import HwcensusError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: Kafka headers that carry the signature and the id of the key.
SIGNATURE_HEADER, KEY_HEADER = "signature", "key-id"


class BadSignature(HwcensusError):
    """the command is not signed by a key that this agent pins"""

    code = "bad-signature"


def key_id(public: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of a raw public key: what the header names it by."""
    return hashlib.sha256(public).hexdigest()[:16]


class Signer:
    """The collector's private key, made at first start in a file that only its owner may read."""

    def __init__(self, private: "Ed25519PrivateKey") -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @classmethod
    def load_or_make(cls, path: Path) -> "Signer":
        """The key in `path` (PEM, PKCS 8); made, with its public half in `path.pub`, where there is none.

        Raises HwcensusError `bad-key` for a file that holds no Ed25519 key.
        """
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if not path.exists():
            _make(path)
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except ValueError as error:
            raise HwcensusError(f"{path} holds no private key in PEM: {error}", code="bad-key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise HwcensusError(f"{path} holds a key that is not Ed25519", code="bad-key")
        signer = cls(key)
        _keep(path.with_name(path.name + ".pub"), base64.b64encode(signer.public) + b"\n", 0o644)
        return signer

    def headers(self, value: bytes) -> list[tuple[str, bytes]]:
        """The Kafka headers that prove `value`."""
        signature = base64.b64encode(self._private.sign(value))
        return [(SIGNATURE_HEADER, signature), (KEY_HEADER, key_id(self.public).encode())]


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.parent.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_once(path, pem, 0o600)


def _write_once(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never over a file that another process made meanwhile."""
    part = _written_beside(path, content, mode)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()


def _keep(path: Path, content: bytes, mode: int) -> None:
    """The file has this content afterwards, and at no time half of it."""
    if not path.exists() or path.read_bytes() != content:
        _written_beside(path, content, mode).replace(path)


def _written_beside(path: Path, content: bytes, mode: int) -> Path:
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return part


def read_public_keys(path: Path) -> dict[str, bytes]:
    """The keys an agent pins: one base64 line each, by key id. Raises HwcensusError `bad-key`."""
    keys = {}
    for line in path.read_text().split():
        try:
            raw = base64.b64decode(line, validate=True)
        except ValueError as error:
            raise HwcensusError(f"{path}: {line[:20]!r} is not base64", code="bad-key") from error
        if len(raw) != 32:
            raise HwcensusError(f"{path}: a key has 32 bytes, this one {len(raw)}", code="bad-key")
        keys[key_id(raw)] = raw
    return keys


def verify(value: bytes, headers: dict[str, bytes], keys: dict[str, bytes]) -> None:
    """Checks the headers of a command against the pinned keys. Raises BadSignature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    named = headers.get(KEY_HEADER, b"").decode("ascii", "replace")
    key = keys.get(named)
    if key is None:
        raise BadSignature(f"signed by key {named or '(none)'!r}, which is not pinned here")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(headers.get(SIGNATURE_HEADER, b"")), value)
    except (InvalidSignature, ValueError) as error:
        raise BadSignature(f"the signature by key {named!r} does not fit the command") from error
