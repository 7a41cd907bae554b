"""What a describer gives: the parts of a device that follow from the device alone.

Name, key, parent and identity need all devices of the host, and are the enumeration's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hwcensus.device import Bus, Capability
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View


@dataclass(frozen=True, kw_only=True)
class Description:
    """Bus and capabilities; `driver` where it is not simply the one that the device's own link names."""

    bus: Bus | None = None
    capabilities: tuple[Capability, ...] = ()
    driver: str | None = None


#: None: this one does not belong into the census. May raise Unreadable where it cannot even say that.
Describer = Callable[[View, HostView], Description | None]
