"""`hwcensus list`: devices of the fleet or of one host, now or as they were."""

import argparse
from itertools import groupby
from xml.sax.saxutils import quoteattr

from hwcensus.cli.about import about, kinds
from hwcensus.cli.column import Column
from hwcensus.cli.output import begun, put, say, write_document, write_rows
from hwcensus.cli.parser import add_at, add_filters, add_output, add_url, connect
from hwcensus.cli.visible import safe_xml
from hwcensus.client import Client, Device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_output(parser)
    add_filters(parser)
    parser.add_argument("--bus", metavar="BUS", help="only on this bus")
    add_at(parser)
    parser.add_argument("--all", action="store_true", help="also those that are gone")


def run(arguments: argparse.Namespace) -> int:
    present = "all" if arguments.all else None
    with connect(arguments) as client:
        if arguments.output == "xml":
            _write_documents(client, arguments, present)
        else:
            _write(client, arguments, present)
    if arguments.at is not None:
        say(f"as of {arguments.at}: keys and states of the past are not kept")
    return 0


def _write(client: Client, arguments: argparse.Namespace, present: str | None) -> None:
    rows = client.devices(host=arguments.host, cap=arguments.cap, bus=arguments.bus, at=arguments.at, present=present)
    columns = COLUMNS if arguments.host is None or arguments.output != "table" else COLUMNS[1:]
    write_rows(rows, columns, lambda device: device.told, output=arguments.output, of="device")


def _write_documents(client: Client, arguments: argparse.Namespace, present: str | None) -> None:
    """The documents as they are, under an element for each host."""
    found = client.documents(
        host=arguments.host, cap=arguments.cap, bus=arguments.bus, at=arguments.at, present=present
    )
    found = iter(begun(found))
    put("<devices>")
    for host, documents in groupby(found, key=lambda one: one[0]):
        put(safe_xml(f"<host name={quoteattr(host)}>"))
        for _, xml in documents:
            write_document(xml)
        put("</host>")
    put("</devices>")


COLUMNS = (
    Column[Device](title="host", value=lambda device: device.host_name, whole=True),
    Column[Device](title="name", value=lambda device: device.name, whole=True),
    Column[Device](title="kind", value=lambda device: kinds(device.capabilities, device.bus)),
    Column[Device](title="driver", value=lambda device: device.driver),
    Column[Device](title="about", value=lambda device: about(device.facts)),
    Column[Device](title="parent", value=lambda device: device.parent),
    Column[Device](title="identity", value=lambda device: device.identity, detail=True),
)
