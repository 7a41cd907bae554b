"""One device of one host, as it stood when it was read, and what may be asked of it."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self, Unpack

from hwcensus.client.command import Command
from hwcensus.client.members import Members, Told
from hwcensus.client.order import Order, give
from hwcensus.client.path import path_to
from hwcensus.client.transport import Transport
from hwcensus.client.version import Version


class Dump(enum.Flag):
    """What a dumped document has beside the facts."""

    KEY = enum.auto()
    STATE = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device with its facts by path (`net.interface`). `told` is all that the API said."""

    host: str
    host_name: str
    identity: str
    name: str
    #: Absent in answers about the past, which say so in `left_out`.
    key: str | None
    parent: str | None
    bus: str | None
    driver: str | None
    capabilities: tuple[str, ...]
    facts: Told
    state: Told
    #: The instant that was asked for, as it was given; None is now.
    at: str | None
    left_out: tuple[str, ...]
    told: Told = field(repr=False, compare=False)
    _transport: Transport = field(repr=False, compare=False)

    @classmethod
    def read(cls, members: Members, transport: Transport) -> Self:
        past = "left_out" in members.told
        return cls(
            host=members.text("host"),
            host_name=members.text("host_name"),
            identity=members.text("identity"),
            name=members.text("name"),
            key=members.optional_text("key"),
            parent=members.optional_text("parent"),
            bus=members.optional_text("bus"),
            driver=members.optional_text("driver"),
            capabilities=members.texts("capabilities"),
            facts=members.mapping("facts"),
            state={} if past else members.mapping("state"),
            at=members.optional_text("at"),
            left_out=members.texts("left_out") if past else (),
            told=members.told,
            _transport=transport,
        )

    @property
    def path(self) -> str:
        """Where the API has it; by identity, which stays when the kernel deals names anew."""
        return path_to("hosts", self.host, "devices", self.identity if "/" in self.identity else self.name)

    def dump_xml(self, flags: Dump = Dump.KEY | Dump.STATE) -> str:
        """The document: of now with key and state as flagged, or of the instant the device was read for."""
        if self.at is not None:
            return self._transport.document(self.path, {"at": self.at}).decode()
        include = ",".join(str(flag.name).lower() for flag in flags)
        return self._transport.document(self.path, {"include": include}).decode()

    def history(self) -> Iterator[Version]:
        """Its versions, the first one first."""
        return (Version.read(one, self._transport) for one in self._transport.pages(f"{self.path}/history"))

    def destroy(self, **asked: Unpack[Order]) -> Command:
        """Orders that it be destroyed; `wait()` on the command tells whether it was. Raises Refused."""
        return give(self._transport, "DELETE", self.path, asked)

    def detach(self, *, driver: str | None = None, **asked: Unpack[Order]) -> Command:
        """Orders that the host's driver let go of it for `driver` (PCI: vfio-pci if none is named). Raises Refused."""
        return give(self._transport, "POST", f"{self.path}/detach", asked, driver=driver)

    def reattach(self, **asked: Unpack[Order]) -> Command:
        """Orders that the host's own driver take it again. Raises Refused."""
        return give(self._transport, "POST", f"{self.path}/reattach", asked)

    def check(self, of: str, *, driver: str | None = None, **asked: Unpack[Order]) -> Command:
        """Asks its host whether it would do that (`destroy`, `detach`, `reattach`): the command fails as such an order
        would, with who uses the device. Nothing is done. Raises Refused."""
        return give(self._transport, "POST", f"{self.path}/check", asked, driver=driver, of=of)


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A device in the tree of its host, with a few of its facts, and what hangs below it."""

    name: str
    bus: str | None
    driver: str | None
    capabilities: tuple[str, ...]
    facts: Told
    children: tuple["Branch", ...]
    told: Told = field(repr=False, compare=False)

    @classmethod
    def read(cls, members: Members) -> Self:
        return cls(
            name=members.text("name"),
            bus=members.optional_text("bus"),
            driver=members.optional_text("driver"),
            capabilities=members.texts("capabilities"),
            facts=members.mapping("facts"),
            children=tuple(cls.read(child) for child in members.objects("children")),
            told=members.told,
        )
