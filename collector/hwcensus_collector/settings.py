"""The settings of `hwcensus-collector`: /etc/hwcensus/collector.toml, HWCENSUS_* and flags.

What the values mean is said by `--show-config` and the documentation; nothing is read or opened here.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from hwcensus.config import section, setting
from hwcensus.errors import ConfigError
from hwcensus.kafka import KafkaSettings
from hwcensus.log import LogSettings


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Where the inventory is."""

    url: str = setting(
        "sqlite:////var/lib/hwcensus/inventory.sqlite",
        "sqlite:///FILE, or postgresql://user@host/name (the password better in ~/.pgpass)",
    )


@dataclass(frozen=True, kw_only=True)
class IngestSettings:
    """How events are taken from Kafka."""

    static: bool = setting(False, "read all partitions without a consumer group: for the embedded broker")
    batch_records: int = setting(2000, "records of one SQL transaction at most")
    batch_bytes: int = setting(8 * 1024 * 1024, "bytes of one SQL transaction at most, one record apart")
    cached_hosts: int = setting(2000, "hosts whose census is kept in memory")
    retry_seconds: float = setting(5.0, "wait after a failed transaction or an unreachable Kafka")

    def __post_init__(self) -> None:
        for name in ("batch_records", "batch_bytes", "cached_hosts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"ingest.{name}: must be at least 1")


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """The HTTP door."""

    listen: str = setting("127.0.0.1:8470", "address and port; without tokens only a loopback address is taken")


@dataclass(frozen=True, kw_only=True)
class LivenessSettings:
    """When a silent host counts as stale, and when as offline."""

    stale_after: float = setting(120.0, "seconds without a sign of life until a host is stale")
    offline_after: float = setting(600.0, "seconds without a sign of life until a host is offline")

    def __post_init__(self) -> None:
        if not 0 < self.stale_after <= self.offline_after:
            raise ConfigError("liveness: stale_after must be above 0 and at most offline_after")


@dataclass(frozen=True, kw_only=True)
class RelaySettings:
    """How commands leave."""

    poll_seconds: float = setting(0.2, "how often the outbox is looked at")
    resync_rate: float = setting(50.0, "requests to resynchronise a second, over all hosts")
    resync_backoff: float = setting(30.0, "seconds until an unanswered request is repeated; doubles each time")
    resync_backoff_max: float = setting(3600.0, "the longest such wait")
    resync_devices: int = setting(50, "devices asked for one by one; for more the whole census is")


@dataclass(frozen=True, kw_only=True)
class CommandSettings:
    """Commands to hosts."""

    key_file: Path = setting(
        Path("/var/lib/hwcensus/command-key.pem"), "Ed25519 key that signs commands; made where it is missing"
    )
    deadline: float = setting(600.0, "seconds that a command has by default")
    deadline_max: float = setting(7 * 24 * 3600.0, "seconds that a command may have at most")
    oui: str | None = setting(None, "6 hex digits of your IEEE OUI: WWNs of vports that nobody names are made of it")
    wwn_quarantine: float = setting(24 * 3600.0, "seconds that a WWPN rests after its port was destroyed")

    def __post_init__(self) -> None:
        if self.oui is not None and not re.fullmatch(r"[0-9a-f]{6}", self.oui):
            raise ConfigError(f"commands.oui: {self.oui!r} must be 6 lower-case hex digits, as 001a4a")
        if not 0 <= self.wwn_quarantine <= 1e9:
            raise ConfigError("commands.wwn_quarantine: must be at least 0 seconds")


@dataclass(frozen=True, kw_only=True)
class CollectorSettings:
    """All of it."""

    kafka: KafkaSettings = section(KafkaSettings)
    database: DatabaseSettings = section(DatabaseSettings)
    ingest: IngestSettings = section(IngestSettings)
    api: ApiSettings = section(ApiSettings)
    liveness: LivenessSettings = section(LivenessSettings)
    relay: RelaySettings = section(RelaySettings)
    commands: CommandSettings = section(CommandSettings)
    log: LogSettings = section(LogSettings)
