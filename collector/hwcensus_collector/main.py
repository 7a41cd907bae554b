"""`hwcensus-collector`: runs the centre, and what its operator does by hand (`topics`, `db`, `key`, …)."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from functools import partial
from typing import cast

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

import hwcensus
from hwcensus import config, log
from hwcensus.errors import HwcensusError
from hwcensus.given import read_given
from hwcensus.instant import now
from hwcensus.parser import FILE, Parser
from hwcensus.streams import escape_unwritable
from hwcensus_collector import database
from hwcensus_collector.settings import CollectorSettings

PARTS = ("ingest", "api", "relay")

Action = Callable[[argparse.Namespace, CollectorSettings], int]


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, 2 wrong usage or configuration, 3 not found, 4 refused, 5 unreachable, 1 anything else."""
    escape_unwritable()
    try:
        arguments = _parser().parse_args(argv)
        settings, origins = config.load(
            CollectorSettings, program="collector", argv_values=vars(arguments), environ=os.environ
        )
        if arguments.show_config:
            print(config.show(settings, origins), end="")
            return 0
        log.setup(level=settings.log.level, style=cast(log.Style, settings.log.style))
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it announces every look at the revision
        action: Action = arguments.action
        return action(arguments, settings)
    except HwcensusError as error:
        print(f"hwcensus-collector: {error.code}: {log.one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except DBAPIError as error:
        ours = database.failure(error)
        print(f"hwcensus-collector: {ours.code}: {ours}", file=sys.stderr)
        return ours.exit_code


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(prog="hwcensus-collector", description=__doc__)
    parser.add_argument("--version", action="version", version=f"hwcensus-collector {hwcensus.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    run = _verb(verbs, "run", _run, "ingest, relay and API, until SIGTERM or SIGINT")
    run.add_argument("--only", choices=PARTS, help="only this part; the others run elsewhere")
    topics = verbs.add_parser("topics", help="the topics in Kafka").add_subparsers(required=True, metavar="VERB")
    _verb(topics, "apply", _topics_apply, "make them where they are missing, and say what differs")
    db = verbs.add_parser("db", help="the database").add_subparsers(required=True, metavar="VERB")
    _verb(db, "upgrade", _db_upgrade, "bring its schema up to this program's")
    _verb(db, "check", _db_check, "recompute digests and counts of every host")
    key = verbs.add_parser("key", help="the keys that sign commands").add_subparsers(required=True, metavar="VERB")
    _verb(key, "show", partial(_key, "show"), "print the public keys that agents have to pin")
    _verb(key, "next", partial(_key, "next"), "make the key that is to sign next; the present one signs on")
    _verb(key, "switch", partial(_key, "switch"), "let the other key sign, once all agents pin both; again: back")
    _verb(key, "retire", partial(_key, "retire"), "forget the key that does not sign")
    ingest = _verb(verbs, "ingest", _ingest, "fold events without Kafka")
    ingest.add_argument(
        "--once", metavar="FILE", type=FILE, required=True, help="event documents one after the other; - is stdin"
    )
    host = verbs.add_parser("host", help="one host").add_subparsers(required=True, metavar="VERB")
    accept = _verb(host, "accept", _host_accept, "settle a conflict: the newer claimant is the host")
    retire = _verb(host, "retire", partial(_host_service, "retire"), "take it out of service: nothing is ordered of it")
    unretire = _verb(host, "unretire", partial(_host_service, "unretire"), "take it into service again")
    for verb in (accept, retire, unretire):
        verb.add_argument("host", help="its id or name")
    _add_wwn(verbs.add_parser("wwn", help="the names of virtual ports").add_subparsers(required=True, metavar="VERB"))
    return parser


def _add_wwn(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    pool = verbs.add_parser("pool", help="ranges that names are taken from").add_subparsers(
        required=True, metavar="VERB"
    )
    add = _verb(pool, "add", partial(_wwn, "pool add"), "a range of WWPNs, both ends included")
    add.add_argument("name")
    add.add_argument("first")
    add.add_argument("last")
    add.add_argument("--wwnn", help="the node name of all its ports; without one each gets a name of the range")
    _verb(pool, "list", partial(_wwn, "pool list"), "all pools, and how much of each is in use")
    remove = _verb(
        pool, "remove", partial(_wwn, "pool remove"), "nothing more is taken from it; who has a name keeps it"
    )
    remove.add_argument("name")
    listed = _verb(verbs, "list", partial(_wwn, "list"), "every WWPN that is not free, and who has it")
    listed.add_argument("--pool", help="only of this pool's range")
    listed.add_argument("--host", help="only of this host, by id or name, or of whom a list was imported for")
    listed.add_argument("--state", help="only reserved, held or quarantined ones")
    taken = _verb(
        verbs, "import", partial(_wwn, "import"), "hold what ports of the census have of the pools' ranges, or a list"
    )
    whose = taken.add_mutually_exclusive_group()
    whose.add_argument("pool", nargs="?", help="only of this pool")
    # Read here, before there is a transaction: nobody waits for a person who types names in.
    whose.add_argument(
        "--list",
        metavar="FILE",
        type=read_given,
        help="WWPNs in use elsewhere, one a line; - is stdin; with --holder",
    )
    taken.add_argument("--holder", help="who has those of the list: an array, a cluster without agents")
    release = _verb(verbs, "release", partial(_wwn, "release"), "free a WWPN that is held or in quarantine, at once")
    release.add_argument("wwpn")


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, action: Action, text: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(action=action)
    config.add_flags(parser, CollectorSettings)
    return parser


def _open(settings: CollectorSettings) -> Engine:
    engine = database.open_engine(settings.database.url)
    database.require_head(engine)
    return engine


def _run(arguments: argparse.Namespace, settings: CollectorSettings) -> int:
    parts = PARTS if arguments.only is None else (arguments.only,)
    engine = _open(settings)
    # Imported here and below: each verb loads only what it needs.
    from hwcensus_collector.ingest.sole import sole_ingest

    with sole_ingest(engine) if "ingest" in parts else nullcontext():
        asyncio.run(_run_parts(parts, settings, engine))
    engine.dispose()
    return 0


async def _run_parts(parts: Sequence[str], settings: CollectorSettings, engine: Engine) -> None:
    """Until one of the signals, or until a part fails: then all stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    working = [asyncio.create_task(part) for part in _parts(parts, settings, engine, stop)]
    await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await asyncio.wait(working)
    for task in working:
        task.result()


def _parts(
    parts: Sequence[str], settings: CollectorSettings, engine: Engine, stop: asyncio.Event
) -> list[Coroutine[None, None, None]]:
    from hwcensus_collector.api.followers import Followers
    from hwcensus_collector.ingest.run import Ingest, calm_collector

    followers = Followers()
    ingest = Ingest(settings, engine, followers.tell)
    ordered = asyncio.Event()
    wake = partial(asyncio.get_running_loop().call_soon_threadsafe, ordered.set)
    coroutines: list[Coroutine[None, None, None]] = []
    if "ingest" in parts:
        calm_collector()
        coroutines.append(ingest.run(stop))
    if "relay" in parts:
        from hwcensus_collector.relay.run import run_relay

        coroutines.append(run_relay(settings, engine, stop, ordered, followers.tell))
    if "api" in parts:
        from hwcensus_collector.api.serve import serve

        coroutines.append(serve(settings, engine, stop, lag=ingest.lag, wrote=wake, followers=followers))
    return coroutines


def _topics_apply(_: argparse.Namespace, settings: CollectorSettings) -> int:
    from hwcensus_collector.topics import apply_topics

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says at every attempt, we say once
    made = asyncio.run(apply_topics(settings.kafka))
    print(f"made: {', '.join(made)}" if made else "nothing to do")
    return 0


def _db_upgrade(_: argparse.Namespace, settings: CollectorSettings) -> int:
    engine = database.open_engine(settings.database.url)
    before = database.current_revision(engine)
    database.upgrade(engine)
    print(f"{before or 'empty'} -> {database.current_revision(engine)}")
    engine.dispose()
    return 0


def _db_check(_: argparse.Namespace, settings: CollectorSettings) -> int:
    from hwcensus_collector.store.check import check

    wrong = 0
    for line in check(_open(settings)):
        print(log.one_line(line))
        wrong += 1
    print(f"{wrong} found" if wrong else "all is well", file=sys.stderr)
    return 1 if wrong else 0


def _key(verb: str, _: argparse.Namespace, settings: CollectorSettings) -> int:
    """Prints what agents have to pin afterwards."""
    from hwcensus import key_file

    changes = {
        "show": key_file.load_or_make, "next": key_file.add_next, "switch": key_file.switch, "retire": key_file.retire,
    }  # fmt: skip
    keys = changes[verb](settings.commands.key_file)
    print(key_file.public_lines(keys), end="")
    return 0


def _ingest(arguments: argparse.Namespace, settings: CollectorSettings) -> int:
    from hwcensus_collector.ingest.once import ingest_once
    from hwcensus_collector.ingest.sole import sole_ingest

    text = read_given(arguments.once)
    engine = _open(settings)
    with sole_ingest(engine):
        counts = ingest_once(settings, engine, text)
    for name, count in sorted(counts.items()):
        print(f"{name} {count}")
    return 0


def _host_accept(arguments: argparse.Namespace, settings: CollectorSettings) -> int:
    from hwcensus_collector.audit import person
    from hwcensus_collector.ingest.intake import Intake
    from hwcensus_collector.inventory.hosts import host_id

    engine = _open(settings)
    with engine.connect() as connection:
        host = host_id(connection, arguments.host)
    intake = Intake(engine, offline_after=settings.liveness.offline_after, cached_hosts=1)
    step = intake.accept(host, at=now(), actor=person(), door="cli")
    print(f"{host}: stream {step.place.stream}")
    return 0


def _host_service(verb: str, arguments: argparse.Namespace, settings: CollectorSettings) -> int:
    from hwcensus_collector.relay import retire

    changes = {"retire": retire.retire, "unretire": retire.unretire}
    engine = _open(settings)
    with database.writing(engine) as connection:
        host = changes[verb](connection, arguments.host)
    engine.dispose()
    print(f"{host}: {verb}d")
    return 0


def _wwn(verb: str, arguments: argparse.Namespace, settings: CollectorSettings) -> int:
    from hwcensus_collector.wwns import verbs

    engine = _open(settings)
    try:
        for line in verbs.run(verb, arguments, settings, engine):
            print(log.one_line(line))
    finally:
        engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
