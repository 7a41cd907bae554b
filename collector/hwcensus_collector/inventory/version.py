"""One version of one device, as history and change feeds show it, and how rows become it."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Row, Select, select

from hwcensus_collector import tables
from hwcensus_collector.inventory.refusal import BadParameter, did_you_mean, nearest_names

KINDS = ("add", "change", "remove", "renumbered", "redescribed")
#: Left out of change feeds unless asked for: a reboot or an upgrade is no flood.
QUIET = ("renumbered", "redescribed")


@dataclass(frozen=True, kw_only=True)
class Version:
    """What became true of a device, and until when. Times of validity are the agent's, `recorded_at` is Kafka's."""

    #: Position in the feed.
    feed: int
    host: str
    host_name: str
    identity: str
    name: str
    #: One of KINDS.
    kind: str
    #: event, reconciled, or the id of the command that caused it.
    cause: str
    #: Paths of the facts that differ from the version before.
    changed: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime | None
    recorded_at: datetime
    #: Of its document; None for a remove.
    digest: str | None
    stream: str | None
    seq: int | None
    #: Events that were merged into this one, if more than one.
    stands_for: int | None


def version_rows() -> Select[tuple[object, ...]]:
    """Versions with the identity of their device and the name of their host."""
    version, device, host = tables.device_version, tables.device, tables.host
    query = (
        select(version, device.c.identity, host.c.name.label("host_name"))
        .join(device, device.c.id == version.c.device)
        .join(host, host.c.id == version.c.host)
    )
    return cast("Select[tuple[object, ...]]", query)


def to_version(row: Row[tuple[object, ...]]) -> Version:
    """The version that a row of `version_rows` holds."""
    return Version(
        feed=row.feed,
        host=row.host,
        host_name=row.host_name,
        identity=row.identity,
        name=row.name,
        kind=row.kind,
        cause=row.cause,
        changed=tuple((row.changed or "").split()),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        recorded_at=row.recorded_at,
        digest=None if row.digest is None else row.digest.hex(),
        stream=row.stream,
        seq=row.seq,
        stands_for=row.stands_for,
    )


def read_kinds(text: str | None) -> tuple[str, ...]:
    """Kinds from `add,remove`; `all` is every kind, and None all but the quiet ones. Raises BadParameter."""
    if text is None:
        return tuple(kind for kind in KINDS if kind not in QUIET)
    if text == "all":
        return KINDS
    kinds = tuple(filter(None, text.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            near = nearest_names(kind, KINDS)
            raise BadParameter(
                f"there is no kind of change {kind!r}, only {', '.join(KINDS)}{did_you_mean(near)}",
                code="unknown-kind",
                nearest=near,
            )
    return kinds or KINDS
