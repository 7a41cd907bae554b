"""`hwcensus batch create|list|show|watch|cancel`: one creation for many hosts, few at once, stopping at failures."""

import argparse
from collections.abc import Callable, Sequence

from hwcensus.batch_order import check_limits, check_size, check_which
from hwcensus.cli import follow
from hwcensus.cli.column import Column
from hwcensus.cli.create import add_creation, asked, read_document
from hwcensus.cli.follow import add_order, order_key
from hwcensus.cli.output import say, write_line, write_object, write_rows
from hwcensus.cli.parser import add_output, add_url, connect
from hwcensus.cli.taken import confirm_taken
from hwcensus.cli.target import add_yes
from hwcensus.client import Batch, Client
from hwcensus.errors import Refused
from hwcensus.parser import FILE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    for name, (_, text) in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        add_url(action)
        if name == "create":
            _add_create(action)
            continue
        add_output(action)
        if name != "list":
            action.add_argument("id", metavar="ID", help="id of the batch")
        if name == "cancel":
            action.add_argument("--reason", metavar="TEXT", help="why, for the record")


def _add_create(action: argparse.ArgumentParser) -> None:
    add_order(action)
    action.add_argument("file", metavar="FILE", type=FILE, help="the document of the device; - reads it from stdin")
    action.add_argument("--host", metavar="HOST", action="append", default=[], help="name or id; once a host")
    action.add_argument("--status", metavar="STATUS", help="instead: all hosts that are online, stale or offline")
    action.add_argument("--cap", metavar="CAP", help="instead: all hosts that have a device with this capability")
    action.add_argument("--at-once", metavar="N", type=int, help="so many under way at the same time (default: 10)")
    action.add_argument("--stop-after", metavar="N", type=int, help="failures that cancel the rest (default: 1)")
    add_creation(action)
    add_yes(action)


def run(arguments: argparse.Namespace) -> int:
    act, _ = ACTIONS[arguments.action]
    with connect(arguments) as client:
        act(client, arguments)
    return 0


def _create(client: Client, arguments: argparse.Namespace) -> None:
    check_which(arguments.host, arguments.status, arguments.cap)
    check_limits(**{"--at-once": arguments.at_once, "--stop-after": arguments.stop_after})
    if arguments.host:
        check_size(len(arguments.host))
    xml = read_document(arguments.file)
    if not arguments.yes:
        _confirm(client, xml, arguments)
    batch = client.create_on_many(
        xml,
        arguments.host,
        status=arguments.status,
        cap=arguments.cap,
        at_once=arguments.at_once,
        stop_after=arguments.stop_after,
        idempotency_key=order_key(arguments),
        **asked(arguments),
    )
    for host, code, text in batch.refused:
        say(f"{host} refused ({code}: {text})")
    if arguments.wait:
        _follow(client, batch, arguments.output)
    else:
        _write(client, batch, arguments.output)
        say(f"{batch.state}; `hwcensus batch watch {batch.id}` follows it")


def _confirm(client: Client, xml: str, arguments: argparse.Namespace) -> None:
    """Once for all hosts; those that are named are looked at, and which the others are, the collector finds."""
    which = (f"that {verb} {word}" for verb, word in (("are", arguments.status), ("have", arguments.cap)) if word)
    confirm_taken(xml, map(client.host, arguments.host), f"all hosts {' and '.join(which)}", force=arguments.force)


def _list(client: Client, arguments: argparse.Namespace) -> None:
    write_rows(client.batches(), COLUMNS, lambda one: one.told, output=arguments.output, of="batch")


def _show(client: Client, arguments: argparse.Namespace) -> None:
    _write(client, client.batch(arguments.id), arguments.output)


def _watch(client: Client, arguments: argparse.Namespace) -> None:
    _follow(client, client.batch(arguments.id), arguments.output)


def _cancel(client: Client, arguments: argparse.Namespace) -> None:
    _write(client, client.batch(arguments.id).cancel(arguments.reason), arguments.output)


def _follow(client: Client, batch: Batch, output: str) -> None:
    """Tells how it goes to its end. Raises Refused unless every host has what was ordered."""
    batch = batch.wait(seen=lambda one: say(counts(one)))
    _write(client, batch, output)
    if not batch.succeeded:
        why = f" ({batch.reason})" if batch.reason else ""
        raise Refused(
            f"{counts(batch)}, {len(batch.refused)} refused{why}; `hwcensus command list --batch {batch.id}` has each",
            code="batch-failed",
        )


def _write(client: Client, batch: Batch, output: str) -> None:
    """The batch; people see its commands too."""
    if output == "json":
        write_object(batch.told)
    elif output == "ndjson":
        write_line(batch.told)
    elif output in ("csv", "xml"):
        write_rows([batch], COLUMNS, lambda one: one.told, output=output, of="batch")
    else:
        from hwcensus.cli.table import write_sheet  # rich takes 0.1 s to load

        write_sheet((column.title, column.cell(batch)) for column in COLUMNS if column.cell(batch))
        commands = client.commands(batch=batch.id)
        write_rows(commands, follow.COLUMNS, lambda one: one.told, output=output, of="command")


def counts(batch: Batch) -> str:
    """How many commands are in which state: `3 succeeded, 2 accepted`."""
    return ", ".join(f"{number} {state}" for state, number in batch.states.items())


#: What can be done with batches: a new action is a function and a line here.
ACTIONS: dict[str, tuple[Callable[[Client, argparse.Namespace], None], str]] = {
    "create": (_create, "create a device on many hosts, few at once"),
    "list": (_list, "list batches, the newest first"),
    "show": (_show, "show one batch with its commands"),
    "watch": (_watch, "follow a batch to its end, which gives the exit code"),
    "cancel": (_cancel, "take back what has not been sent"),
}
COLUMNS: Sequence[Column[Batch]] = (
    Column[Batch](title="batch", value=lambda one: one.id, whole=True),
    Column[Batch](title="state", value=lambda one: one.state, whole=True),
    Column[Batch](title="commands", value=counts),
    Column[Batch](title="failures", value=lambda one: one.failures),
    Column[Batch](title="refused", value=lambda one: [host for host, _, _ in one.refused]),
    Column[Batch](title="at once", value=lambda one: one.at_once),
    Column[Batch](title="stop after", value=lambda one: one.stop_after),
    Column[Batch](title="by", value=lambda one: one.by),
    Column[Batch](title="issued", value=lambda one: one.issued),
    Column[Batch](title="reason", value=lambda one: one.reason),
)
