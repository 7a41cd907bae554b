"""The whole fleet: hosts, devices, changes, commands and audit of one collector."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, Unpack

from hwcensus.client.batch import Batch
from hwcensus.client.command import Command
from hwcensus.client.creation import Creation, creation_query
from hwcensus.client.deed import Deed
from hwcensus.client.device import Device
from hwcensus.client.host import Host
from hwcensus.client.members import Members, Told, Unexpected
from hwcensus.client.path import path_to
from hwcensus.client.transport import ServerEvent, Transport
from hwcensus.client.version import Version
from hwcensus.errors import Unreachable

DEFAULT_URL = "http://127.0.0.1:8470"
#: Seconds until a broken stream is tried again: at first, and at most.
_FIRST_RETRY, _SLOWEST_RETRY = 0.2, 10.0


class Client:
    """The API at `url`. `actor` is the name that commands are recorded under, as a claim.

    All methods raise HwcensusError: Unreachable, NotFound, Refused, UsageError. Times and durations (`at`, `since`) are
    texts as the API takes them: `2026-03-01`, `2026-03-01T14:00:00Z`, `7d`.
    """

    def __init__(self, url: str = DEFAULT_URL, *, actor: str | None = None, timeout: float = 30.0) -> None:
        self._transport = Transport(url, actor=actor, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def health(self) -> Told:
        """What /v1/health says."""
        return self._transport.get("/v1/health").told

    def position(self) -> int:
        """Of the last change in the feed: `stream(after=…)` and `changes(after=…)` go on from there."""
        return self._transport.get("/v1/health").number("feed")

    def hosts(self, status: str | None = None, *, retired: bool = False) -> Iterator[Host]:
        """All hosts by name, or those of one status; with `retired` also those taken out of service."""
        found = self._transport.pages("/v1/hosts", {"status": status, "retired": "yes" if retired else None})
        return (Host.read(one, self._transport) for one in found)

    def host(self, wanted: str) -> Host:
        """One host by id or name. Raises NotFound with the nearest names, Refused where two bear the name."""
        return Host.read(self._transport.get(path_to("hosts", wanted)), self._transport)

    def devices(
        self,
        *,
        host: str | None = None,
        cap: str | None = None,
        bus: str | None = None,
        at: str | None = None,
        present: str | None = None,
    ) -> Iterator[Device]:
        """Devices of the fleet by host and name; `present` is yes (the default), no or all."""
        query = {"host": host, "cap": cap, "bus": bus, "at": at, "present": present}
        return (Device.read(one, self._transport) for one in self._transport.pages("/v1/devices", query))

    def documents(self, **query: str | None) -> Iterator[tuple[str, str]]:
        """Host name and document of the devices that `devices` would give."""
        found = self._transport.pages("/v1/devices", {"fields": "host_name,xml", **query})
        return ((one.text("host_name"), one.text("xml")) for one in found)

    def changes(
        self,
        *,
        since: str | None = None,
        after: int | None = None,
        host: str | None = None,
        cap: str | None = None,
        kinds: str | None = None,
    ) -> Iterator[Version]:
        """What changed since a time, or beyond a position of the feed; renumbered and redescribed only by `kinds`."""
        query = {"since": since, "after": after, "host": host, "cap": cap, "kinds": kinds}
        return (Version.read(one, self._transport) for one in self._transport.pages("/v1/changes", query))

    def stream(
        self,
        *,
        after: int | None = None,
        host: str | None = None,
        cap: str | None = None,
        kinds: str | None = None,
        trouble: Callable[[str], object] = bool,
    ) -> Iterator[Version]:
        """Changes as they come, without end. A broken connection is made again, and none is missed or told twice.

        `trouble` is told when the connection breaks. Raises Unreachable only where the first one cannot be made.
        """
        query = {"after": after, "host": host, "cap": cap, "kinds": kinds}
        last: str | None = None
        pause = _FIRST_RETRY
        while True:
            try:
                for event in self._transport.events("/v1/changes/stream", query, last):
                    last, pause = event.id, _FIRST_RETRY
                    yield from self._versions(event, trouble)
                trouble("the collector closed the stream; trying again")
            except Unreachable as error:
                if last is None:
                    raise
                trouble(f"{error}; trying again")
            time.sleep(pause)
            pause = min(pause * 2, _SLOWEST_RETRY)

    def _versions(self, event: ServerEvent, trouble: Callable[[str], object]) -> Iterator[Version]:
        if event.name == "reset":
            trouble("the inventory was made anew; changes before now are not told")
        elif event.name == "change":
            try:
                yield Version.read(Members(json.loads(event.data)), self._transport)
            except ValueError as error:
                raise Unexpected from error

    def commands(
        self,
        *,
        host: str | None = None,
        state: str | None = None,
        type_: str | None = None,
        batch: str | None = None,
        overdue: bool = False,
    ) -> Iterator[Command]:
        """Commands, the newest first; `overdue` are those past their deadline without a result."""
        query = {"host": host, "state": state, "type": type_, "batch": batch, "overdue": "yes" if overdue else None}
        found = self._transport.pages("/v1/commands", query)
        return (Command.read(one, self._transport) for one in found)

    def command(self, id_: str) -> Command:
        """One command with its steps. Raises NotFound."""
        return Command.read(self._transport.get(path_to("commands", id_)), self._transport)

    def batches(self) -> Iterator[Batch]:
        """Batches, the newest first."""
        return (Batch.read(one, self._transport) for one in self._transport.pages(path_to("batches")))

    def batch(self, id_: str) -> Batch:
        """One batch. Raises NotFound."""
        return Batch.read(self._transport.get(path_to("batches", id_)), self._transport)

    def audit(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> Iterator[Deed]:
        """Who had what done, the last first; an `action` that ends with a dot stands for all that begin so. A host may
        be given by name where it is `actor` or `subject`."""
        query = {"actor": actor, "action": action, "subject": subject, "since": since, "until": until}
        return (Deed.read(one) for one in self._transport.pages("/v1/audit", query))

    def create_on_many(
        self,
        xml: str,
        hosts: Sequence[str] = (),
        *,
        status: str | None = None,
        cap: str | None = None,
        at_once: int | None = None,
        stop_after: int | None = None,
        idempotency_key: str | None = None,
        **asked: Unpack[Creation],
    ) -> Batch:
        """Orders that the device of this document be created on these hosts, or on all of a status, or that have a
        device of a capability. Raises Refused and NotFound where nothing was ordered; `refused` are hosts
        that got no command.
        """
        which = {"host": list(hosts) or None, "status": status, "cap": cap}
        query = {**which, "at_once": at_once, "stop_after": stop_after, **creation_query(asked)}
        told = self._transport.order("POST", path_to("batches"), query, body=xml, key=idempotency_key)
        return Batch.read(told, self._transport)
