"""Batches: one creation queued for many hosts, of which the relay lets only some be under way, and stops at failures.

Every host's command is one like any other. A host that cannot be commanded now is named in the answer and holds up
nobody; what is wrong with the request itself, a misspelt host too, queues nothing at all.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update

from hwcensus.batch_order import check_limits, check_size
from hwcensus.creatable import creatable_type, read_creation
from hwcensus.creatable.vport import names
from hwcensus.errors import NotFound, Refused
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.audit import Action, audit
from hwcensus_collector.inventory import batches as inventory
from hwcensus_collector.inventory.hosts import host_id
from hwcensus_collector.relay.lifecycle import State
from hwcensus_collector.relay.queue import PORTS, Request, begin, digest_of, queue_create
from hwcensus_collector.relay.steps import Moved, Step, move
from hwcensus_collector.relay.uuid7 import uuid7
from hwcensus_collector.settings import CommandSettings
from hwcensus_collector.wwns.allot import Allotter

_batch, _command = tables.batch, tables.command


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is created on which hosts (ids or names), how many at once, and after how many failures it stops.

    `wanted` is how the hosts were asked for: what a repetition is compared by, since a filter finds others later.
    """

    hosts: tuple[str, ...]
    wanted: str
    document: bytes
    at_once: int
    stop_after: int
    require: str | None = None
    persistent: bool = False
    force: bool = False
    pool: str | None = None


def queue_batch(connection: Connection, settings: CommandSettings, order: Order, request: Request) -> inventory.Batch:
    """Queues the creation for every host that can be commanded now.

    The commands of a batch leave in waves of `at_once`; each wave is valid for as long again as the one before.
    Raises what `queue_create` raises for the request itself, Unknown and Ambiguous for a host, UsageError
    (`bad-batch`), and Refused with the first host's reason where not one can be commanded.
    """
    creation = read_creation(order.document)
    subject = creatable_type(creation)
    digest = digest_of("batch", repr(replace(order, hosts=())), str(request.expires_in))
    repeated = begin(connection, request, digest, _batch)
    if repeated is not None:
        return inventory.find_batch(connection, repeated)
    check_limits(at_once=order.at_once, stop_after=order.stop_after)
    check_size(len(order.hosts))
    hosts = list(dict.fromkeys(host_id(connection, wanted) for wanted in order.hosts))
    allotter = Allotter(connection, settings, names(creation).get("wwpn")) if subject in PORTS else None
    queued: list[str] = []
    refused: list[dict[str, str]] = []
    for host in hosts:
        wave = replace(request, expires_in=_valid_for(settings, request, len(queued) // order.at_once))
        try:
            queued.append(_queue_one(connection, settings, order, host, wave, allotter=allotter))
        except (Refused, NotFound) as error:
            refused.append({"host": host, "code": error.code, "detail": error.message})
    if not queued:
        first = refused[0]
        raise Refused(f"no host of the batch can be commanded; {first['host']}: {first['detail']}", code=first["code"])
    id_, step = uuid7(), Step(state=State.QUEUED, by=request.actor, door=request.door, at=now())
    connection.execute(
        insert(_batch).values(
            id=id_,
            by=step.by,
            issued=step.at,
            subject=subject,
            at_once=order.at_once,
            stop_after=order.stop_after,
            refused=refused,
            idempotency_key=request.idempotency_key,
            request_digest=digest,
        )
    )
    connection.execute(update(_command).where(_command.c.id.in_(queued)).values(batch=id_))
    audit(connection, step.deed(Action.BATCH_QUEUED, id_, {"commands": len(queued), "refused": refused}))
    return inventory.find_batch(connection, id_)


def cancel_batch(connection: Connection, id_: str, *, actor: str, reason: str | None = None) -> inventory.Batch:
    """Takes back what has not been sent. Raises Unknown; Refused (`too-late`) where all of it was."""
    found = inventory.find_batch(connection, id_)
    rest = _rest().where(_command.c.batch == id_)
    step = Step(state=State.CANCELLED, by=actor, door="api", at=now(), text=reason)
    if not _stop(connection, id_, rest, step):
        raise Refused(f"the batch is {found.state}, and all its commands were sent or have ended", code="too-late")
    return inventory.find_batch(connection, id_)


def has_failed(at: datetime) -> ColumnElement[bool]:
    """Whether a batch with commands left is to stop."""
    return failing(at).exists()


def stop_failed(connection: Connection, at: datetime) -> list[str]:
    """Cancels the rest of every batch that has failed too often; tells which commands."""
    cancelled: list[str] = []
    for id_ in connection.execute(failing(at)).scalars().all():
        found = inventory.find_batch(connection, id_)
        text = f"{found.failures} of {found.commands} failed, the batch stops after {found.stop_after}"
        step = Step(state=State.CANCELLED, by="relay", door="relay", at=at, code="batch-stopped", text=text)
        cancelled += _stop(connection, found.id, _rest().where(_command.c.batch == found.id), step)
    return cancelled


def failing(at: datetime) -> Select[str]:
    """Ids of batches that have commands left, and have failed too often to send them."""
    failures = (
        select(func.count())
        .where(_command.c.batch == _batch.c.id, inventory.has_failed(at))
        .correlate(_batch)
        .scalar_subquery()
    )
    left = _rest().with_only_columns(_command.c.batch).where(_command.c.batch.is_not(None))
    return select(_batch.c.id).where(_batch.c.id.in_(left), failures >= _batch.c.stop_after)


def _rest() -> Select[str]:
    """Commands that nobody has begun to send."""
    columns = (_command.c.id, _command.c.host, _command.c.type)
    return select(*columns).where(_command.c.state == State.QUEUED, _command.c.partition.is_(None))


def _stop(connection: Connection, id_: str, rest: Select[str], step: Step) -> list[str]:
    rows = connection.execute(rest.order_by(_command.c.id).with_for_update()).all()
    values = {"code": step.code, "text": step.text}
    for row in rows:
        move(connection, Moved(id=row.id, host=row.host, type=row.type, state=State.QUEUED), step, values)
    if rows:
        stopped = {"stopped_at": step.at, "stopped_by": step.by, "reason": step.text}
        connection.execute(update(_batch).where(_batch.c.id == id_).values(stopped))
        audit(connection, step.deed(Action.BATCH_STOPPED, id_, {"cancelled": len(rows), "text": step.text}))
    return [row.id for row in rows]


def _valid_for(settings: CommandSettings, request: Request, wave: int) -> timedelta:
    own = request.expires_in or timedelta(seconds=settings.deadline)
    longest = timedelta(seconds=settings.deadline_max)
    return own if own > longest else min(own * (wave + 1), longest)


def _queue_one(
    connection: Connection,
    settings: CommandSettings,
    order: Order,
    host: str,
    request: Request,
    *,
    allotter: Allotter | None,
) -> str:
    with connection.begin_nested():  # nothing of a host that is refused half-way stays
        command = queue_create(
            connection,
            settings,
            host,
            order.document,
            actor=request.actor,
            door=request.door,
            expires_in=request.expires_in,
            require=order.require,
            persistent=order.persistent,
            force=order.force,
            pool=order.pool,
            allotter=allotter,
        )
    return command.id
