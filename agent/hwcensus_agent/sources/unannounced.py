"""What changes without a uevent or a netlink message, and is cheap enough to look at every few seconds.

The clock calls `check`; a value that is not what it was becomes a hint. It describes nothing.
"""

import os
from collections.abc import Callable
from pathlib import Path

from hwcensus_agent.sources.hint import Action, Hint

#: Below sysroot. The kernel tells no change of a block device's size from or to zero (set_capacity_and_notify in
#: block/genhd.c), which is all that happens to a zram device.
ATTRIBUTES = ("block/zram*/size",)
#: What HAL does not announce either, though the kernel does.
BY_HAL = ("block/loop*/size",)


class Unannounced:
    """Remembers the attributes as they were last read."""

    def __init__(self, sysroot: str, on_hint: Callable[[Hint], None], *, hal: bool = False) -> None:
        """`hal`: whether HAL leads."""
        self._attributes = ATTRIBUTES + (BY_HAL if hal else ())
        self._sysroot, self._on_hint = Path(sysroot), on_hint
        self._values = self._read()

    def check(self) -> None:
        """Hints at every device whose attribute appeared, differs or is gone."""
        before, self._values = self._values, self._read()
        for path in {path for path, _ in before.items() ^ self._values.items()}:
            self._on_hint(Hint(source="clock", action=Action.CHANGE, syspath=path))

    def _read(self) -> dict[str, str]:
        """Sysfs path of the device → value. A device that goes away meanwhile is no error."""
        found: dict[str, str] = {}
        for attribute in (path for pattern in self._attributes for path in self._sysroot.glob(pattern)):
            try:
                found[self._syspath(attribute.parent)] = attribute.read_text()
            except OSError:
                continue
        return found

    def _syspath(self, device: Path) -> str:
        """As the kernel names it, whatever the sysroot."""
        return "/sys" + os.path.realpath(device).removeprefix(os.path.realpath(self._sysroot))
