"""A file whose content is read again when it has changed, so that no program need start anew for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


class Followed(Generic[T]):
    """What `read` makes of a file. It is asked when that file was written, exchanged, made or removed."""

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        self._path, self._read = path, read
        self._version: tuple[int, ...] | None = None

    def current(self) -> T:
        """What the file holds now. Raises what `read` raises."""
        version = self._look()
        if version != self._version:
            self._content = self._read(self._path)
            self._version = version
        return self._content

    def _look(self) -> tuple[int, ...]:
        try:
            status = self._path.stat()
        except OSError:
            return ()
        # ctime: nobody can set it back, but it is as coarse as the kernel's tick.
        return (status.st_ctime_ns, status.st_ino, status.st_size)
