"""Asking hald about many devices at a time: what fails ends it all, and leaves nothing half begun."""

import asyncio
import gc
import warnings

import pytest

from hwcensus_agent.hal.client import AT_ONCE, HalGone, _bounded


@pytest.mark.parametrize("ends_by", ["hald going", "a cancel"])
async def test_questions_that_never_had_their_turn_are_never_begun(ends_by: str) -> None:
    begun: list[str] = []
    first = asyncio.Event()

    async def ask(udi: str) -> str:
        begun.append(udi)
        first.set()
        if ends_by == "hald going" and udi == "0":
            raise HalGone(udi)
        await asyncio.Event().wait()
        return udi

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        asking = asyncio.create_task(_bounded(ask, [str(number) for number in range(3 * AT_ONCE)]))
        await first.wait()
        if ends_by == "a cancel":
            asking.cancel()
        with pytest.raises(HalGone if ends_by == "hald going" else asyncio.CancelledError):
            await asking
        del asking
        gc.collect()
    assert 0 < len(begun) < 3 * AT_ONCE
    assert [str(one.message) for one in said] == []
