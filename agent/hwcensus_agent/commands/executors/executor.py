"""What an executor is: it touches the kernel for one class of devices, and can look afterwards what became of it.

Methods may block as long as the kernel does; the runner calls them in a thread. Order, notes and waiting are the
runner's, permission the policy's.
"""

import errno
import os
from typing import Protocol

from hwcensus.command import Command
from hwcensus.errors import Refused
from hwcensus_agent.commands.census_port import Expectation, Target


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
    def by(cls, error: OSError) -> "KernelRefused":
        """With the kernel's errno and text as they are; where it is a matter of rights, with what to do."""
        number = error.errno or 0
        name = errno.errorcode.get(number, "?")
        advice = _NEEDS_ROOT if number in (errno.EPERM, errno.EACCES) and os.geteuid() != 0 else ""
        return cls(f"{name} ({number}): {error.strerror or os.strerror(number)}{advice}", errno=name)


_NEEDS_ROOT = "; the agent runs without root: run it as root on hosts where it shall create and destroy"


class Executor(Protocol):
    """One class of devices. `mark` is a text of the executor's own that tells a device from its successor."""

    creates: str

    def subject(self, command: Command) -> str:
        """The kernel name that a creation document asks for: what the policy's patterns are compared with."""

    def expected(self, command: Command) -> Expectation:
        """What the census should see when a creation takes effect."""

    def check(self, command: Command) -> None:
        """Looks whether a creation can be tried. Raises NameTaken, KernelRefused. Changes nothing."""

    def mark_of(self, target: Target) -> str | None:
        """The mark of a present device; None where it is not of this class."""

    def create(self, command: Command) -> None:
        """Makes it, whole or not at all. Raises NameTaken, KernelRefused."""

    def destroy(self, target: Target, mark: str) -> None:
        """Takes the device with this mark away. Raises DeviceChanged, KernelRefused."""

    def was_created(self, command: Command) -> bool | None:
        """Whether this very command's device is there; None where that cannot be told."""

    def was_destroyed(self, target: Target, mark: str) -> bool | None:
        """Whether the device with this mark is gone; None where that cannot be told."""

    def undo(self, command: Command) -> None:
        """Takes away what `create` made, if it is there. Raises KernelRefused."""
