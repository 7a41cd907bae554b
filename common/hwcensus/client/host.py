"""One host, and the verbs of the 2008 proposal on it (virNodeNumOfDevices and the rest), made remote."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self, Unpack

from hwcensus.client.command import Command
from hwcensus.client.creation import Creation, creation_query
from hwcensus.client.device import Branch, Device
from hwcensus.client.members import Members, Told
from hwcensus.client.order import Order, give
from hwcensus.client.path import path_to
from hwcensus.client.transport import Transport
from hwcensus.errors import NotFound
from hwcensus.wwn import port_identity


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host as it stood when it was read. `told` is all that the API said."""

    id: str
    name: str
    #: online, stale or offline.
    status: str
    heard_at: datetime | None
    #: Devices held present.
    devices_count: int
    told: Told = field(repr=False, compare=False)
    _transport: Transport = field(repr=False, compare=False)

    @classmethod
    def read(cls, members: Members, transport: Transport) -> Self:
        return cls(
            id=members.text("id"),
            name=members.text("name"),
            status=members.text("status"),
            heard_at=members.optional_instant("heard_at"),
            devices_count=members.number("devices"),
            told=members.told,
            _transport=transport,
        )

    def num_of_devices(self) -> int:
        return self._count()

    def list_devices(self) -> list[str]:
        """The names of its devices."""
        return self._names()

    def num_of_devices_by_cap(self, cap: str) -> int:
        """Nested capabilities count too; `cap` may be an alias."""
        return self._count(cap=cap)

    def list_devices_by_cap(self, cap: str) -> list[str]:
        return self._names(cap=cap)

    def num_of_devices_by_bus(self, bus: str) -> int:
        return self._count(bus=bus)

    def list_devices_by_bus(self, bus: str) -> list[str]:
        return self._names(bus=bus)

    def lookup_by_name(self, name: str, at: str | None = None) -> Device:
        """The device of this name or identity, now or at an instant. Raises NotFound with the nearest names."""
        return Device.read(self._transport.get(self._path("devices", name), {"at": at}), self._transport)

    def lookup_by_key(self, key: str) -> Device:
        """The device of this key: its sysfs path, or HAL udi. Raises NotFound."""
        found = next(self._transport.pages(self._path("devices"), {"key": key, "limit": 1}), None)
        if found is None:
            raise NotFound(f"{self.name} has no device with the key {key!r}", code="unknown-device")
        return Device.read(found, self._transport)

    def devices(self, *, cap: str | None = None, bus: str | None = None, at: str | None = None) -> Iterator[Device]:
        """Its devices by name, with all their facts."""
        query = {"cap": cap, "bus": bus, "at": at}
        return (Device.read(one, self._transport) for one in self._transport.pages(self._path("devices"), query))

    def tree(self, at: str | None = None) -> tuple[Branch, ...]:
        """Its devices below their parents; usually one tree, rooted at `computer`."""
        told = self._transport.get(self._path("devices"), {"view": "tree", "at": at})
        return tuple(Branch.read(root) for root in told.objects("items"))

    def create_device(self, xml: str, *, idempotency_key: str | None = None, **asked: Unpack[Creation]) -> Command:
        """Orders that the device of this document be created; `wait()` on the command tells whether it was.

        Raises Refused for what the document alone or the inventory shows.
        """
        return self._creation(self._path("devices"), xml, idempotency_key, asked)

    def check_creation(self, xml: str, *, idempotency_key: str | None = None, **asked: Unpack[Creation]) -> Command:
        """Asks the host what it would answer to such a creation, but for one of a port; see `Device.check`."""
        return self._creation(self._path("devices", "check"), xml, idempotency_key, asked)

    def destroy_port(self, wwpn: str, **asked: Unpack[Order]) -> Command:
        """Orders that the virtual port of this WWPN be destroyed, and not made again at boot; it need not be there.
        Raises Refused, NotFound."""
        return give(self._transport, "DELETE", self._path("devices", port_identity(wwpn)), asked)

    def check_port(self, wwpn: str, **asked: Unpack[Order]) -> Command:
        """Asks the host whether it would; see `Device.check`."""
        return give(self._transport, "POST", self._path("devices", port_identity(wwpn), "check"), asked, of="destroy")

    def accept(self) -> "Host":
        """Says that the agent now heard as this host is the right one, which ends a conflict."""
        return Host.read(self._transport.order("POST", self._path("accept")), self._transport)

    def _creation(self, path: str, xml: str, key: str | None, asked: Creation) -> Command:
        return Command.read(
            self._transport.order("POST", path, creation_query(asked), body=xml, key=key), self._transport
        )

    def _path(self, *below: str) -> str:
        return path_to("hosts", self.id, *below)

    def _count(self, **query: str) -> int:
        return self._transport.get(self._path("devices", "count"), query).number("count")

    def _names(self, **query: str) -> list[str]:
        found = self._transport.pages(self._path("devices"), {"fields": "name", **query})
        return [one.text("name") for one in found]
