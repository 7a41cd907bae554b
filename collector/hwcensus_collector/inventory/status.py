"""Whether a host is online, stale or offline: worked out when asked, from when it was last heard, and never stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_

from hwcensus_collector.inventory.refusal import BadParameter, did_you_mean, nearest_names
from hwcensus_collector.tables import host_seen

STATUSES = ("online", "stale", "offline")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a host may be silent before it is called stale, and offline."""

    stale_after: timedelta = timedelta(minutes=2)
    offline_after: timedelta = timedelta(minutes=10)

    def status(self, heard_at: datetime | None, now: datetime) -> str:
        """A host that was never heard is offline."""
        if heard_at is None or now - heard_at >= self.offline_after:
            return "offline"
        return "stale" if now - heard_at >= self.stale_after else "online"

    def condition(self, status: str, now: datetime) -> ColumnElement[bool]:
        """The same as SQL over `host_seen`. Raises BadParameter for another status."""
        heard, stale, offline = host_seen.c.heard_at, now - self.stale_after, now - self.offline_after
        if status == "online":
            return heard > stale
        if status == "stale":
            return and_(heard <= stale, heard > offline)
        if status == "offline":
            return heard.is_(None) | (heard <= offline)
        near = nearest_names(status, STATUSES)
        raise BadParameter(
            f"there is no status {status!r}, only {', '.join(STATUSES)}{did_you_mean(near)}",
            code="unknown-status",
            nearest=near,
        )
