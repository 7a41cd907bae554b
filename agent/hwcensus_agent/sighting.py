"""One device described, whatever happens to it meanwhile: it goes, it cannot be read, its describer fails.

Parent and identity are given to it by the enumeration, and so is what could not be read now.
"""

import logging
from collections.abc import Collection

from hwcensus.device import Device, State
from hwcensus.errors import HwcensusError
from hwcensus.names import COMPUTER
from hwcensus_agent.describe import computer, describe
from hwcensus_agent.describe.description import Description
from hwcensus_agent.host import HostView, key_of
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

logger = logging.getLogger(__name__)


class Undescribed(HwcensusError):
    """a device is there but could not be described"""

    code = "undescribed"

    def __init__(self, text: str, *, unread: Collection[str] | None = None) -> None:
        """`unread`: paths of the facts that could not be read, empty for all of them; None where that is not why."""
        super().__init__(text)
        self.unread = unread


#: Devices whose describer failed, in this process.
failures = 0


def describe_one(view: View, host: HostView, name: str, include: Collection[str]) -> Device | None:
    """The device without its parent; None where it does not belong into the census, or is gone.

    Raises Undescribed where its describer failed.
    """
    try:
        description = _describe(view, host, include)
        if description is None or not (description.bus or description.capabilities) or not _is_there(view, host):
            return None
        return _device(view, host, name, description)
    except Unreadable as error:
        if not _is_there(view, host):
            return None
        _say_once(view, error)
        raise Undescribed(str(error), unread=frozenset(view.unread)) from error
    except Exception as error:  # the boundary of one device: it must not cost the others theirs
        if not _is_there(view, host):
            return None
        _count(view, error)
        raise Undescribed(str(error)) from error


def _is_there(view: View, host: HostView) -> bool:
    return host.is_there(key_of(view.syspath)) and not view.is_going()


def _describe(view: View, host: HostView, include: Collection[str]) -> Description | None:
    return computer.describe(view, host) if view.subsystem == COMPUTER else describe(view, host, include)


def _device(view: View, host: HostView, name: str, description: Description) -> Device:
    return Device(
        name=name,
        key=host.device_key(view.syspath),
        devnode=() if view.devnode is None else (view.devnode,),
        driver=description.driver or view.driver,
        bus=description.bus,
        capabilities=description.capabilities,
        state=State(unread=" ".join(sorted(view.unread))) if view.unread else None,
    )


_SAID: set[str] = set()


def _say_once(view: View, error: Unreadable) -> None:
    if view.syspath not in _SAID and len(_SAID) < 1000:
        _SAID.add(view.syspath)
        logger.warning("a device cannot be read and stays as it was", extra={"device": view.syspath, "why": str(error)})


def _count(view: View, error: Exception) -> None:
    global failures  # noqa: PLW0603 - one counter a process, read by the heartbeat and by tests
    failures += 1
    logger.warning(
        "a device could not be described and stays as it was", extra={"device": view.syspath}, exc_info=error
    )
