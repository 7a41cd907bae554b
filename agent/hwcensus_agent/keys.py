"""The collector's public keys that this agent pins, read again when their file changes: rotation without a restart."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from hwcensus.errors import HwcensusError

logger = logging.getLogger(__name__)


class PinnedKeys(Mapping[str, bytes]):
    """Key id → raw public key. A file that is absent or wrong pins nothing, and is said once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._keys: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> bytes:
        return self._current()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current())

    def __len__(self) -> int:
        return len(self._current())

    def _current(self) -> dict[str, bytes]:
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_ino)
        except OSError:
            version = (0, 0)
        if version != self._version:
            self._version, self._keys = version, self._read()
        return self._keys

    def _read(self) -> dict[str, bytes]:
        from hwcensus.signature import read_public_keys  # brings `cryptography`, which an agent without keys spares

        try:
            return read_public_keys(self._path)
        except (OSError, ValueError, HwcensusError) as error:
            logger.warning("no key of a collector is pinned: commands are refused", extra={"why": str(error)})
            return {}
