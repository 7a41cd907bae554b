"""`hwcensus show HOST DEVICE`: all that is known of one device."""

import argparse
from collections.abc import Iterator

from hwcensus.cli.column import Column, text_of
from hwcensus.cli.output import write_document, write_line, write_object, write_rows
from hwcensus.cli.parser import add_at, add_output, add_url, connect
from hwcensus.client import Device

_FRAME = ("name", "host_name", "identity", "key", "parent", "driver", "bus")
_RECORD = ("present", "first_seen", "changed_at", "version", "digest", "at", "left_out")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_output(parser)
    parser.add_argument("host", metavar="HOST", help="name or id")
    parser.add_argument("device", metavar="DEVICE", help="name or identity")
    add_at(parser)


def run(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        device = client.host(arguments.host).lookup_by_name(arguments.device, arguments.at)
        if arguments.output == "xml":
            write_document(device.dump_xml())
        elif arguments.output == "json":
            write_object(device.told)
        elif arguments.output == "ndjson":
            write_line(device.told)
        elif arguments.output == "csv":
            columns = (Column[tuple[str, str]](title="fact", value=lambda row: row[0]), _VALUE)
            write_rows(facts(device), columns, lambda _: {}, output="csv", of="fact")
        else:
            from hwcensus.cli.table import write_sheet  # rich takes 0.1 s to load

            write_sheet(facts(device))
    return 0


def facts(device: Device) -> Iterator[tuple[str, str]]:
    """Names and values: the frame, what it can do, its facts, its state, then what is recorded about it."""
    for name in _FRAME:
        if device.told.get(name) is not None:
            yield name, text_of(device.told[name])
    yield "capabilities", text_of(device.capabilities)
    for path, value in (*sorted(device.facts.items()), *sorted(device.state.items())):
        yield path, text_of(value)
    for name in _RECORD:
        if device.told.get(name) is not None:
            yield name, text_of(device.told[name])


_VALUE = Column[tuple[str, str]](title="value", value=lambda row: row[1])
