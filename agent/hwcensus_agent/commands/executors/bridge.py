"""Ethernet bridges, by rtnetlink.

A bridge made here has an address worked out from the command's id, set by the very request that makes it: so after a
crash it can be told from anybody else's. The alias `hwcensus <command id>` says the same to people.
"""

import hashlib

from lxml import etree

from hwcensus.command import Command
from hwcensus_agent.commands.census_port import Effect, Expectation, Target
from hwcensus_agent.commands.executors.executor import DeviceChanged, Health, KernelRefused, NameTaken, Subject
from hwcensus_agent.rtnetlink import Link, RouteSocket

_BRIDGE = "bridge"


def address_of(command_id: str) -> str:
    """The address of the bridge that a command makes: unicast, locally administered (IEEE 802, bits 0 and 1)."""
    octets = bytearray(hashlib.sha256(command_id.encode()).digest()[:6])
    octets[0] = octets[0] & 0xFC | 0x02
    return octets.hex(":")


class BridgeExecutor:
    """Makes and deletes bridges of the network namespace it runs in."""

    creates = _BRIDGE

    def subject(self, command: Command) -> Subject:
        return Subject(name=_name(command))

    def check(self, command: Command) -> str:
        name = _name(command)
        found = _look(name)
        if found is not None:
            raise _taken(name, found)
        return ""

    def expected(self, command: Command, mark: str) -> tuple[Expectation, ...]:
        return (Expectation(effect=Effect.ADD, subsystem="net", kernel_name=_name(command)),)

    def create(self, command: Command) -> None:
        name = _name(command)
        try:
            with RouteSocket() as route:
                route.create_bridge(name, alias=f"hwcensus {command.id}", address=address_of(command.id))
        except FileExistsError as error:
            raise _taken(name, _look(name)) from error
        except OSError as error:
            raise KernelRefused.by(error) from error

    def health(self, command: Command) -> Health | None:
        return None

    def was_created(self, command: Command, mark: str) -> bool | None:
        found = _look(_name(command))
        return found is not None and self._made(found, command)

    def undo(self, command: Command, mark: str) -> None:
        found = _look(_name(command))
        if found is not None and self._made(found, command):
            _delete(found)

    def mark_of(self, target: Target) -> str | None:
        if target.subsystem != "net":
            return None
        found = _look(target.kernel_name)
        return None if found is None or found.kind != _BRIDGE else _mark(found)

    def subject_of(self, target: Target) -> Subject:
        return Subject(name=target.kernel_name)

    def in_use(self, target: Target) -> tuple[str, ...]:
        return ()

    def destroy(self, target: Target, mark: str) -> None:
        found = _look(target.kernel_name)
        if found is None or _mark(found) != mark:
            raise DeviceChanged(f"{target.kernel_name} is not the bridge any more that was found a moment ago")
        _delete(found)

    def was_destroyed(self, target: Target, mark: str) -> bool | None:
        found = _look(target.kernel_name)
        if found is None:
            return True
        # Another index: deleted and made anew by somebody, or the host was started anew.
        return False if _mark(found) == mark else None

    def _made(self, link: Link, command: Command) -> bool:
        return link.kind == _BRIDGE and link.address == address_of(command.id)


def _name(command: Command) -> str:
    device: etree._Element | None = command.device
    return "" if device is None else device.findtext("capability[@type='net']/interface") or ""


def _look(name: str) -> Link | None:
    try:
        with RouteSocket() as route:
            return route.link_by_name(name)
    except OSError as error:
        raise KernelRefused.by(error) from error


def _delete(link: Link) -> None:
    try:
        with RouteSocket() as route:
            route.delete_link(link.index)
    except OSError as error:
        raise KernelRefused.by(error) from error


def _mark(link: Link) -> str:
    # An index is not dealt twice between two starts of the host; the address of a bridge follows its ports.
    return str(link.index)


def _taken(name: str, link: Link | None) -> NameTaken:
    what = "an interface" if link is None else f"a {link.kind or 'hardware'} interface"
    return NameTaken(f"{what} called {name} is there already")
