"""A command that was ordered: shown, and with `--wait` followed to its end, which gives the exit code."""

import argparse
import uuid

from hwcensus.cli.column import Column, text_of
from hwcensus.cli.output import say, write_line, write_object, write_rows
from hwcensus.cli.parser import add_output
from hwcensus.client import Command, Step
from hwcensus.errors import HwcensusError, Refused, Unreachable


def add_order(parser: argparse.ArgumentParser) -> None:
    """What commands that order something take."""
    add_output(parser)
    parser.add_argument("--wait", action="store_true", help="follow it to its end, which gives the exit code")
    parser.add_argument("--valid", metavar="SECONDS", type=float, help="how long the order may wait for the host")
    parser.add_argument("--idempotency-key", metavar="KEY", help="makes a repetition of the same order harmless")


def order_key(arguments: argparse.Namespace) -> str:
    """The key given, or one of our own."""
    key: str | None = arguments.idempotency_key
    return str(uuid.uuid4()) if key is None else key


def finish(command: Command, arguments: argparse.Namespace) -> int:
    """Shows the command, at its end with `--wait`; the exit code is that of its end."""
    if not arguments.wait:
        show(command, arguments.output)
        say(f"{command.state}; `hwcensus command watch {command.id}` follows it")
        return 0
    return follow(command, arguments)


def follow(command: Command, arguments: argparse.Namespace) -> int:
    """Tells its steps and shows it at its end, which gives the exit code."""
    command = command.wait(seen=tell)
    show(command, arguments.output)
    raise_unless_succeeded(command)
    return 0


def tell(step: Step) -> None:
    """A step, for the person who waits."""
    why = ": ".join(filter(None, (step.code, step.text)))
    say(f"{step.state}{f' ({why})' if why else ''}")


def raise_unless_succeeded(command: Command) -> None:
    """Raises Refused for one that failed or was taken back, Unreachable for one whose host did not begin it in time."""
    if command.state == "succeeded":
        return
    why = ": ".join(filter(None, (command.code, command.text)))
    kind: type[HwcensusError] = Unreachable if command.state == "expired" else Refused
    hint = f"`hwcensus command show {command.id}` has all steps"
    raise kind(f"{command.type} {command.state}{f' ({why})' if why else ''}; {hint}", code=command.code)


def show(command: Command, output: str) -> None:
    """One command with its steps."""
    if output == "json":
        write_object(command.told)
    elif output == "ndjson":
        write_line(command.told)
    elif output in ("csv", "xml"):
        write_rows([command], COLUMNS, lambda one: one.told, output=output, of="command")
    else:
        from hwcensus.cli.table import write_sheet  # rich takes 0.1 s to load

        told = {column.title: column.cell(command) for column in COLUMNS}
        steps = [(step.state, f"{text_of(step.at)}  by {step.by}  {step.text or ''}") for step in command.steps]
        write_sheet([*((name, value) for name, value in told.items() if value), *steps])


COLUMNS = (
    Column[Command](title="command", value=lambda one: one.id, whole=True),
    Column[Command](title="host", value=lambda one: one.host_name, whole=True),
    Column[Command](title="type", value=lambda one: one.type, whole=True),
    Column[Command](title="device", value=lambda one: one.name or " ".join(one.produced)),
    Column[Command](
        title="state", value=lambda one: one.state, shown=lambda one: one.state + (" overdue" if one.overdue else "")
    ),
    Column[Command](title="code", value=lambda one: one.code),
    Column[Command](title="text", value=lambda one: one.text),
    Column[Command](title="by", value=lambda one: one.by),
    Column[Command](title="expires", value=lambda one: one.expires),
)
