"""Network links that software makes, by rtnetlink: what bridges, VLANs and bonds have in common.

A link made here has a group worked out from the command's id, set by the very request that makes it, until it has the
alias `hwcensus <command id>`: so after a crash it can be told from anybody else's. It is made down: addresses, and
whether it is up, are left to who configures the network of the host.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hwcensus.command import Command
from hwcensus.creatable.link import interface, ports
from hwcensus.errors import Refused
from hwcensus.names import device_name, told_apart
from hwcensus_agent.commands.census_port import Effect, Expectation, Target
from hwcensus_agent.commands.executors.executor import DeviceChanged, Health, KernelRefused, NameTaken
from hwcensus_agent.commands.executors.kept import Before
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.rtnetlink import Link, NewLink, RouteSocket
from hwcensus_agent.way import Way, WayLost

#: Kinds of links that end in a guest or a container.
GUESTS = frozenset({"tun", "veth"})


class InterfaceUnknown(Refused):
    """there is no interface of that name"""

    code = "interface-unknown"


class PortTaken(Refused):
    """the interface is a port already"""

    code = "port-taken"


def group_of(command_id: str) -> int:
    """The group of a link while it has no alias yet: above zero, and within what `ip` takes (a signed int)."""
    return int.from_bytes(hashlib.sha256(command_id.encode()).digest()[:4], "big") & 0x7FFFFFFF | 1


class LinkExecutor:
    """Makes and deletes links of one kind in the network namespace it runs in. Subclasses say how one is asked for."""

    creates: str

    def __init__(self, way: Way) -> None:
        self._way = way

    def new_link(self, command: Command, links: Sequence[Link]) -> NewLink:
        """What is asked of the kernel, given the links there are. Raises InterfaceUnknown."""
        return NewLink(name=_name(command), kind=self.creates, group=group_of(command.id))

    def lowers(self, command: Command, links: Sequence[Link]) -> list[Link]:
        """The interfaces that it is to be made of. Raises InterfaceUnknown."""
        return _ports(command, links)

    def subject(self, command: Command) -> Subject:
        """Raises InterfaceUnknown."""
        with _asking(_name(command)) as route:
            links = route.dump_links()
        return Subject(name=_name(command), lowers=tuple(link.name for link in self.lowers(command, links)))

    def check(self, command: Command) -> str:
        with _asking(_name(command)) as route:
            links = route.dump_links()
        name = _name(command)
        taken = next((link for link in links if link.name == name), None)
        if taken is not None:
            raise _taken(name, taken)
        self.new_link(command, links)
        joining = _ports(command, links)
        by_index = {link.index: link.name for link in links}
        for port in joining:
            if port.master is not None:
                raise PortTaken(f"{port.name} is a port of {by_index.get(port.master, 'another')} already")
        names = [port.name for port in joining]
        self._way.require_free(names, force=command.force)
        return Before.of(self._way, names).write()

    def expected(self, command: Command, mark: str) -> tuple[Expectation, ...]:
        return (Expectation(effect=Effect.ADD, subsystem="net", kernel_name=_name(command)),)

    def create(self, command: Command) -> None:
        with _asking(_name(command)) as route:
            links = route.dump_links()
            joining = _ports(command, links)
            brokers = self._way.at_stake([port.name for port in joining])
            made = self._make(route, command, self.new_link(command, links))
            for port in joining:
                if port.up and self.creates == "bond":  # which takes no port that is up (bond_enslave())
                    route.set_up(port.index, False)
                route.set_master(port.index, made.index)
        self._way.require_still(brokers)

    def health(self, command: Command) -> Health | None:
        return None

    def was_created(self, command: Command, mark: str) -> bool | None:
        """Whole: with its ports, and the way to Kafka not lost by it."""
        before = Before.read(mark)
        with _asking(_name(command)) as route:
            links = {link.index: link for link in route.dump_links()}
        made = next((link for link in links.values() if self._is_made(link, command)), None)
        if made is None or any(links[port.index].master != made.index for port in before.kept if port.index in links):
            return False
        return not self._way.lost(before.brokers)

    def undo(self, command: Command, mark: str) -> None:
        with _asking(_name(command)) as route:
            found = route.link_by_name(_name(command))
            if found is not None and self._is_made(found, command):
                route.delete_link(found.index)
        Before.read(mark).give_back()

    def mark_of(self, target: Target) -> str | None:
        if target.subsystem != "net":
            return None
        with _asking(target.kernel_name) as route:
            found = route.link_by_name(target.kernel_name)
            if found is None or found.kind != self.creates:
                return None
        before = Before.of(self._way, [found.name])
        # An index is not dealt twice between two starts of the host.
        return f"{found.index} {before.write()}" if before.brokers else str(found.index)

    def subject_of(self, target: Target) -> Subject:
        return Subject(name=target.kernel_name)

    def in_use(self, target: Target) -> tuple[str, ...]:
        """Raises CarriesKafka."""
        self._way.require_free([target.kernel_name], force=False)
        with _asking(target.kernel_name) as route:
            links = route.dump_links()
        name = target.kernel_name
        index = next((link.index for link in links if link.name == name), None)
        on_top = (link.name for link in links if link.lower == index and not link.lower_is_foreign)
        above = [f"{upper} is on top of {name} and would go with it" for upper in on_top]
        guests = [link.name for link in links if link.master == index and link.kind in GUESTS]
        return (*above, *(f"{guest} of a guest or container is a port of {name}" for guest in guests))

    def destroy(self, target: Target, mark: str) -> None:
        index, before = _read(mark)
        with _asking(target.kernel_name) as route:
            found = route.link_by_name(target.kernel_name)
            if found is None or found.index != index:
                raise DeviceChanged(f"{target.kernel_name} is not the {self.creates} that was found a moment ago")
            if before.brokers:
                self._try_without(route, found, before)
            route.delete_link(index)

    def was_destroyed(self, target: Target, mark: str) -> bool | None:
        index, before = _read(mark)
        with _asking(target.kernel_name) as route:
            found = route.link_by_name(target.kernel_name)
            if found is None:
                return True
            if found.index != index:
                # Deleted and made anew by somebody, or the host was started anew.
                return None
        before.give_back()  # the agent stopped while it tried how things are without
        return False

    def _make(self, route: RouteSocket, command: Command, new: NewLink) -> Link:
        try:
            return route.create_link(new, alias=_alias(command))
        except FileExistsError as error:
            found = route.link_by_name(new.name)
            if found is None:
                raise  # not its name is taken
            raise _taken(new.name, found) from error

    def _is_made(self, link: Link, command: Command) -> bool:
        ours = link.group == group_of(command.id) or link.alias == _alias(command)
        return link.name == _name(command) and link.kind == self.creates and ours

    def _try_without(self, route: RouteSocket, link: Link, before: Before) -> None:
        """Down, a link carries nothing, as if it were gone; but it can come back with all it had."""
        route.set_up(link.index, False)
        try:
            self._way.require_still(before.brokers)
        except WayLost:
            before.give_back()
            raise


def find_interface(links: Sequence[Link], name: str) -> Link:
    """The link that the census calls so. Raises InterfaceUnknown."""
    plain = [link for link in links if device_name("net", link.name) == name]
    found = plain or [link for link in links if told_apart(device_name("net", link.name), link.name) == name]
    if not found:
        raise InterfaceUnknown(f"there is no interface {name} here")
    if len(found) > 1:
        names = " and ".join(link.name for link in found)
        raise InterfaceUnknown(f"{name} may be {names} here: rename one of them")
    return found[0]


@contextmanager
def _asking(name: str) -> Iterator[RouteSocket]:
    """About the interface of this name."""
    try:
        with RouteSocket() as route:
            yield route
    except OSError as error:
        raise KernelRefused.by(error, f"rtnetlink, {name}") from error


def _name(command: Command) -> str:
    return "" if command.device is None else interface(command.device)


def _ports(command: Command, links: Sequence[Link]) -> list[Link]:
    names = [] if command.device is None else ports(command.device)
    return [find_interface(links, name) for name in names]


def _alias(command: Command) -> str:
    return f"hwcensus {command.id}"


def _read(mark: str) -> tuple[int, Before]:
    index, _, before = mark.partition(" ")
    return int(index), Before.read(before)


def _taken(name: str, link: Link) -> NameTaken:
    return NameTaken(f"a {link.kind or 'hardware'} interface called {name} is there already")
