"""What udev's rules found out about devices: /run/udev/data, read file by file (udev's own format, stable since 2012).

Ours rather than libudev's: one small file a device, and a recording's database is read like the host's.
"""

from collections.abc import Mapping
from pathlib import Path

from hwcensus_agent import sysfs

DATA = Path("/run/udev/data")


class UdevDatabase:
    """The database in one folder, as it is now."""

    def __init__(self, folder: Path = DATA) -> None:
        self._folder = str(folder)

    def properties(self, key: str) -> Mapping[str, bytes] | None:
        """The properties of the device of this key (`b8:0`, `n2`, `+pci:0000:00:1f.3`); None where udev has not got it.

        Raises Unreadable.
        """
        raw = sysfs.read(f"{self._folder}/{key}", limit=1 << 16)
        if raw is None:
            return None
        return sysfs.variables(b"\n".join(line[2:] for line in raw.splitlines() if line.startswith(b"E:")))
