"""One version of one device, as history and change feeds tell it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from hwcensus.client.members import Members, Told, Unexpected
from hwcensus.client.transport import Transport


@dataclass(frozen=True, kw_only=True)
class Version:
    """What became true of a device, until when, and why. `told` is all that the API said."""

    #: Position in the feed of changes.
    feed: int
    host: str
    host_name: str
    identity: str
    name: str
    #: add, change, remove, renumbered or redescribed.
    kind: str
    #: event, reconciled, or the id of the command that caused it.
    cause: str
    #: Paths of the facts that differ from the version before.
    changed: tuple[str, ...]
    #: The agent's time; `valid_to` is None for the current version.
    valid_from: datetime
    valid_to: datetime | None
    recorded_at: datetime
    #: SHA-256 of its document; None for a remove.
    digest: str | None
    told: Told = field(repr=False, compare=False)
    _transport: Transport = field(repr=False, compare=False)

    @classmethod
    def read(cls, members: Members, transport: Transport) -> Self:
        return cls(
            feed=members.number("feed"),
            host=members.text("host"),
            host_name=members.text("host_name"),
            identity=members.text("identity"),
            name=members.text("name"),
            kind=members.text("kind"),
            cause=members.text("cause"),
            changed=members.texts("changed"),
            valid_from=members.instant("valid_from"),
            valid_to=members.optional_instant("valid_to"),
            recorded_at=members.instant("recorded_at"),
            digest=members.optional_text("digest"),
            told=members.told,
            _transport=transport,
        )

    def dump_xml(self) -> str:
        """The document of this version, without key and state. Raises Unexpected for a remove, which has none."""
        if self.digest is None:
            raise Unexpected(f"{self.name} was removed in version {self.feed}; it has no document", code="no-document")
        return self._transport.document(f"/v1/documents/{self.digest}").decode()
