"""The key that signs, as its file has it now: a switch to the next key needs no restart."""

import logging
from pathlib import Path

from hwcensus import key_file
from hwcensus.errors import HwcensusError
from hwcensus.followed import Followed
from hwcensus.signature import Signer

log = logging.getLogger(__name__)


class Signing:
    """Gives the signer of the moment; the one before it where the file became unusable."""

    def __init__(self, path: Path) -> None:
        """Makes the key where there is none. Raises as `key_file.load` does."""
        self._signer = Signer.load_or_make(path)
        self._file = Followed(path, self._read)

    def signer(self) -> Signer:
        """Whose signature the next command gets."""
        return self._file.current()

    def _read(self, path: Path) -> Signer:
        try:
            signer = Signer(key_file.load(path)[0])
        except HwcensusError as error:
            log.error("the key file became unusable; the key that was loaded signs on", extra={"why": str(error)})
            return self._signer
        if signer.public != self._signer.public:
            log.info("another key signs commands now", extra={"key": signer.key_id})
        self._signer = signer
        return signer
