"""Requests that wait for a command's next step: woken by it, and by nothing of another command."""

import asyncio

from hwcensus_collector.api.followers import Followers


async def test_all_that_follow_a_command_are_woken_by_its_next_step() -> None:
    followers = Followers()
    first, second, another = followers.of("c1"), followers.of("c1"), followers.of("c2")
    followers.tell(["c1", "c3"])
    assert first.is_set()
    assert second.is_set()
    assert not another.is_set()


async def test_who_asks_again_waits_for_the_step_after() -> None:
    followers = Followers()
    before = followers.of("c1")
    followers.tell(["c1"])
    assert before.is_set()
    assert not followers.of("c1").is_set()


async def test_a_collector_that_stops_lets_nobody_wait() -> None:
    followers = Followers()
    waiting = asyncio.create_task(followers.of("c1").wait())
    await asyncio.sleep(0)
    followers.close()
    assert await waiting
    assert followers.closed
