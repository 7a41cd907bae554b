"""/v1/commands: what was ordered, what became of it, and ending what will not end by itself."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hwcensus_collector.api.answer import List, answer, answer_list
from hwcensus_collector.api.context import Actor, ApiContext, Context, PageWindow
from hwcensus_collector.inventory.commands import TYPES, Command, CommandFilter, find_command, list_commands
from hwcensus_collector.inventory.hosts import host_id
from hwcensus_collector.relay import ends

router = APIRouter(prefix="/v1/commands", tags=["commands"])

#: Seconds between two looks at a command that is waited for: another process may have stored a step.
LOOK_EVERY = 1.0

Reason = Annotated[str | None, Query(description="why, for the record", max_length=500)]


@router.get("", response_model=List[Command])
def commands(
    *,
    context: Context,
    window: PageWindow,
    host: Annotated[str | None, Query(description="id or name of a host")] = None,
    state: Annotated[str | None, Query(description="queued, dispatched, …")] = None,
    type: Annotated[str | None, Query(description=", ".join(TYPES))] = None,
    batch: Annotated[str | None, Query(description="id of the batch they belong to")] = None,
    overdue: Annotated[bool, Query(description="only those past their deadline without a result")] = False,
) -> Response:
    """The newest first."""
    with context.reading() as connection:
        id_ = None if host is None else host_id(connection, host)
        wanted = CommandFilter(host=id_, state=state, type=type, batch=batch, overdue=overdue)
        return answer_list(list_commands(connection, window, wanted))


@router.get("/{command}", response_model=Command)
async def command(
    *,
    context: Context,
    command: str,
    after: Annotated[int, Query(description="steps that are known: answered when there are more", ge=0)] = 0,
    wait: Annotated[float, Query(description="seconds to wait for them, unless it has ended", ge=0, le=30)] = 0,
) -> Response:
    """One command with the steps of its life."""
    until = time.monotonic() + wait
    while True:
        moved = context.followers.of(command)
        found = await run_in_threadpool(_find, context, command)
        left = until - time.monotonic()
        if left <= 0 or found.ended or len(found.steps) > after or context.followers.closed:
            return answer(found)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left, LOOK_EVERY)):
                await moved.wait()


def _find(context: ApiContext, command: str) -> Command:
    with context.reading() as connection:
        return find_command(connection, command)


@router.post("/{command}/cancel", response_model=Command)
async def cancel(*, context: Context, command: str, actor: Actor, reason: Reason = None) -> Response:
    """Takes back a command that has not been sent."""
    return await _end(context, command, partial(ends.cancel, actor=actor, reason=reason))


@router.post("/{command}/abandon", response_model=Command)
async def abandon(*, context: Context, command: str, actor: Actor, reason: Reason = None) -> Response:
    """Gives up on a command that was sent and is past its deadline."""
    return await _end(context, command, partial(ends.abandon, actor=actor, reason=reason))


async def _end(context: ApiContext, command: str, end: Callable[[Connection, str], Command]) -> Response:
    def written() -> Command:
        with context.writing() as connection:
            return end(connection, command)

    ended = await run_in_threadpool(written)
    context.followers.tell([command])
    return answer(ended)
