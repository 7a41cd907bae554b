"""What changes without a uevent or a netlink message, and is cheap enough to look at every few seconds.

The clock calls `check`; a value that is not what it was becomes a hint. It describes nothing. It reads in a thread of
its own: one that hangs with sick hardware is left behind, and nothing more is checked until it is back.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hwcensus_agent import sysfs
from hwcensus_agent.sources.hint import Action, Hint
from hwcensus_agent.sysfs import Unreadable


@dataclass(frozen=True)
class Watched:
    """Attributes of all devices in a folder below sysroot whose names begin so."""

    folder: str
    beginning: str
    attributes: tuple[str, ...]


#: The kernel tells no change of a block device's size from or to zero (set_capacity_and_notify in block/genhd.c), which
#: is all that happens to a zram device; none of a Fibre Channel port (scsi_transport_fc.c: drivers may, by netlink, and
#: libfc does not); of an NVMe controller only that it is connected. All are attributes that drivers have in memory.
WATCHED = (
    Watched("block", "zram", ("size",)),
    Watched("class/fc_host", "host", ("port_state", "speed", "fabric_name")),
    Watched("class/fc_vports", "vport-", ("vport_state",)),
    Watched("class/fc_remote_ports", "rport-", ("port_state",)),
    Watched("class/nvme", "nvme", ("state",)),
)
#: Seconds that the first reading may take; where it hangs, the agent starts without.
FIRST_S = 2.0
#: What HAL does not announce either, though the kernel does.
BY_HAL = (Watched("block", "loop", ("size",)),)


class Unannounced:
    """Remembers the attributes as they were last read."""

    def __init__(self, sysroot: str, on_hint: Callable[[Hint], None], *, hal: bool = False) -> None:
        """`hal`: whether HAL leads."""
        self._watched = WATCHED + (BY_HAL if hal else ())
        self._root, self._on_hint = os.path.realpath(sysroot), on_hint
        self._values: dict[tuple[str, str], bytes] = {}
        self._thread = threading.Thread(target=self.changed, name="unannounced", daemon=True)
        self._thread.start()
        self._thread.join(FIRST_S)

    def check(self) -> None:
        """Hints, soon, at every device of which an attribute appeared, differs or is gone."""
        if self._thread.is_alive():
            return
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._tell, args=(loop,), name="unannounced", daemon=True)
        self._thread.start()

    def changed(self) -> set[str]:
        """Sysfs paths of these devices."""
        before, self._values = self._values, dict(self._read())
        return {path for (path, _), _ in before.items() ^ self._values.items()}

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        changed = self.changed()
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: the agent stops
            for path in changed:
                loop.call_soon_threadsafe(self._on_hint, Hint(source="clock", action=Action.CHANGE, syspath=path))

    def _read(self) -> Iterator[tuple[tuple[str, str], bytes]]:
        """Sysfs path of the device and attribute → value. A device that goes away meanwhile is no error."""
        for watched in self._watched:
            for link in _names(f"{self._root}/{watched.folder}", watched.beginning):
                path = sysfs.target(link, self._root) or "/sys" + link.removeprefix(self._root)
                for attribute in watched.attributes:
                    with contextlib.suppress(Unreadable):
                        value = sysfs.read(f"{link}/{attribute}")
                        if value is not None:
                            yield (path, attribute), value


def _names(folder: str, beginning: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in sysfs.children(folder, beginning)]
    except Unreadable:
        return []
