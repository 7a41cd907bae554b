"""Devices that are new and not yet whole: they are left out until they are, some for a short time only.

udev always tells when it is done with a device, so that this is waited for without limit. The Fibre Channel port of a
host may never come.
"""

import time
from collections.abc import Callable

from hwcensus_agent.describe.scsihost import waits_for_port
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

#: Seconds from the first look at a host whose port is certain to come. Without it the host has no identity of its own,
#: and a busy machine takes more than a second to make it (seen in the lab).
PORT_WAIT_S = 5.0


class Arrivals:
    """Since when each of them is waited for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def leaves_out(self, key: str, view: View) -> bool:
        """Whether a device that is new to us is to come later."""
        try:
            if view.udev_will_tell and not view.udev_is_done:
                return True
            if not waits_for_port(view):
                self._since.pop(key, None)
                return False
        except Unreadable:
            return False  # the describer will come upon it, and say so
        since = self._since.setdefault(key, self._clock())
        return self._clock() - since < PORT_WAIT_S

    def awaited(self) -> list[str]:
        """Keys of those whose time runs out, and must be looked at then."""
        return [key for key, since in self._since.items() if self._clock() - since < PORT_WAIT_S]

    def keep(self, belongs: Callable[[str], bool]) -> None:
        """Forgets the others: they were published otherwise, or are gone."""
        self._since = {key: since for key, since in self._since.items() if belongs(key)}
