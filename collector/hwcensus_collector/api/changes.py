"""/v1/changes: the feed of changes as a list, and as a stream of server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from hwcensus_collector.api.answer import List, answer_list
from hwcensus_collector.api.context import ApiContext, Context, PageWindow
from hwcensus_collector.api.parameters import Capability, Kinds, Since
from hwcensus_collector.inventory.changes import ChangeFilter, changes_after, list_changes
from hwcensus_collector.inventory.hosts import host_id
from hwcensus_collector.inventory.refusal import BadParameter
from hwcensus_collector.inventory.version import Version

router = APIRouter(prefix="/v1/changes", tags=["changes"])

#: Seconds of silence after which a stream says that it is alive.
ALIVE_EVERY = 15.0
#: Rows of one read.
_BATCH = 500
#: Positions are 64-bit numbers.
_BEYOND = 1 << 63

HostName = Annotated[str | None, Query(description="id or name of a host")]


@router.get("", response_model=List[Version])
def changes(
    *,
    context: Context,
    window: PageWindow,
    cap: Capability,
    kinds: Kinds,
    since: Since,
    after: Annotated[int, Query(description="only beyond this position of the feed")] = 0,
    host: HostName = None,
) -> Response:
    """What changed, in the feed's order, or with `since` in that of time."""
    with context.reading() as connection:
        id_ = None if host is None else host_id(connection, host)
        wanted = ChangeFilter(host=id_, cap=cap, kinds=kinds)
        return answer_list(list_changes(connection, wanted, window, after=after, since=since))


@router.get("/stream", response_class=StreamingResponse)
def stream(
    *,
    context: Context,
    cap: Capability,
    kinds: Kinds,
    after: Annotated[int | None, Query(description="begin beyond this position; by default at the present")] = None,
    host: HostName = None,
    last_event_id: Annotated[str | None, Header(description="the position to go on from")] = None,
) -> Response:
    """Changes as they come, as server-sent events whose ids are positions of the feed.

    An event `reset` says that the position asked for is beyond the feed's end: the inventory was made anew.
    """
    start = after if last_event_id is None else _position(last_event_id)
    if start is not None and not 0 <= start < _BEYOND:
        raise BadParameter(f"{start} is no position in the feed", code="bad-position")
    with context.reading() as connection:
        id_ = None if host is None else host_id(connection, host)
    wanted = ChangeFilter(host=id_, cap=cap, kinds=kinds)
    return StreamingResponse(
        _events(context, wanted, start), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def _position(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise BadParameter(f"Last-Event-ID {text[:40]!r} is no position in the feed", code="bad-position")
    return int(text)


async def _events(context: ApiContext, wanted: ChangeFilter, start: int | None) -> AsyncIterator[bytes]:
    end = await run_in_threadpool(context.pulse.read)
    position = end if start is None else start
    if position > end:
        yield _event(end, "reset", {"position": end})
        position = end
    yield f"id: {position}\n\n".encode()  # an id alone dispatches nothing, but a reader resumes from it
    while not context.pulse.closed:
        found, position = await run_in_threadpool(_next, context, wanted, position)
        for version in found:
            yield _event(version.feed, "change", version)
        if len(found) < _BATCH and not await context.pulse.beyond(position, ALIVE_EVERY):
            yield f": alive\nid: {position}\n\n".encode()


def _next(context: ApiContext, wanted: ChangeFilter, position: int) -> tuple[list[Version], int]:
    """The rows beyond a position, and the position up to which there are no others."""
    with context.reading() as connection:
        seen = context.pulse.read()
        found = changes_after(connection, position, wanted, _BATCH)
    if len(found) == _BATCH:
        return found, found[-1].feed
    return found, max(position, seen, *(version.feed for version in found))


def _event(position: int, name: str, data: object) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (position, name.encode(), to_json(data))
