"""POST and DELETE of devices, giving them to another driver, and asking their host about it: each queues a command and
answers 202 with where to follow it; and `host accept`."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hwcensus.command import CHECK
from hwcensus.errors import InvalidDocument
from hwcensus.instant import now
from hwcensus_collector.api.answer import answer
from hwcensus_collector.api.context import Actor, ApiContext, Context
from hwcensus_collector.ingest.intake import Intake
from hwcensus_collector.inventory.commands import Command
from hwcensus_collector.inventory.hosts import Host, find_host, host_id
from hwcensus_collector.relay import queue

router = APIRouter(prefix="/v1/hosts/{host}", tags=["commands"])

#: Bytes of a creation document: far above any, far below what would hurt.
MAX_BODY = 1024 * 1024


Key = Annotated[str | None, Header(description="makes a repetition of the same order harmless")]
Valid = Annotated[float | None, Query(description="seconds until the order expires", ge=0, le=1e8)]
Require = Annotated[str | None, Query(description="online: undone where it does not become so")]
Persistent = Annotated[bool, Query(description="the host makes it again at every boot")]
Force = Annotated[bool, Query(description="also where it is in use, the way to Kafka may be lost, or a WWPN rests")]
Driver = Annotated[str | None, Query(description="who gets it; for PCI vfio-pci where none is named")]
Pool = Annotated[str | None, Query(description="of WWNs, for those that the document does not give")]


async def _asked(actor: Actor, idempotency_key: Key = None, valid: Valid = None) -> queue.Request:
    expires_in = None if valid is None else timedelta(seconds=valid)
    return queue.Request(actor=actor, door="api", idempotency_key=idempotency_key, expires_in=expires_in)


Asked = Annotated[queue.Request, Depends(_asked)]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a creation may ask for beside its document."""

    require: Require = None
    persistent: Persistent = False
    force: Force = False
    pool: Pool = None


Wished = Annotated[Wishes, Depends()]


@router.post("/devices", response_model=Command, status_code=202)
async def create(*, context: Context, request: Request, host: str, asked: Asked, wished: Wished) -> Response:
    """Orders that the device of the document in the body be created."""
    return await _creation(context, request, host, asked, wished, only_asks=False)


@router.post("/devices/check", response_model=Command, status_code=202)
async def check_creation(*, context: Context, request: Request, host: str, asked: Asked, wished: Wished) -> Response:
    """Asks the host what it would answer to the creation of the device of the document in the body: its policy, and who
    uses what goes with it. Nothing is done. Not of a port, whose names only its order gives."""
    return await _creation(context, request, host, asked, wished, only_asks=True)


@router.delete("/devices/{device:path}", response_model=Command, status_code=202)
def destroy(*, context: Context, host: str, device: str, asked: Asked, force: Force = False) -> Response:
    """Orders that a device be destroyed."""
    return _ordered(context, "destroy", host, device, asked, force=force)


@router.post("/devices/{device:path}/detach", response_model=Command, status_code=202)
def detach(
    *,
    context: Context,
    host: str,
    device: str,
    asked: Asked,
    force: Force = False,
    driver: Driver = None,
) -> Response:
    """Orders that the host's driver let go of a PCI or USB device."""
    return _ordered(context, "detach", host, device, asked, force=force, driver=driver)


@router.post("/devices/{device:path}/reattach", response_model=Command, status_code=202)
def reattach(*, context: Context, host: str, device: str, asked: Asked, force: Force = False) -> Response:
    """Orders that the host's own driver take a device again."""
    return _ordered(context, "reattach", host, device, asked, force=force)


@router.post("/devices/{device:path}/check", response_model=Command, status_code=202)
def check(
    *,
    context: Context,
    host: str,
    device: str,
    of: Annotated[Literal["destroy", "detach", "reattach"], Query(description="what would be done")],
    asked: Asked,
    force: Force = False,
    driver: Driver = None,
) -> Response:
    """Asks the host what it would answer to such an order: who uses the device, whether policy allows it. Nothing is
    done."""
    return _ordered(context, f"{CHECK}{of}", host, device, asked, force=force, driver=driver)


async def _creation(
    context: ApiContext, request: Request, host: str, asked: queue.Request, wished: Wishes, *, only_asks: bool
) -> Response:
    body = await read_body(request)

    def queued() -> Command:
        with context.writing() as connection:
            return queue.queue_create(
                connection,
                context.settings.commands,
                host,
                body,
                actor=asked.actor,
                idempotency_key=asked.idempotency_key,
                expires_in=asked.expires_in,
                only_asks=only_asks,
                **asdict(wished),
            )

    return _accepted(await run_in_threadpool(queued))


def _ordered(
    context: ApiContext,
    type_: str,
    host: str,
    device: str,
    asked: queue.Request,
    *,
    force: bool,
    driver: str | None = None,
) -> Response:
    settings = context.settings.commands
    with context.writing() as connection:
        return _accepted(
            queue.queue_order(connection, settings, type_, host, device, request=asked, force=force, driver=driver)
        )


@router.post("/accept", response_model=Host)
def accept(*, context: Context, host: str, actor: Actor) -> Response:
    """Says that whoever now claims to be this host is it: the end of a conflict."""
    with context.reading() as connection:
        id_ = host_id(connection, host)
    intake = Intake(context.engine, offline_after=context.settings.liveness.offline_after, cached_hosts=1)
    intake.accept(id_, at=now(), actor=actor, door="api")
    context.wrote()  # what waited for the end of the conflict can be sent
    with context.reading() as connection:
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
