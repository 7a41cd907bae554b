"""The clock on a real loop, with ticks of a few milliseconds."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.netlink.monitor import Overflow
from hwcensus_agent.sources import Action, ClockSource, Hint
from hwcensus_agent.sources.clock import slices
from hwcensus_agent.sources.drain import LIMIT, Drain

WAIT = 20.0  # seconds, to wait for what must come


@given(st.lists(st.text(max_size=5), unique=True), st.integers(1, 50))
def test_every_path_is_in_exactly_one_slice_and_the_slices_are_even(paths: list[str], n: int) -> None:
    dealt = slices(paths, n)
    assert len(dealt) == n
    assert [path for part in dealt for path in part] == sorted(paths)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


async def test_a_round_looks_at_every_device_once_and_lists_all_once() -> None:
    paths = {f"/sys/devices/d{number}" for number in range(50)}
    hints: list[Hint] = []
    rounds = asyncio.Event()

    def known() -> set[str]:
        if hints:
            rounds.set()
        return paths

    clock = ClockSource(interval=0.05, tick=0.005, known=known)
    clock.start()
    clock.attach(asyncio.get_running_loop(), hints.append, print)
    async with asyncio.timeout(WAIT):
        await rounds.wait()
    clock.close()
    assert sorted(hint.syspath for hint in hints if hint.action is Action.RECHECK) == sorted(paths)
    assert [hint.syspath for hint in hints if hint.action is Action.ENUMERATE] == ["/sys"]


async def test_checks_are_called_and_one_that_fails_does_not_stop_the_clock() -> None:
    called = asyncio.Event()
    errors: list[dict[str, object]] = []
    calls: list[None] = []

    def check() -> None:
        calls.append(None)
        if len(calls) == 1:
            raise RuntimeError("the first time")
        called.set()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    clock = ClockSource(interval=1, tick=0.005, known=list, checks=[check])
    clock.start()
    clock.attach(loop, print, print)
    async with asyncio.timeout(WAIT):
        await called.wait()
    clock.close()
    assert [str(error["exception"]) for error in errors] == ["the first time"]


async def test_a_machine_that_slept_is_a_gap() -> None:
    gaps: asyncio.Queue[str] = asyncio.Queue()
    clock = ClockSource(interval=1, tick=0.005, known=list)
    clock.start()
    clock._slept -= 3600  # nothing here can really suspend the machine
    clock.attach(asyncio.get_running_loop(), print, gaps.put_nowait)
    async with asyncio.timeout(WAIT):
        assert await gaps.get() == "suspend"
    clock.close()
    assert gaps.empty()


def test_a_loss_is_told_once_and_only_when_all_is_read() -> None:
    told: list[str] = []
    left = iter(["event", "loss", "event", "loss", *["event"] * LIMIT])

    def read() -> bool:
        match next(left, "nothing"):
            case "event":
                told.append("event")
            case "loss":
                raise Overflow
            case _:
                return False
        return True

    drain = Drain(read, lambda: told.append("lost"))
    drain()
    assert set(told) == {"event"}, "more is there, and the loop calls again"
    drain()
    drain()
    assert told == ["event"] * (LIMIT + 2) + ["lost"]
    assert drain.overflows == 2
