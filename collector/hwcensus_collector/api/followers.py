"""Wakes the requests that wait for a command's next step, as soon as this process has stored one."""

import asyncio
from collections.abc import Iterable
from weakref import WeakValueDictionary


class Followers:
    """Who waits for which command. Belongs to one event loop."""

    def __init__(self) -> None:
        self._moved: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self.closed = False

    def of(self, command: str) -> asyncio.Event:
        """Is set by the command's next step. To be held before the command is read, so that no step falls between."""
        return self._moved.setdefault(command, asyncio.Event())

    def tell(self, commands: Iterable[str]) -> None:
        """These have steps that nobody has read yet."""
        for command in commands:
            moved = self._moved.pop(command, None)
            if moved is not None:
                moved.set()

    def close(self) -> None:
        """Ends all waiting, for good."""
        self.closed = True
        self.tell(list(self._moved))
