"""`hwcensus hosts`: who is there, since when silent, and what is wrong with whom."""

import argparse

from hwcensus.cli.column import Column, ago
from hwcensus.cli.output import write_rows
from hwcensus.cli.parser import add_output, add_url, connect
from hwcensus.client import Host


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_output(parser)
    parser.add_argument("--status", metavar="STATUS", help="only online, stale or offline ones")
    parser.add_argument("--retired", action="store_true", help="those that were taken out of service too")


def run(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        rows = client.hosts(arguments.status, retired=arguments.retired)
        write_rows(rows, COLUMNS, lambda host: host.told, output=arguments.output, of="host")
    return 0


def notes(host: Host) -> str:
    """What a person should know beside the status."""
    found = []
    if host.told.get("retired_at"):
        found.append("retired")
    if host.told.get("conflict"):
        found.append("conflict: two agents claim to be this host")
    if host.told.get("incomplete"):
        found.append(f"{host.told['incomplete']} documents could not be processed")
    if host.told.get("resync_wanted"):
        found.append("healing")
    skew = host.told.get("clock_skew")
    if isinstance(skew, float) and abs(skew) > 30:
        found.append(f"clock {skew:+.0f}s")
    return ", ".join(found)


COLUMNS = (
    Column[Host](title="name", value=lambda host: host.name, whole=True),
    Column[Host](title="status", value=lambda host: host.status, whole=True),
    Column[Host](title="heard", value=lambda host: host.heard_at, shown=lambda host: ago(host.heard_at), whole=True),
    Column[Host](title="devices", value=lambda host: host.devices_count, whole=True),
    Column[Host](title="kernel", value=lambda host: host.told.get("kernel")),
    Column[Host](title="agent", value=lambda host: host.told.get("agent_version")),
    Column[Host](title="id", value=lambda host: host.id),
    Column[Host](title="notes", value=notes),
)
