"""What carrying out a command needs of the census: announce what is coming, and wait until it was seen.

The census implements it; nothing here does.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from hwcensus.event import Produced

#: As an expected driver: any at all. No driver has such a name.
BOUND = "*"


class Effect(Enum):
    """Which event the census should see."""

    ADD = "add"
    REMOVE = "remove"
    CHANGE = "change"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A device of the census, as a command names it or makes it."""

    identity: str
    name: str
    syspath: str
    subsystem: str
    driver: str | None = None

    @property
    def kernel_name(self) -> str:
        return self.syspath.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A device that a command makes appear, go or change, as the census will find it: by the name of its folder in
    sysfs, or by its identity where the kernel deals that name."""

    effect: Effect
    subsystem: str
    kernel_name: str | None = None
    identity: str | None = None
    #: Of a change: the driver it ends with; None for no driver, BOUND for any.
    driver: str | None = None

    def fits(self, device: Target) -> bool:
        """Whether this is the device; for a change also whether it is as it should become."""
        is_it = (
            self.subsystem == device.subsystem
            and self.kernel_name in (None, device.kernel_name)
            and self.identity in (None, device.identity)
        )
        return is_it and (self.effect is not Effect.CHANGE or self._has_driver(device))

    def _has_driver(self, device: Target) -> bool:
        return device.driver is not None if self.driver == BOUND else device.driver == self.driver


class CensusPort(Protocol):
    """The census as commands see it."""

    def expect(self, command_id: str, expectations: Collection[Expectation]) -> None:
        """The next event that meets each is this command's doing, and says so (`command="<id>"`). Instead of what was
        expected for it before."""

    async def wait_seen(self, command_id: str, timeout: float, at: str | None) -> tuple[Produced, ...] | None:
        """What was added, once all expected events are in the outbox; None where one does not come in `timeout`
        seconds. `at` is the sysfs path of what the kernel has just made or taken away, to be looked at before any
        event says so; None where that is waited for."""

    def forget(self, command_id: str) -> None:
        """Expect nothing more for this command; a command without expectations is fine."""

    def find(self, name_or_identity: str) -> Target | None:
        """The present device of this name or identity."""
