"""What a creation document takes away: virtual functions, where fewer are ordered than there are, or none (SR-IOV).

A document that the collector will refuse takes nothing.
"""

from collections.abc import Iterable, Iterator
from functools import partial

from hwcensus.cli.below import below
from hwcensus.cli.check import ask_hosts
from hwcensus.cli.target import confirm, require_person, show_device
from hwcensus.client import Device, Host
from hwcensus.creatable import creatable_type, read_creation, virt_functions
from hwcensus.errors import InvalidDocument, NotFound, Refused


def confirm_taken(xml: str, hosts: Iterable[Host], others: str = "", *, force: bool) -> None:
    """Asks where any of these hosts would lose some, where no hosts are named but `others`, and always where none are
    ordered: the inventory may not know of the last. Before, the named hosts are asked who uses them.

    Raises Refused where all of those would refuse, and unless the answer is yes.
    """
    ordered = _ordered(xml)
    if ordered is None:
        return
    name, number = ordered
    named = list({host.id: host for host in hosts}.values())  # once, as the collector takes them
    losing = [(host, found) for host in named if (found := _function(host, name)) and _count(found) > number]
    if number and named and not losing:
        return
    require_person()
    for host, function in losing:
        fact = f"{host.name} loses its {_count(function)} virtual functions"
        show_device(function, [fact], list(_going(function, list(host.devices()))))
    may_lose = [host for host, _ in losing] if number else named
    ask_hosts(may_lose, lambda host: partial(host.check_creation, xml), force=force)
    where = ", ".join(host.name for host in named) or others
    confirm(f"set the virtual functions of {name} of {where} to {number}?")


def _ordered(xml: str) -> tuple[str, int] | None:
    """Whose virtual functions a document orders, and how many."""
    try:
        device = read_creation(xml.encode())
    except InvalidDocument:
        return None
    if creatable_type(device) != "virt_functions":
        return None
    return device.findtext("parent") or "", virt_functions.wanted(device)


def _function(host: Host, name: str) -> Device | None:
    """None where the collector will refuse."""
    try:
        return host.lookup_by_name(name)
    except (NotFound, Refused):
        return None


def _count(function: Device) -> int:
    count = function.state.get("pci.virt_functions")
    return count if isinstance(count, int) else 0


def _going(function: Device, devices: list[Device]) -> Iterator[tuple[int, Device]]:
    """All of them, each before what is below it: the kernel goes to a lesser number by way of none only."""
    for device in devices:
        if device.facts.get("pci.phys_function") == function.name:
            yield 0, device
            yield from ((depth + 1, one) for depth, one in below(devices, device.name))
