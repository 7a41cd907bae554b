"""Queueing a command: everything that can be refused is refused here, then row, first step and audit row are written.

In the caller's transaction (`database.writing`); no Kafka. What only the host knows is not asked here.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection, Table, func, insert, select

from hwcensus.command import CHECK, IssuedCommand
from hwcensus.creatable import CREATABLE, creatable_type, read_creation
from hwcensus.creatable.adapter import VIRTUAL
from hwcensus.creatable.vport import names
from hwcensus.errors import InvalidDocument, Refused, UsageError
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.inventory import commands as inventory
from hwcensus_collector.inventory.device import Device
from hwcensus_collector.relay.adapter import require_virtual, unmade_port
from hwcensus_collector.relay.lifecycle import State
from hwcensus_collector.relay.ready import (
    ReadyHost,
    fill_parent,
    present_device,
    ready_host,
    require_creatable,
    require_detachable,
)
from hwcensus_collector.relay.steps import Moved, Step, audit_move, note, take_turn
from hwcensus_collector.relay.uuid7 import uuid7
from hwcensus_collector.relay.vport import PortWishes, fill_vport
from hwcensus_collector.settings import CommandSettings
from hwcensus_collector.wwns.allot import Allotter

#: Creatable types that can be waited for to be online, kept by the host, and named out of a pool.
PORTS = frozenset({"vport"})
#: Bytes of a command: far above any, far below what Kafka takes.
LARGEST = 256 * 1024
_LONGEST_KEY = 200


@dataclass(frozen=True, kw_only=True)
class Request:
    """Who asks, through which door, and how."""

    actor: str
    door: str
    idempotency_key: str | None
    expires_in: timedelta | None


def queue_create(
    connection: Connection,
    settings: CommandSettings,
    host: str,
    document: bytes,
    *,
    actor: str,
    door: str = "api",
    idempotency_key: str | None = None,
    expires_in: timedelta | None = None,
    require: str | None = None,
    persistent: bool = False,
    force: bool = False,
    pool: str | None = None,
    allotter: Allotter | None = None,
    only_asks: bool = False,
) -> inventory.Command:
    """Queues the creation of the device that a document describes, on the host of this id or name.

    `actor` asks, through `door`; `expires_in` counts from now, by default it is the settings' deadline. `allotter` is
    the transaction's, where it queues more than one. Where it `only_asks`, the question is queued what the host would
    answer.
    Raises InvalidDocument (also `name-too-long`, `bad-name`, `not-creatable`, …), what `ready_host`,
    `require_creatable`, `fill_parent` and `fill_vport` raise, UsageError (`bad-deadline`, `bad-require`,
    `bad-persistent`, `bad-pool`, `bad-check`, `bad-idempotency-key`, `bad-actor`), Refused (`idempotency-key-reused`).
    """
    request = Request(actor=actor, door=door, idempotency_key=idempotency_key, expires_in=expires_in)
    creation = read_creation(document)
    type_ = creatable_type(creation)
    order = f"{CHECK}create" if only_asks else "create"
    if only_asks and type_ in PORTS:
        text = f"only its order gives a {type_} its names; `hwcensus-agent policy check` on the host knows what may be"
        raise UsageError(text, code="bad-check")
    _check_wishes(type_, require, pool, persistent=persistent)
    flags = (str(require), str(persistent), str(force), str(pool))
    digest = digest_of(order, host, document.decode(errors="replace"), *flags, str(expires_in))
    repeated = _begin(connection, request, digest)
    if repeated is not None:
        return repeated
    ready = ready_host(connection, host)
    require_creatable(ready, type_)
    ordered = _command(ready, settings, order, request)
    if type_ == "vport":
        wishes = PortWishes(command=ordered.id, online=require == "online", pool=pool, force=force)
        given = names(creation).get("wwpn")
        fill_vport(connection, allotter or Allotter(connection, settings, given), ready, creation, wishes)
    else:
        fill_parent(connection, ready, creation)
    command = replace(
        ordered,
        require=require,
        persistent=persistent or None,
        force=force or None,
        device=creation,
    )
    return _queue(connection, command, type_, request, digest)


def queue_order(
    connection: Connection,
    settings: CommandSettings,
    type_: str,
    host: str,
    device: str,
    *,
    request: Request,
    force: bool = False,
    driver: str | None = None,
) -> inventory.Command:
    """Queues what is done to a device that is there, by name or identity: `destroy`, `detach` (to `driver`) or
    `reattach`, or a check of one, which only asks its host; a port that its host wants at every boot can be destroyed
    without being there.

    Raises as `queue_create` does, and what `present_device`, `require_virtual` and `require_detachable` raise.
    """
    digest = digest_of(type_, host, device, str(force), str(driver), str(request.expires_in))
    repeated = _begin(connection, request, digest)
    if repeated is not None:
        return repeated
    ready = ready_host(connection, host)
    command = replace(_command(ready, settings, type_, request), force=force or None, driver=driver)
    if driver is not None and command.meant != "detach":
        raise UsageError(f"only a detach gives a device to a driver, no {command.meant}", code="bad-driver")
    unmade = unmade_port(connection, ready, device) if command.meant == "destroy" else None
    if unmade is not None:
        return _queue(connection, replace(command, identity=device, name=unmade), "vport", request, digest)
    target = present_device(connection, ready, device)
    if command.meant == "destroy":
        require_virtual(target)
    else:
        require_detachable(target, driver, force=force or command.meant == "reattach")
    command = replace(command, identity=target.identity, name=target.name)
    return _queue(connection, command, _subject(target, command.meant), request, digest)


def _subject(target: Device, meant: str) -> str | None:
    """What the command is about: a creatable class, or the bus of what is given to another driver."""
    if meant != "destroy":
        return target.bus
    if VIRTUAL in target.facts:
        return "vport"
    return next((creatable for creatable in CREATABLE if creatable in target.capabilities), None)


def _begin(connection: Connection, request: Request, digest: bytes) -> inventory.Command | None:
    id_ = begin(connection, request, digest, tables.command)
    return None if id_ is None else inventory.find_command(connection, id_)


def begin(connection: Connection, request: Request, digest: bytes, table: Table) -> str | None:
    """Takes the turn; gives back the id of what the same request queued before. Raises Refused for another one, and
    UsageError for an actor or a key that is none."""
    if not request.actor or not request.actor.isprintable():
        raise UsageError(f"{request.actor!r} names nobody", code="bad-actor")
    key = request.idempotency_key
    if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isprintable()):
        text = f"an idempotency key has 1 to {_LONGEST_KEY} printable characters, not {key[: _LONGEST_KEY + 1]!r}"
        raise UsageError(text, code="bad-idempotency-key")
    take_turn(connection)
    if key is None:
        return None
    row = connection.execute(
        select(table.c.id, table.c.request_digest).where(table.c.idempotency_key == key)
    ).one_or_none()
    if row is None:
        return None
    if row.request_digest != digest:
        raise Refused(f"the idempotency key {key!r} came with another request before", code="idempotency-key-reused")
    return str(row.id)


def _check_wishes(type_: str, require: str | None, pool: str | None, *, persistent: bool) -> None:
    if require not in (None, "online"):
        raise UsageError(f"only 'online' can be required, not {require!r}", code="bad-require")
    if type_ in PORTS:
        return
    if require is not None:
        raise UsageError(f"a {type_} cannot be required to be online", code="bad-require")
    if persistent:
        raise UsageError(f"a {type_} is not kept over a boot, only {', '.join(PORTS)} is", code="bad-persistent")
    if pool is not None:
        raise UsageError(f"a {type_} has no WWN that pool {pool!r} could give", code="bad-pool")


def _command(host: ReadyHost, settings: CommandSettings, type_: str, request: Request) -> IssuedCommand:
    issued = now()
    return IssuedCommand(
        id=uuid7(),
        host=host.id,
        stream=host.stream,
        type=type_,
        issued=issued,
        expires=issued + _valid_for(settings, request.expires_in),
        by=request.actor,
    )


def _valid_for(settings: CommandSettings, wanted: timedelta | None) -> timedelta:
    longest = timedelta(seconds=settings.deadline_max)
    valid_for = timedelta(seconds=settings.deadline) if wanted is None else wanted
    if not timedelta(0) < valid_for <= longest:
        raise UsageError(
            f"a command is valid for more than 0 s and at most {longest.total_seconds():.12g} s,"
            f" not for {valid_for.total_seconds():.12g} s",
            code="bad-deadline",
        )
    return valid_for


def _queue(
    connection: Connection, command: IssuedCommand, subject: str | None, request: Request, digest: bytes
) -> inventory.Command:
    table, body = tables.command, command.to_bytes()
    if len(body) > LARGEST:
        raise InvalidDocument(f"{len(body)} bytes are more than a command may have", code="document-too-large")
    connection.execute(
        insert(table).values(
            id=command.id,
            host=command.host,
            number=select(func.coalesce(func.max(table.c.number), 0) + 1).scalar_subquery(),
            type=command.type,
            state=State.QUEUED,
            subject=subject,
            identity=command.identity,
            name=command.name,
            body=body,
            stream=command.stream,
            by=command.by,
            issued=command.issued,
            expires=command.expires,
            produced=[],
            idempotency_key=request.idempotency_key,
            request_digest=digest,
            updated_at=command.issued,
        )
    )
    step = Step(state=State.QUEUED, by=request.actor, door=request.door, at=command.issued)
    moved = Moved(id=command.id, host=command.host, type=command.type, state=State.QUEUED)
    note(connection, command.id, step)
    audit_move(connection, moved, step)
    return inventory.find_command(connection, command.id)


def digest_of(*words: str) -> bytes:
    """What two requests with one idempotency key are compared by."""
    return hashlib.sha256(json.dumps(words).encode()).digest()
