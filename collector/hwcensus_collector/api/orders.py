"""POST and DELETE of devices: they queue a command and answer 202 with where to follow it; and `host accept`."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from sqlalchemy import insert
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hwcensus.errors import InvalidDocument, Refused
from hwcensus.instant import now
from hwcensus_collector.api.answer import answer
from hwcensus_collector.api.context import Actor, Context
from hwcensus_collector.ingest import fold
from hwcensus_collector.ingest.intake import Intake
from hwcensus_collector.inventory.commands import Command
from hwcensus_collector.inventory.hosts import Host, find_host, host_id
from hwcensus_collector.relay import queue
from hwcensus_collector.tables import audit

router = APIRouter(prefix="/v1/hosts/{host}", tags=["commands"])

#: Bytes of a creation document: far above any, far below what would hurt.
MAX_BODY = 1024 * 1024


Key = Annotated[str | None, Header(description="makes a repetition of the same order harmless")]
Valid = Annotated[float | None, Query(description="seconds until the order expires", ge=0, le=1e8)]


@router.post("/devices", response_model=Command, status_code=202)
async def create(
    *,
    context: Context,
    request: Request,
    host: str,
    actor: Actor,
    idempotency_key: Key = None,
    valid: Valid = None,
    require: Annotated[str | None, Query(description="online: undone where it does not become so")] = None,
) -> Response:
    """Orders that the device of the document in the body be created."""
    body = await read_body(request)

    def queued() -> Command:
        with context.writing() as connection:
            return queue.queue_create(
                connection,
                context.settings.commands,
                host,
                body,
                actor=actor,
                idempotency_key=idempotency_key,
                expires_in=_seconds(valid),
                require=require,
            )

    return _accepted(await run_in_threadpool(queued))


@router.delete("/devices/{device:path}", response_model=Command, status_code=202)
def destroy(
    *,
    context: Context,
    host: str,
    device: str,
    actor: Actor,
    idempotency_key: Key = None,
    valid: Valid = None,
    force: Annotated[bool, Query(description="also where it is in use")] = False,
) -> Response:
    """Orders that a device be destroyed."""
    with context.writing() as connection:
        command = queue.queue_destroy(
            connection,
            context.settings.commands,
            host,
            device,
            actor=actor,
            idempotency_key=idempotency_key,
            expires_in=_seconds(valid),
            force=force,
        )
    return _accepted(command)


def _seconds(valid: float | None) -> timedelta | None:
    return None if valid is None else timedelta(seconds=valid)


@router.post("/accept", response_model=Host)
def accept(*, context: Context, host: str, actor: Actor) -> Response:
    """Says that whoever now claims to be this host is it: the end of a conflict."""
    with context.reading() as connection:
        id_ = host_id(connection, host)
    intake = Intake(context.engine, offline_after=context.settings.liveness.offline_after, cached_hosts=1)
    step = intake.change(id_, lambda state: fold.accept(state, now()))
    if not step.notes:
        raise Refused(f"nobody else claims to be {host}; nothing to accept", code="no-conflict")
    with context.writing() as connection:
        row = {"at": now(), "actor": actor, "door": "api", "action": "host.accept", "subject": id_}
        connection.execute(insert(audit).values(row | {"detail": {"stream": step.place.stream}}))
        return answer(find_host(connection, id_, patience=context.patience))


def _accepted(command: Command) -> Response:
    return answer(command, 202, {"Location": f"/v1/commands/{command.id}"})


async def read_body(request: Request) -> bytes:
    """The body, refused as soon as it is too large. Raises InvalidDocument (`document-too-large`)."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise InvalidDocument(f"the body has more than {MAX_BODY} bytes", code="document-too-large")
    return bytes(body)
