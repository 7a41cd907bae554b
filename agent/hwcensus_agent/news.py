"""What the census found new and the outbox holds until it is told: one device appeared, differs, or is gone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from hwcensus import document
from hwcensus.document import Survey

#: The types of news about devices; the outbox also holds these, which are rendered when they are taken.
ADD, CHANGE, REMOVE = "add", "change", "remove"
PRESENT, MANIFEST, GAP, RESULT = "present", "manifest", "gap", "result"


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One device as it was last seen: its whole document, and the digests of it."""

    identity: str
    name: str
    #: Resolved sysfs path, or HAL's udi.
    key: str
    #: Sysfs path as text: where sources say that something happened, whatever the key.
    path: str
    xml: bytes
    digest: bytes
    state_hash: bytes

    @classmethod
    def of(cls, identity: str, element: etree._Element, path: str | None = None) -> "Sight":
        """From a `<device>` element, which is taken apart by it; the key is the path where none is given."""
        xml = document.to_bytes(element)
        name, key = element.findtext("name") or "", element.findtext("key") or ""
        parts = document.take_apart(element)
        return cls(
            identity=identity, name=name, key=key, path=path or key, xml=xml,
            digest=parts.digest, state_hash=parts.state_hash,
        )  # fmt: skip

    @property
    def subsystem(self) -> str:
        """As the identity begins."""
        return self.identity.partition("/")[0]

    def driver(self) -> str | None:
        """The driver it has."""
        return document.parse(self.xml).findtext("driver")

    def survey(self) -> Survey:
        return document.survey(document.parse(self.xml))


@dataclass(frozen=True, kw_only=True)
class News:
    """One event about one device, not yet numbered."""

    type: str
    sight: Sight
    time: datetime
    source: str
    kind: str | None = None
    changed: tuple[str, ...] = ()
    was: str | None = None
    command: str | None = None
    stands_for: int | None = None


def merged_kind(kinds: Iterable[str | None]) -> str:
    """The kind of several changes in one: the most telling of theirs."""
    found = set(kinds)
    return next((kind for kind in ("facts", "redescribed", "renumbered") if kind in found), "state")
