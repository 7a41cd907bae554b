"""/v1/batches: one creation for many hosts, how far it is, and stopping it."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hwcensus.batch_order import check_which
from hwcensus_collector.api.answer import List, answer, answer_list
from hwcensus_collector.api.commands import Reason
from hwcensus_collector.api.context import Actor, Context, PageWindow
from hwcensus_collector.api.orders import Asked, Wished, read_body
from hwcensus_collector.api.parameters import Capability
from hwcensus_collector.inventory.batches import Batch, find_batch, list_batches
from hwcensus_collector.inventory.hosts import ids_of_hosts
from hwcensus_collector.relay import batch as relay

router = APIRouter(prefix="/v1/batches", tags=["commands"])


@router.get("", response_model=List[Batch])
def batches(*, context: Context, window: PageWindow) -> Response:
    """The newest first."""
    with context.reading() as connection:
        return answer_list(list_batches(connection, window))


@router.get("/{batch}", response_model=Batch)
def batch(*, context: Context, batch: str) -> Response:
    """One batch; /v1/commands?batch= has its commands."""
    with context.reading() as connection:
        return answer(find_batch(connection, batch))


@router.post("/{batch}/cancel", response_model=Batch)
def cancel(*, context: Context, batch: str, actor: Actor, reason: Reason = None) -> Response:
    """Takes back what has not been sent of it."""
    with context.writing() as connection:
        return answer(relay.cancel_batch(connection, batch, actor=actor, reason=reason))


@router.post("", response_model=Batch, status_code=202)
async def create(
    *,
    context: Context,
    request: Request,
    asked: Asked,
    host: Annotated[tuple[str, ...], Query(description="id or name of a host; once a host")] = (),
    status: Annotated[str | None, Query(description="all hosts that are online, stale or offline")] = None,
    cap: Capability = None,
    at_once: Annotated[int, Query(description="commands under way at the same time")] = 10,
    stop_after: Annotated[int, Query(description="failures after which the rest is cancelled")] = 1,
    wished: Wished,
) -> Response:
    """Orders that the device of the document in the body be created on many hosts: those named, or all of a status or
    with a device of a capability. Hosts that cannot be commanded now are in `refused`; the others go on."""
    check_which(host, status, cap)
    body = await read_body(request)

    def queued() -> Batch:
        with context.writing() as connection:
            hosts = host or ids_of_hosts(connection, status=status, cap=cap, patience=context.patience)
            order = relay.Order(
                hosts=hosts,
                wanted=repr((host, status, cap)),
                document=body,
                at_once=at_once,
                stop_after=stop_after,
                **asdict(wished),
            )
            return relay.queue_batch(connection, context.settings.commands, order, asked)

    made = await run_in_threadpool(queued)
    return answer(made, 202, {"Location": f"/v1/batches/{made.id}"})
