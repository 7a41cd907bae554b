"""Arguments that commands share."""

import argparse
import getpass
import os

from hwcensus.client import DEFAULT_URL, Client

FORMATS = ("table", "json", "ndjson", "csv", "xml")


def add_url(parser: argparse.ArgumentParser) -> None:
    """Where the collector is: `--url`, else HWCENSUS_URL, else this machine."""
    url = os.environ.get("HWCENSUS_URL") or DEFAULT_URL
    parser.add_argument("--url", default=url, help="the collector's API (HWCENSUS_URL; now %(default)s)")


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=FORMATS, default="table", help="how the data is written")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """What narrows a list of devices or changes."""
    parser.add_argument("--host", metavar="HOST", help="only of this host (name or id)")
    parser.add_argument("--cap", metavar="CAP", help="only with this capability (nested ones and aliases too)")


def add_at(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--at", metavar="TIME", help="as it was: 2026-03-01, 2026-03-01T14:00:00Z, or 7d (ago)")


def connect(arguments: argparse.Namespace) -> Client:
    """The client for `--url`; what is ordered is recorded under the name of the user, as a claim."""
    try:
        actor: str | None = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        actor = None
    return Client(arguments.url, actor=actor)
