"""What an executor is: it makes and takes away devices of one class, and can look afterwards what became of it.

Methods may block as long as the kernel does; the runner calls them in a thread. Order, notes and waiting are the
runner's, permission the policy's.
"""

import errno
import os
from dataclasses import dataclass
from typing import Protocol

from hwcensus.command import Command
from hwcensus.errors import Refused
from hwcensus_agent.commands.census_port import Expectation, Target
from hwcensus_agent.commands.subject import Subject


class NameTaken(Refused):
    """a device of that name is there"""

    code = "name-taken"


class DeviceChanged(Refused):
    """the device is not, or no longer, the one that the command means"""

    code = "device-changed"


class KernelRefused(Refused):
    """the kernel refused"""

    code = "kernel-refused"

    @classmethod
    def by(cls, error: OSError, what: str) -> "KernelRefused":
        """With what was asked of the kernel, and its errno and text as they are; where it is a matter of rights, with
        what to do."""
        number = error.errno or 0
        name = errno.errorcode.get(number, "?")
        advice = _NEEDS_ROOT if number in (errno.EPERM, errno.EACCES) and os.geteuid() != 0 else ""
        return cls(f"{what}: {name} ({number}): {error.strerror or os.strerror(number)}{advice}", errno=name)


class NotUndone(Refused):
    """what was made, or moved, is as it should not be, and could not be undone"""

    code = "not-undone"


class InUse(Refused):
    """the device is in use"""

    code = "in-use"


_NEEDS_ROOT = "; the agent runs without root: run it as root on hosts where it shall create and destroy"


@dataclass(frozen=True, kw_only=True)
class Health:
    """How a new device fares: in words, and whether it is what `require="online"` asks for."""

    text: str
    is_online: bool


class Executor(Protocol):
    """One class of devices that are made and taken away. A `mark` is a text of the executor's own, kept on disk."""

    creates: str

    def subject(self, command: Command) -> Subject:
        """What a creation document asks for. Raises Refused where that names something that is not here."""

    def check(self, command: Command) -> str:
        """Looks whether a creation can be tried. Changes nothing.

        Gives the mark of what is there before: what `undo` and a look after a crash have to know. Raises Refused.
        """

    def expected(self, command: Command, mark: str) -> tuple[Expectation, ...]:
        """What the census should see when a creation takes effect. Never raises: it is asked at every start."""

    def create(self, command: Command) -> str | None:
        """Makes it, whole or not at all. Gives its sysfs path where it can be described at once; None where that is
        waited for, as for what udev finishes. Raises NameTaken, KernelRefused."""

    def health(self, command: Command) -> Health | None:
        """How the device that was made fares; None where there is nothing to tell."""

    def was_created(self, command: Command, mark: str) -> bool | None:
        """Whether this very command's device is there; None where that cannot be told."""

    def undo(self, command: Command, mark: str) -> None:
        """Takes away what `create` made, if it is there. Raises KernelRefused."""

    def mark_of(self, target: Target) -> str | None:
        """What tells a present device from its successor; None where it is not of this class. Raises Refused where it
        is, and must stay."""

    def subject_of(self, target: Target) -> Subject:
        """What the policy is asked before the device is taken away."""

    def in_use(self, target: Target) -> tuple[str, ...]:
        """Who holds the device, in words: then only `force` takes it away."""

    def destroy(self, target: Target, mark: str) -> None:
        """Takes the device with this mark away. Raises DeviceChanged, KernelRefused."""

    def was_destroyed(self, target: Target, mark: str) -> bool | None:
        """Whether the device with this mark is gone; None where that cannot be told."""
