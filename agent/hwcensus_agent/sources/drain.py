"""Empties a netlink socket without blocking, and tells of a loss once. What is read and told is the source's affair."""

from collections.abc import Callable

from hwcensus_agent.netlink.monitor import Overflow

LIMIT = 256  # messages in one turn of the loop, so that a flood does not starve the rest of the agent


class Drain:
    """Reads until nothing is left.

    A loss is told only when the socket is empty: until then the kernel throws away all that comes, so a look at
    everything that began earlier would miss it.
    """

    def __init__(self, read: Callable[[], bool], lost: Callable[[], None]) -> None:
        """`read` takes one message and returns False where there was none, or raises Overflow."""
        self.overflows = 0
        self._read = read
        self._lost = lost
        self._owed = False

    def __call__(self) -> None:
        for _ in range(LIMIT):
            try:
                if not self._read():
                    break
            except Overflow:
                self.overflows += 1
                self._owed = True
        else:
            return  # more is there: the loop calls again
        if self._owed:
            self._owed = False
            self._lost()
