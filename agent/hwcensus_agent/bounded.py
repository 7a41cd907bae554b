"""Describing one device after the other, with a time limit for each: a read that hangs is left to the thread it is in.

Such a thread waits in the kernel for sick hardware and cannot be ended (a read of sysfs takes no signal). So another
one goes on, with the rest of what that device tells, and should that hang too, with what is known. From then on the
device is described from what was read, and not read again until its threads are back: it has two of them at most.
One thread does all devices as long as nothing hangs, so that the limit costs each 3 µs.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hwcensus.device import Device
from hwcensus_agent.sighting import Undescribed
from hwcensus_agent.view import View

logger = logging.getLogger(__name__)

#: Most threads that may hang at a time. Where so many do, what is known stays, and nothing more is tried.
MOST_STUCK = 64
#: Every hang of one look halves the limit for the others, down to this share: a dead controller has many disks.
LEAST_SHARE = 1 / 16

#: Describes one device; None where it does not belong into the census. Raises Undescribed.
Describe = Callable[[View], Device | None]
#: What came of each device, in the views' order.
Outcome = Device | Undescribed | None


@dataclass(frozen=True)
class _Stuck:
    threads: tuple[threading.Thread, ...]
    #: Tells the device from its successor at the same path.
    inode: int | None
    #: The device as it was read all the same; None where not even that can be described without hanging.
    view: View | None

    def hangs(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)


@dataclass
class _Turn:
    """One thread's way through the devices; `at` is where it is, since when."""

    paths: Sequence[str]
    open: Callable[[str], View | None]
    describe: Describe
    outcomes: list[Outcome]
    at: int
    #: Views are opened one at a time, for they keep what they read; this is the one of `at`.
    view: View | None
    since: float = field(default_factory=time.monotonic)
    left_alone: bool = False
    failed: Exception | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        try:
            while self._describe_one():
                self.view = self.open(self.paths[self.at])
        except Exception as error:  # noqa: BLE001 - the thread's boundary: whoever waits for it raises this
            self.failed = error
        finally:
            self.done.set()

    def _describe_one(self) -> bool:
        """Whether there is another one to describe, and that is our business still."""
        outcome = _outcome(self.describe, self.view)
        with self.lock:
            if not self.left_alone:
                self.outcomes[self.at] = outcome
                self.at, self.since, self.view = self.at + 1, time.monotonic(), None
            return not self.left_alone and self.at < len(self.paths)

    def overstayed(self, limit: float) -> bool:
        """Whether it has been at one device for longer than this; it is left alone then."""
        with self.lock:
            self.left_alone = not self.done.is_set() and time.monotonic() - self.since >= limit
            return self.left_alone


class Bounded:
    """Describes devices for one host, and remembers which of them hang. One look at a time."""

    def __init__(self, limit: float) -> None:
        """`limit` in seconds."""
        self._limit = limit
        self._stuck: dict[str, _Stuck] = {}
        #: Reads that exceeded the limit, in this process.
        self.hangs = 0

    def __len__(self) -> int:
        """How many devices hang now."""
        return len(self._stuck)

    def answered(self) -> list[str]:
        """Sysfs paths of the devices that hung and do not any more: they are worth another look. Told once."""
        back = [path for path, stuck in list(self._stuck.items()) if not stuck.hangs()]
        for path in back:
            del self._stuck[path]
            logger.info("a device that did not answer does again", extra={"device": path})
        return back

    def describe(self, paths: Sequence[str], open_view: Callable[[str], View], describe: Describe) -> list[Outcome]:
        """What came of each. Raises what the two callables raise, but Undescribed."""
        if not paths:
            return []

        def as_known(path: str) -> View | None:
            return self._as_known(open_view(path))

        outcomes: list[Outcome] = [None] * len(paths)
        limit, turn = self._limit, _Turn(paths, as_known, describe, outcomes, 0, as_known(paths[0]))
        thread = _start(turn)
        while not turn.done.wait(max(turn.since + limit - time.monotonic(), 0.001)):
            if not turn.overstayed(limit):
                continue
            another = self._hangs(paths[turn.at], turn.view, thread)
            limit = max(limit / 2, self._limit * LEAST_SHARE)
            turn = _Turn(paths, as_known, describe, outcomes, turn.at, another)
            thread = _start(turn)
        thread.join()  # which has nothing left to do: from here on there are no threads but those that hang
        if turn.failed is not None:
            raise turn.failed
        return outcomes

    def _as_known(self, view: View) -> View | None:
        """A device that hangs still is taken as it was read before."""
        stuck = self._stuck.get(view.syspath)
        if stuck is not None and stuck.hangs() and view.inode() == stuck.inode:
            return None if stuck.view is None else stuck.view.frozen()
        return view.frozen() if len(self._stuck) >= MOST_STUCK else view

    def _hangs(self, path: str, tried: View | None, thread: threading.Thread) -> View | None:
        """What to describe it from instead."""
        self.hangs += 1
        before = self._stuck.get(path)
        if before is None:
            logger.warning(
                "a device does not answer: what is known of it stays, and it is not read until it does",
                extra={"device": path},
            )
        threads = (thread,) if before is None else (*before.threads, thread)
        another = None if tried is None or tried.is_frozen else tried.given_up()
        self._stuck[path] = _Stuck(threads, None if tried is None else tried.inode(), another)
        return another


def _outcome(describe: Describe, view: View | None) -> Outcome:
    if view is None:
        return Undescribed("it does not answer", unread=())
    try:
        return describe(view)
    except Undescribed as error:
        return error


def _start(turn: _Turn) -> threading.Thread:
    # A daemon, for the process must be able to end while it hangs.
    thread = threading.Thread(target=turn.run, name="describe", daemon=True)
    thread.start()
    return thread
