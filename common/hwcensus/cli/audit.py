"""`hwcensus audit`: who had what done, when and by which door."""

import argparse
import json

from hwcensus.cli.column import Column
from hwcensus.cli.output import write_rows
from hwcensus.cli.parser import add_output, add_url, connect
from hwcensus.client import Deed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_output(parser)
    parser.add_argument("--actor", metavar="WHO", help="only by local:NAME, relay, or a host (name or id)")
    parser.add_argument("--action", metavar="ACTION", help="only host.retire, …, or all that begin so: command.")
    parser.add_argument(
        "--subject", metavar="WHAT", help="only what was done to this: id of a command, a WWPN, a host, …"
    )
    parser.add_argument("--since", metavar="TIME", help="7d (ago), 2026-03-01, …")
    parser.add_argument("--until", metavar="TIME", help="only before then")


def run(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        rows = client.audit(
            actor=arguments.actor,
            action=arguments.action,
            subject=arguments.subject,
            since=arguments.since,
            until=arguments.until,
        )
        write_rows(rows, COLUMNS, lambda deed: deed.told, output=arguments.output, of="deed")
    return 0


def _words(deed: Deed) -> str:
    """The detail as people read it: `type=create from=queued`."""
    return " ".join(f"{name}={_text(value)}" for name, value in deed.detail.items() if value is not None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


COLUMNS = (
    Column[Deed](title="when", value=lambda deed: deed.at, whole=True),
    Column[Deed](title="actor", value=lambda deed: deed.actor),
    Column[Deed](title="door", value=lambda deed: deed.door, whole=True),
    Column[Deed](title="action", value=lambda deed: deed.action, whole=True),
    Column[Deed](title="subject", value=lambda deed: deed.subject),
    Column[Deed](title="detail", value=lambda deed: json.dumps(deed.detail, ensure_ascii=False), shown=_words),
)
