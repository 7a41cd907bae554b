"""What carrying out a command needs of the census: announce what is coming, and wait until it was seen.

The census implements it; nothing here does.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from hwcensus.event import Produced


class Effect(Enum):
    """Which event the census should see."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The device that a command makes appear or go, as the census will find it."""

    effect: Effect
    subsystem: str
    kernel_name: str  # name of its folder in sysfs


@dataclass(frozen=True, kw_only=True)
class Target:
    """A device of the census that a command names."""

    identity: str
    name: str
    syspath: str
    subsystem: str

    @property
    def kernel_name(self) -> str:
        return self.syspath.rpartition("/")[2]


class CensusPort(Protocol):
    """The census as commands see it."""

    def expect(self, command_id: str, expectation: Expectation) -> None:
        """The next such event is this command's doing, and says so (`command="<id>"`)."""

    async def wait_seen(self, command_id: str, timeout: float) -> Produced | None:
        """The device whose expected event is in the outbox by now; None where it does not come in `timeout` seconds."""

    def forget(self, command_id: str) -> None:
        """Expect nothing more for this command; a command without expectations is fine."""

    def find(self, name_or_identity: str) -> Target | None:
        """The present device of this name or identity."""
