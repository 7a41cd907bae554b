"""`hwcensus command list|show|watch|cancel|abandon`: what was ordered, and what became of it."""

import argparse
import math
from collections.abc import Callable

from hwcensus.cli.follow import COLUMNS, raise_unless_succeeded, show, tell
from hwcensus.cli.output import say, write_rows
from hwcensus.cli.parser import add_output, add_url, connect
from hwcensus.client import Client


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    for name, (_, text) in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        add_url(action)
        add_output(action)
        if name == "list":
            action.add_argument("--host", metavar="HOST", help="only of this host (name or id)")
            action.add_argument("--state", metavar="STATE", help="only in this state")
            action.add_argument(
                "--type", metavar="TYPE", help="only create, destroy, detach or reattach; or check-create, …"
            )
            action.add_argument("--batch", metavar="ID", help="only of this batch")
            action.add_argument("--overdue", action="store_true", help="only past their deadline without a result")
        else:
            action.add_argument("id", metavar="ID", help="id of the command")
        if name in ("cancel", "abandon"):
            action.add_argument("--reason", metavar="TEXT", help="why, for the record")


def run(arguments: argparse.Namespace) -> int:
    act, _ = ACTIONS[arguments.action]
    with connect(arguments) as client:
        act(client, arguments)
    return 0


def _list(client: Client, arguments: argparse.Namespace) -> None:
    rows = client.commands(
        host=arguments.host,
        state=arguments.state,
        type_=arguments.type,
        batch=arguments.batch,
        overdue=arguments.overdue,
    )
    write_rows(rows, COLUMNS, lambda one: one.told, output=arguments.output, of="command")


def _show(client: Client, arguments: argparse.Namespace) -> None:
    show(client.command(arguments.id), arguments.output)


def _watch(client: Client, arguments: argparse.Namespace) -> None:
    command = client.command(arguments.id)
    if command.overdue:
        say(f"past its deadline; `hwcensus command abandon {command.id}` gives it up")
    # Its deadline is no end: its host may still answer.
    command = command.wait(math.inf, seen=tell)
    show(command, arguments.output)
    raise_unless_succeeded(command)


def _cancel(client: Client, arguments: argparse.Namespace) -> None:
    show(client.command(arguments.id).cancel(arguments.reason), arguments.output)


def _abandon(client: Client, arguments: argparse.Namespace) -> None:
    show(client.command(arguments.id).abandon(arguments.reason), arguments.output)


#: What can be done with commands: a new action is a function and a line here.
ACTIONS: dict[str, tuple[Callable[[Client, argparse.Namespace], None], str]] = {
    "list": (_list, "list commands, the newest first"),
    "show": (_show, "show one command with its steps"),
    "watch": (_watch, "follow a command to its end, which gives the exit code"),
    "cancel": (_cancel, "take back a command that has not been sent"),
    "abandon": (_abandon, "give up on a command that is past its deadline"),
}
