"""`hwcensus-collector wwn …`: pools and names by hand. What changes something is audited under the person's login."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from sqlalchemy import Connection, Engine

from hwcensus.errors import UsageError
from hwcensus.instant import write_instant
from hwcensus_collector.audit import Action, audit, by_hand
from hwcensus_collector.database import writing
from hwcensus_collector.inventory.cursor import MAX_LIMIT, Window
from hwcensus_collector.inventory.wwns import Wwn, holder_id, list_pools, list_wwns
from hwcensus_collector.relay.steps import take_turn
from hwcensus_collector.settings import CollectorSettings
from hwcensus_collector.wwns import claims, pool
from hwcensus_collector.wwns.life import adopt

Lines = Iterator[str]


def run(verb: str, arguments: argparse.Namespace, settings: CollectorSettings, engine: Engine) -> list[str]:
    """One verb, in one transaction; what it says. Raises what is wrong with it."""
    with writing(engine) as connection:
        # Nobody is given a name meanwhile.
        take_turn(connection)
        adopt(connection)
        return list(_VERBS[verb](connection, arguments, timedelta(seconds=settings.commands.wwn_quarantine)))


def _add_pool(connection: Connection, arguments: argparse.Namespace, _: timedelta) -> Lines:
    added = pool.add_pool(connection, arguments.name, arguments.first, arguments.last, arguments.wwnn)
    range_ = {"first": added.first, "last": added.last, "wwnn": added.wwnn}
    audit(connection, by_hand(Action.POOL_ADD, added.name, range_))
    yield str(added)


def _remove_pool(connection: Connection, arguments: argparse.Namespace, _: timedelta) -> Lines:
    removed = pool.remove_pool(connection, arguments.name)
    audit(connection, by_hand(Action.POOL_REMOVE, removed.name, {"first": removed.first, "last": removed.last}))
    yield str(removed)


def _list_pools(connection: Connection, _: argparse.Namespace, quarantine: timedelta) -> Lines:
    window: Window | None = Window(limit=MAX_LIMIT)
    while window is not None:
        page = list_pools(connection, window, quarantine)
        for one in page.items:
            wwnn = "each its own" if one.wwnn is None else one.wwnn
            counts = f"reserved {one.reserved}  held {one.held}  quarantined {one.quarantined}  of {one.size}"
            yield f"{one.name}  {one.first} to {one.last}  wwnn {wwnn}  {counts}"
        window = None if page.next is None else Window(limit=MAX_LIMIT, cursor=page.next)


def _list_wwns(connection: Connection, arguments: argparse.Namespace, quarantine: timedelta) -> Lines:
    host = None if arguments.host is None else holder_id(connection, arguments.host)
    window: Window | None = Window(limit=MAX_LIMIT)
    while window is not None:
        page = list_wwns(connection, window, quarantine, pool=arguments.pool, host=host, state=arguments.state)
        yield from (_line(one) for one in page.items)
        window = None if page.next is None else Window(limit=MAX_LIMIT, cursor=page.next)


def _line(one: Wwn) -> str:
    until = "" if one.until is None else f"  until {write_instant(one.until)}"
    why = f"{one.reason} {one.command or ''}".rstrip()
    return (
        f"{one.wwpn}  {one.wwnn or '-':16}  {one.state:11}  {one.host_name}  {why} at {write_instant(one.since)}{until}"
    )


def _import(connection: Connection, arguments: argparse.Namespace, _: timedelta) -> Lines:
    if (arguments.list is None) is not (arguments.holder is None):
        raise UsageError("a list needs a holder, and a holder a list: give --list and --holder", code="bad-holder")
    if arguments.list is None:
        among = pool.pools(connection) if arguments.pool is None else [pool.find_pool(connection, arguments.pool)]
        taken, detail = claims.import_seen(connection, among), dict[str, str]()
    else:
        lines = arguments.list.decode("utf-8-sig", "replace").splitlines()
        holder = claims.holder_of(connection, arguments.holder)
        taken, detail = claims.import_listed(connection, lines, holder), {"host": holder}
    for wwpn in taken:
        audit(connection, by_hand(Action.WWN_IMPORT, wwpn, detail))
        yield wwpn


def _release(connection: Connection, arguments: argparse.Namespace, _: timedelta) -> Lines:
    wwpn, host = claims.release(connection, arguments.wwpn)
    audit(connection, by_hand(Action.WWN_RELEASE, wwpn, {"host": host}))
    yield f"{wwpn} is free; {host} had it"


_VERBS: Mapping[str, Callable[[Connection, argparse.Namespace, timedelta], Lines]] = {
    "pool add": _add_pool,
    "pool list": _list_pools,
    "pool remove": _remove_pool,
    "list": _list_wwns,
    "import": _import,
    "release": _release,
}
