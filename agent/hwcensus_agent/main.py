"""`hwcensus-agent`: run it, see by hand what it sees (`list`, `show`, …), ask what it would obey (`policy check`)."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

import hwcensus
from hwcensus import config, log
from hwcensus.errors import HwcensusError
from hwcensus.parser import Parser
from hwcensus.streams import escape_unwritable
from hwcensus_agent import local
from hwcensus_agent.settings import AgentSettings

#: Seconds that one thread keeps Python while another wants it. Each read of sysfs gives it away, and a busy loop would
#: keep it for Python's own 5 ms each time.
SWITCH_S = 0.0005


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, 2 for wrong usage or configuration, 1 for what went wrong otherwise."""
    escape_unwritable()
    try:
        arguments = _parser().parse_args(argv)
        settings, origins = config.load(AgentSettings, program="agent", argv_values=vars(arguments), environ=os.environ)
        if arguments.show_config:
            print(config.show(settings, origins), end="")
            return 0
        return _run(settings) if arguments.verb == "run" else local.run(arguments, settings)
    except HwcensusError as error:
        print(f"hwcensus-agent: {error.code}: {log.one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        return _reader_has_gone()
    except OSError as error:
        print(f"hwcensus-agent: system: {error}", file=sys.stderr)
        return 1


def _reader_has_gone() -> int:
    """Nothing more is to be written, not even when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(prog="hwcensus-agent", description=__doc__)
    parser.add_argument("--version", action="version", version=f"hwcensus-agent {hwcensus.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser("run", help="watch this host and tell Kafka")
    config.add_flags(run, AgentSettings)
    local.add_parsers(verbs)
    return parser


def _run(settings: AgentSettings) -> int:
    # Imported here: looking by hand needs neither Kafka's client nor a spool.
    from hwcensus_agent.look import HostLook
    from hwcensus_agent.run import run_agent

    log.setup(level=settings.log.level, style=settings.log.style)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # what matters of it, publisher and reader say once
    sys.setswitchinterval(SWITCH_S)
    asyncio.run(run_agent(settings, HostLook(settings.census)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
