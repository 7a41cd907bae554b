"""The table of commands, and what happens around each: arguments, errors, exit codes."""

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from hwcensus.cli.hint import with_hint
from hwcensus.cli.visible import one_line
from hwcensus.errors import HwcensusError, UsageError
from hwcensus.parser import Parser
from hwcensus.streams import escape_unwritable

#: Every command: its module in this package, and what it does. A new one is a module and a line here.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("up", "run everything on this machine: broker, collector and agent"),
    "hosts": ("hosts", "list hosts"),
    "list": ("list", "list devices"),
    "show": ("show", "show one device"),
    "xml": ("xml", "print the document of a device"),
    "tree": ("tree", "show the devices of a host as a tree"),
    "history": ("history", "show the life of a device"),
    "changes": ("changes", "list what changed"),
    "watch": ("watch", "show changes as they come"),
    "create": ("create", "create a device on a host"),
    "destroy": ("destroy", "destroy a device of a host"),
    "detach": ("detach", "take a PCI or USB device from its driver"),
    "reattach": ("reattach", "give a PCI or USB device back to its driver"),
    "vhba": ("vhba", "create, list and destroy virtual Fibre Channel ports (NPIV)"),
    "batch": ("batch", "create a device on many hosts"),
    "command": ("command", "follow, cancel or abandon commands"),
    "audit": ("audit", "list who had what done"),
}
_INTERRUPTED, _PIPE_CLOSED = 130, 141


class _Command(Protocol):
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    escape_unwritable()
    try:
        code = _run(words)
        sys.stdout.flush()
    except HwcensusError as error:
        print(f"hwcensus: {error.code}: {one_line(with_hint(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read has seen enough; Python must not complain about what is still unwritten.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _run(words: list[str]) -> int:
    name = words[0] if words else ""
    if name and not name.startswith("-") and name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean `hwcensus {near[0]}`?" if near else "`hwcensus --help` lists them"
        raise UsageError(f"there is no command {name!r}; {hint}")
    arguments = _parser(words).parse_args(words)
    run = cast("Callable[[argparse.Namespace], int]", arguments.run)
    return run(arguments)


def _parser(words: list[str]) -> Parser:
    """The parser of all commands; only the module of the one that is meant is loaded."""
    parser = Parser(prog="hwcensus", description="A live, versioned census of hardware devices.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, text) in COMMANDS.items():
        own = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name in words:
            command = cast(_Command, importlib.import_module(f"hwcensus.cli.{module}"))
            command.add_arguments(own)
            own.set_defaults(run=command.run)
    return parser
