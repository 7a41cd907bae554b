"""What every source can do, and what it may be told. Which sources there are stands in the package."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hwcensus_agent.sources.hint import Hint

OnHint = Callable[[Hint], None]
OnGap = Callable[[str], None]  # the reason: netlink-overflow, netlink-malformed, udevd-started, suspend, …

RECEIVE_BUFFER = 128 * 1024 * 1024  # bytes: what libudev asks for; only what waits is really taken
HOUR = 3600.0


class Source(Protocol):
    """Where "something changed" comes from. It describes nothing.

    The order is sacred: `start` (from here on nothing is lost), enumerate, `attach` (what waited is told first).
    A gap says that hints were lost and that now is the time to look at everything.
    """

    @property
    def name(self) -> str: ...

    @property
    def works(self) -> bool: ...

    @property
    def why_not(self) -> str | None:
        """Why it does not work, for people; None where it does."""

    def start(self) -> None:
        """Subscribe. Where that fails the source does not work, and says why: nothing is raised."""

    def attach(self, loop: AbstractEventLoop, on_hint: OnHint, on_gap: OnGap) -> None:
        """Tell hints and gaps from the loop, from its next turn on. Nothing happens where the source does not work."""

    def close(self) -> None:
        """Stop and release everything. May be called more than once."""


class LeadingSource(Source, Protocol):
    """The source that says which devices come and go."""

    def check(self) -> None:
        """To be called every few seconds: to begin anew where whom it hears came, went or was started anew."""


def _nothing_known() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What the agent tells its sources; each takes what it needs."""

    sysroot: str = "/sys"
    receive_buffer: int = RECEIVE_BUFFER  # bytes, of each netlink socket
    recheck_every: float = HOUR  # seconds until each known device has been looked at anew
    known: Callable[[], Iterable[str]] = _nothing_known  # syspaths of the devices in the census
    checks: Sequence[Callable[[], None]] = ()  # called every few seconds; the leading source's belongs here
