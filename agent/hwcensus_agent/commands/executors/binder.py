"""What a binder is: it moves present devices of one bus between drivers, and can look afterwards which one they have.

Methods may block, as an executor's do. Order, notes and waiting are `binding.py`'s, permission the policy's.
"""

from dataclasses import dataclass
from typing import Protocol

from hwcensus.command import Command
from hwcensus_agent.commands.census_port import Expectation, Target


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What the census should show in the end, and what there is to say about it."""

    expected: tuple[Expectation, ...]
    text: str | None = None


class Binder(Protocol):
    """One bus. Each method looks at `command.type`, detach or reattach; `mark` is a text of the binder's own, kept on
    disk."""

    #: Subsystem of its devices, and what the policy calls them.
    binds: str

    def check(self, command: Command, target: Target) -> str:
        """Looks whether it can be tried. Changes nothing.

        Gives the mark of what is there before: which drivers have the device now. Raises Refused.
        """

    def in_use(self, command: Command, target: Target) -> tuple[str, ...]:
        """Who holds the device, in words: then only `force` moves it. Where nobody does, raises Refused for what else
        only `force` overcomes: the centre knows most of that, of those who hold it nothing."""

    def expected(self, command: Command, target: Target, mark: str) -> tuple[Expectation, ...]:
        """What the census may see while it is moved: all that is the command's doing. Never raises."""

    def bind(self, command: Command, target: Target) -> Moved:
        """Moves it. Raises DeviceChanged, KernelRefused, Refused."""

    def was_bound(self, command: Command, target: Target, mark: str) -> Moved | None:
        """The same looked up after a crash; None where it was not moved, or by half."""

    def undo(self, command: Command, target: Target, mark: str) -> None:
        """Gives the device back to the drivers that the mark names. Raises KernelRefused."""
