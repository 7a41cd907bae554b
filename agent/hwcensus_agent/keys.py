"""The collector's public keys that this agent pins, read again when their file changes: rotation without a restart."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from hwcensus.errors import HwcensusError
from hwcensus.followed import Followed

logger = logging.getLogger(__name__)


class PinnedKeys(Mapping[str, bytes]):
    """Key id → raw public key. A file that is absent or wrong pins nothing, and is said once."""

    def __init__(self, path: Path) -> None:
        self._file = Followed(path, _read)

    def __getitem__(self, key: str) -> bytes:
        return self._file.current()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.current())

    def __len__(self) -> int:
        return len(self._file.current())


def _read(path: Path) -> dict[str, bytes]:
    from hwcensus.signature import read_public_keys  # brings `cryptography`, which an agent without keys spares

    try:
        return read_public_keys(path)
    except (OSError, ValueError, HwcensusError) as error:
        logger.warning("no key of a collector is pinned: commands are refused", extra={"why": str(error)})
        return {}
