"""The file of the collector's private keys (PEM, PKCS 8): the first signs, a second one is on its way in, or out.

Every change replaces the file whole, and then its public halves in the file with `.pub` behind it, which is what agents
pin. Nothing is signed here: see `signature.py`.
"""

import base64
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hwcensus.errors import HwcensusError, Refused
from hwcensus.guarded import BadMode, read_guarded
from hwcensus.signature import key_id
from hwcensus.whole_file import write_whole

_END = b"-----END PRIVATE KEY-----"
Keys = tuple[Ed25519PrivateKey, ...]


def load(path: Path) -> Keys:
    """The keys in `path`. Raises BadMode; HwcensusError `bad-key` for what holds none, or a key that is not Ed25519."""
    try:
        content = read_guarded(path, secret=True)
    except OSError as error:
        raise HwcensusError(f"{path}: {error.strerror}", code="bad-key") from error
    # After the last end mark only the file's last line break is left.
    keys = tuple(_key(pem + _END, path) for pem in content.split(_END)[:-1])
    if not keys:
        raise HwcensusError(f"{path} holds no private key in PEM", code="bad-key")
    return keys


def load_or_make(path: Path) -> Keys:
    """The keys in `path`; one is made where there is no such file. Its public halves stand in `.pub` afterwards."""
    with _sole(path):
        if not path.exists():
            write_whole(path, _pem([Ed25519PrivateKey.generate()]))
        keys = load(path)
        if not (public := _public_file(path)).exists() or public.read_text() != public_lines(keys):
            write_whole(public, public_lines(keys).encode(), 0o644)
        return keys


def add_next(path: Path) -> Keys:
    """Makes the key that is to sign next. Raises Refused `two-keys`."""
    keys = load_or_make(path)
    if len(keys) > 1:
        raise Refused(f"{path} holds two keys already: `key switch` or `key retire` first", code="two-keys")
    return _change(path, keys, (*keys, Ed25519PrivateKey.generate()))


def switch(path: Path) -> Keys:
    """The other key signs from now on. Raises Refused `one-key`."""
    signs, other = _both(path)
    return _change(path, (signs, other), (other, signs))


def retire(path: Path) -> Keys:
    """Forgets the key that does not sign. Raises Refused `one-key`."""
    signs, other = _both(path)
    return _change(path, (signs, other), (signs,))


def public_lines(keys: Sequence[Ed25519PrivateKey]) -> str:
    """The file that agents pin them by."""
    lines = []
    for key, role in zip(keys, ("signs", "signs next, or did before"), strict=False):
        raw = key.public_key().public_bytes_raw()
        lines.append(f"{base64.b64encode(raw).decode()}  # {key_id(raw)} {role}\n")
    return "".join(lines)


def _both(path: Path) -> tuple[Ed25519PrivateKey, Ed25519PrivateKey]:
    keys = load(path)
    if len(keys) != 2:
        raise Refused(f"{path} holds one key only: `key next` makes another", code="one-key")
    return keys[0], keys[1]


def _change(path: Path, before: Keys, after: Keys) -> Keys:
    with _sole(path):
        if _pem(load(path)) != _pem(before):
            raise Refused(f"{path} was changed by somebody else meanwhile", code="key-changed")
        write_whole(path, _pem(after))
        write_whole(_public_file(path), public_lines(after).encode(), 0o644)
    return after


def _key(pem: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise HwcensusError(f"{path} holds no private key in PEM: {error}", code="bad-key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise HwcensusError(f"{path} holds a key that is not Ed25519", code="bad-key")
    return key


def _pem(keys: Sequence[Ed25519PrivateKey]) -> bytes:
    return b"".join(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for key in keys
    )


def _public_file(path: Path) -> Path:
    return path.with_name(path.name + ".pub")


@contextmanager
def _sole(path: Path) -> Iterator[None]:
    """One that changes keys at a time. Raises BadMode for a folder in which everybody may exchange files."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        mode = os.fstat(folder).st_mode
        if mode & 0o002 and not mode & 0o1000:
            raise BadMode(f"{path.parent} lets everybody exchange its files; chmod o-w {path.parent}")
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
