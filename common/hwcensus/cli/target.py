"""What orders about a device that is there share: their arguments, the question before them, and their end."""

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import partial

from hwcensus.cli import below
from hwcensus.cli.check import ask_host
from hwcensus.cli.follow import add_order, finish, follow, order_key
from hwcensus.cli.output import say
from hwcensus.cli.parser import add_url, connect
from hwcensus.cli.visible import visible
from hwcensus.client import Command, Device, Host
from hwcensus.client.order import Order
from hwcensus.errors import Refused

#: What is said of a device before it is ordered about, from all of its host.
Facts = Callable[[Device, Iterable[Device]], Iterable[str]]


def add_target(parser: argparse.ArgumentParser) -> None:
    """Host and device, and how the order is given."""
    add_url(parser)
    add_order(parser)
    parser.add_argument("host", metavar="HOST", help="name or id")
    parser.add_argument("device", metavar="DEVICE", help="name or identity")
    add_consent(parser)


def add_consent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="also where it is in use, or the host has doubts")
    add_check(parser)
    parser.set_defaults(driver=None)
    add_yes(parser)


def add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="only ask the host what it would answer; nothing is done")


def add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def order_target(
    arguments: argparse.Namespace, act: Callable[[Device, Order], Command], facts: Facts = lambda _, __: ()
) -> int:
    """The order about the device that `add_target` took; `act` gets it, and how it is ordered."""
    with connect(arguments) as client:
        host = client.host(arguments.host)
        device = host.lookup_by_name(arguments.device)
        how = asked(arguments)
        return order(arguments, host, device, lambda: act(device, how), facts)


def asked(arguments: argparse.Namespace) -> Order:
    """What `add_order` and `add_consent` took."""
    return {"force": arguments.force, "valid": arguments.valid, "idempotency_key": order_key(arguments)}


def order(
    arguments: argparse.Namespace,
    host: Host,
    device: Device,
    act: Callable[[], Command],
    facts: Facts = lambda _, __: (),
) -> int:
    """Asks the host and a person, unless told not to, then orders; `facts` are further lines that help to decide."""
    check = partial(device.check, arguments.verb, driver=arguments.driver)
    if arguments.check:
        return follow(check(**asked(arguments)), arguments)
    if not arguments.yes:
        require_person()
        devices = list(host.devices())
        show_device(device, facts(device, devices), below.below(devices, device.name))
        ask_host(host, check, force=arguments.force)
        confirm(f"{arguments.verb} {device.name} of {device.host_name}?")
    return finish(act(), arguments)


def show_device(device: Device, facts: Iterable[str], found: list[tuple[int, Device]]) -> None:
    """The device, lines about it, and what `below` found."""
    say(below.words(device))
    for fact in facts:
        say(fact)
    if found:
        say("below it:")
    for line in below.lines(found):
        say(line)


def confirm(question: str) -> None:
    """Asks the person at the terminal. Raises Refused unless the answer is yes."""
    sys.stderr.write(visible(f"{question} [y/N] "))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("not confirmed; nothing was ordered", code="not-confirmed")


def require_person() -> None:
    """Raises Refused where nobody can be asked."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise Refused("this needs a yes, and nobody can be asked here; give --yes", code="not-confirmed")
