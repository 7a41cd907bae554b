"""What an agent can be told: /etc/hwcensus/agent.toml, HWCENSUS_* and flags (hwcensus.config)."""

from dataclasses import dataclass
from pathlib import Path

from hwcensus.config import section, setting
from hwcensus.errors import ConfigError
from hwcensus.kafka import KafkaSettings
from hwcensus.log import LogSettings
from hwcensus_agent.way import LIMIT_S

SOURCES = ("auto", "udev", "hal")


@dataclass(frozen=True, kw_only=True)
class SpoolSettings:
    """Where what is not yet acknowledged waits."""

    path: Path = setting(Path("/var/lib/hwcensus/agent/spool.db"), "SQLite file of the spool")
    limit_mib: int = setting(64, "MiB of unsent events before changes of one device are merged")

    @property
    def desired(self) -> Path:
        """The file beside it of what this host wants at every boot."""
        return self.path.with_name("desired.json")


@dataclass(frozen=True, kw_only=True)
class CensusSettings:
    """What is looked at, and how often."""

    source: str = setting("auto", "which source leads this host", choices=SOURCES)
    hal_address: str = setting("", "D-Bus address of the bus that this host's hald is on; by default the system bus")
    sysroot: str = setting("/sys", "where this host's sysfs is mounted; `none` where only its hald is in reach")
    include: tuple[str, ...] = setting((), "further subsystems, or kinds of one such as net:veth")
    coalesce_ms: int = setting(200, "quiet time after which a device that was hinted at is described")
    coalesce_max_ms: int = setting(1000, "longest wait for quiet")
    damp_changes: int = setting(10, "changes, and removals, of one device within damp_s that are told one by one")
    damp_s: float = setting(60.0, "seconds between events of a device that changes more often than that")
    read_limit_s: float = setting(5.0, "seconds that reading one device may take before the others go on without it")
    recheck_s: float = setting(3600.0, "seconds in which every device is looked at anew")


@dataclass(frozen=True, kw_only=True)
class PublisherSettings:
    """How events leave."""

    heartbeat_s: float = setting(30.0, "seconds between heartbeats, give or take a fifth")
    hold_back_bytes: int = setting(0, "most bytes the collector may be behind (0: no limit; for the embedded broker)")


@dataclass(frozen=True, kw_only=True)
class CommandSettings:
    """Which commands are obeyed."""

    keys: Path = setting(Path("/etc/hwcensus/command-keys"), "public keys of the collector, one base64 line each")
    policy: Path = setting(Path("/etc/hwcensus/policy.toml"), "what commands may do on this host")
    way_s: float = setting(LIMIT_S, "seconds the way to Kafka has to come back after a change that was forced")


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """The whole configuration of one agent."""

    host: str | None = setting(None, "id of this host; by default its system UUID, else made from the machine id")
    name: str | None = setting(None, "name of this host for people; by default its host name")
    runtime: Path = setting(Path("/run/hwcensus"), "folder of the lock that keeps a second agent out")
    kafka: KafkaSettings = section(KafkaSettings)
    spool: SpoolSettings = section(SpoolSettings)
    census: CensusSettings = section(CensusSettings)
    publisher: PublisherSettings = section(PublisherSettings)
    commands: CommandSettings = section(CommandSettings)
    log: LogSettings = section(LogSettings)

    def __post_init__(self) -> None:
        if self.host is not None and (not self.host or len(self.host) > 64 or any(c.isspace() for c in self.host)):
            raise ConfigError(f"host: {self.host!r} must have 1 to 64 characters and no blanks")
        if self.census.hal_address and self.census.sysroot == "/sys":
            raise ConfigError(
                "census.hal_address is of another host's bus: say with census.sysroot where that host's sysfs is"
                " mounted, or `none`; for another bus of this host set DBUS_SYSTEM_BUS_ADDRESS"
            )
        if not 0 < self.census.coalesce_ms <= self.census.coalesce_max_ms:
            raise ConfigError("census.coalesce_ms must be above 0 and not above census.coalesce_max_ms")
        if min(self.census.read_limit_s, self.census.recheck_s, self.publisher.heartbeat_s) <= 0:
            raise ConfigError("census.read_limit_s, census.recheck_s and publisher.heartbeat_s must be above 0")
        if self.commands.way_s < 0:
            raise ConfigError("commands.way_s must not be below 0")
        if self.census.damp_changes < 1 or self.census.damp_s <= 0:
            raise ConfigError("census.damp_changes and census.damp_s must be above 0")
