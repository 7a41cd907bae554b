"""`hwcensus vhba create|list|destroy`: virtual Fibre Channel ports (NPIV), named by WWPN where one can."""

import argparse
from collections.abc import Callable
from functools import partial

from lxml import etree

from hwcensus.cli import npiv, target
from hwcensus.cli.check import ask_host
from hwcensus.cli.create import add_creation, asked
from hwcensus.cli.follow import add_order, finish, follow, order_key
from hwcensus.cli.output import write_rows
from hwcensus.cli.parser import add_output, add_url, connect
from hwcensus.cli.target import add_consent, confirm, order, require_person
from hwcensus.client import Client, Host
from hwcensus.client.order import Order
from hwcensus.errors import InvalidDocument, NotFound, UsageError
from hwcensus.wwn import read_wwn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    for name, (_, add, text) in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        add_url(action)
        add(action)


def run(arguments: argparse.Namespace) -> int:
    act, _, _ = ACTIONS[arguments.action]
    with connect(arguments) as client:
        return act(client, arguments)


def _add_create(action: argparse.ArgumentParser) -> None:
    add_order(action)
    action.add_argument("host", metavar="HOST", help="name or id")
    which = action.add_mutually_exclusive_group()
    which.add_argument("--parent", metavar="PARENT", help="the adapter: its name or WWPN (default: the least used)")
    which.add_argument("--fabric", metavar="WWN", help="the least used adapter in this fabric")
    action.add_argument("--wwpn", metavar="WWN", help="of the port (default: of the pool, else a fresh one)")
    action.add_argument("--wwnn", metavar="WWN", help="of its node (default: likewise)")
    add_creation(action, force="also with a WWPN that rests, or that another host has lost")


def _create(client: Client, arguments: argparse.Namespace) -> int:
    host = client.host(arguments.host)
    xml = document(parent=arguments.parent, fabric=arguments.fabric, wwpn=arguments.wwpn, wwnn=arguments.wwnn)
    command = host.create_device(xml, idempotency_key=order_key(arguments), **asked(arguments))
    return finish(command, arguments)


def document(*, parent: str | None, fabric: str | None, wwpn: str | None, wwnn: str | None) -> str:
    """The creation document; what is not said, the collector fills in. Raises UsageError for what no XML can hold."""
    for word in filter(None, (parent, fabric, wwpn, wwnn)):
        if not word.isprintable():
            raise UsageError(f"{word!r} names no port: give a name, or 16 hex digits")
    device = etree.Element("device")
    if parent is not None or fabric is not None:
        element = etree.SubElement(device, "parent")
        if fabric is not None:
            element.set("fabric_wwn", fabric)
        elif _is_wwn(str(parent)):
            element.set("wwpn", str(parent))
        else:
            element.text = parent
    fc = etree.SubElement(etree.SubElement(device, "capability", type="scsihost"), "capability", type="fc")
    names = {name: wwn for name, wwn in (("wwnn", wwnn), ("wwpn", wwpn)) if wwn is not None}
    if names:
        etree.SubElement(fc, "address", names)
    return etree.tostring(device, encoding="unicode")


def _is_wwn(text: str) -> bool:
    try:
        read_wwn(text, "parent")
    except InvalidDocument:
        return False
    return True


def _add_list(action: argparse.ArgumentParser) -> None:
    add_output(action)
    action.add_argument("host", metavar="HOST", nargs="?", help="only of this host (name or id)")


def _list(client: Client, arguments: argparse.Namespace) -> int:
    rows = npiv.ports(client, arguments.host)
    write_rows(rows, npiv.COLUMNS, lambda port: port.told(), output=arguments.output, of="vhba")
    return 0


def _add_destroy(action: argparse.ArgumentParser) -> None:
    add_order(action)
    action.add_argument("host", metavar="HOST", help="name or id")
    action.add_argument("port", metavar="WWPN|NAME", help="WWPN, name or identity of the virtual port")
    add_consent(action)
    action.set_defaults(verb="destroy")


def _destroy(client: Client, arguments: argparse.Namespace) -> int:
    host = client.host(arguments.host)
    how = target.asked(arguments)
    wwpn = read_wwn(arguments.port, "WWPN") if _is_wwn(arguments.port) else None
    if wwpn is not None and npiv.is_absent(client, host, wwpn):
        return _unwant(host, wwpn, how, arguments)
    try:
        device = npiv.named_port(host, arguments.port) if wwpn is None else npiv.virtual_port(client, host, wwpn)
    except NotFound:
        # The answer to the order that came with this key before is the collector's to give, also when the port is gone.
        if wwpn is None or arguments.check or not arguments.yes or arguments.idempotency_key is None:
            raise
        return finish(host.destroy_port(wwpn, **how), arguments)
    return order(arguments, host, device, lambda: device.destroy(**how))


def _unwant(host: Host, wwpn: str, how: Order, arguments: argparse.Namespace) -> int:
    """Of a port that is wanted at every boot and not there; or is by now, in use or not as its host says."""
    check = partial(host.check_port, wwpn)
    if arguments.check:
        return follow(check(**how), arguments)
    if not arguments.yes:
        require_person()
        ask_host(host, check, force=arguments.force)
        confirm(f"{wwpn} is not on {host.name} now; no longer make it at boot?")
    return finish(host.destroy_port(wwpn, **how), arguments)


#: What can be done with virtual ports: a new action is a line here.
ACTIONS: dict[
    str, tuple[Callable[[Client, argparse.Namespace], int], Callable[[argparse.ArgumentParser], None], str]
] = {
    "create": (_create, _add_create, "create a virtual port on an adapter of a host"),
    "list": (_list, _add_list, "list virtual ports, also those that are wanted and absent"),
    "destroy": (_destroy, _add_destroy, "destroy a virtual port"),
}
