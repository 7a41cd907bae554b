"""How our programs reach Kafka: the settings, and aiokafka's keyword arguments made from them.

It opens no connection and does not import aiokafka, so that reading settings stays cheap. What the arguments rest on:
idempotent writes acknowledged by all replicas, and a reader whose position is SQL's or the spool's, never Kafka's.
"""

import importlib.util
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from hwcensus.config import setting
from hwcensus.errors import ConfigError
from hwcensus.topics import MAX_MESSAGE_BYTES

#: Uncompressed bytes of one batch. A single larger record still goes, alone, up to the topic's limit.
MAX_BATCH_BYTES = 1024 * 1024
#: What the envelope of a batch may add to its records, so that the broker's own limit is not met first.
BATCH_OVERHEAD = 4096

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
COMPRESSIONS = ("none", "gzip", "lz4", "zstd", "snappy")
#: Those that need no package: every agent can read them.
PLAIN_COMPRESSIONS = COMPRESSIONS[:2]


@dataclass(frozen=True, kw_only=True)
class KafkaSettings:
    """The section `kafka` of every program's settings."""

    bootstrap_servers: tuple[str, ...] = setting(("localhost:9092",), "brokers to ask first, as host:port")
    client_id: str | None = setting(None, "name for Kafka's logs and quotas; by default the program's own")
    security_protocol: str = setting("PLAINTEXT", "with or without TLS, with or without SASL", choices=PROTOCOLS)
    ca_file: Path | None = setting(None, "certificates to trust (PEM); by default the system's")
    cert_file: Path | None = setting(None, "own certificate for mutual TLS (PEM)")
    key_file: Path | None = setting(None, "key of the own certificate (PEM, without a passphrase)")
    sasl_mechanism: str = setting("SCRAM-SHA-512", "how to prove who we are", choices=MECHANISMS)
    sasl_username: str | None = setting(None, "SASL user")
    sasl_password: str | None = setting(None, "SASL password; better in a file", secret=True)
    sasl_password_file: Path | None = setting(None, "file that holds the SASL password")
    compression: str = setting("gzip", "how events are compressed; all but gzip need cramjam", choices=COMPRESSIONS)
    events_topic: str = setting("hwcensus.events", "topic of the agents' events")
    commands_topic: str = setting("hwcensus.commands", "topic of the collector's commands")
    group: str = setting("hwcensus-ingest", "consumer group of the collector's ingest processes")

    def __post_init__(self) -> None:
        if not self.bootstrap_servers:
            raise ConfigError("kafka.bootstrap_servers: name at least one broker")
        if self.sasl and not (self.sasl_username and (self.sasl_password or self.sasl_password_file)):
            raise ConfigError(
                f"kafka.security_protocol {self.security_protocol} needs sasl_username and sasl_password_file"
            )
        if self.sasl_password and self.sasl_password_file:
            raise ConfigError("kafka: give sasl_password or sasl_password_file, not both")
        if (self.cert_file is None) != (self.key_file is None):
            raise ConfigError("kafka: cert_file and key_file go together")
        if not self.tls and (self.ca_file or self.cert_file):
            raise ConfigError(
                f"kafka: certificates are given, but security_protocol {self.security_protocol} has no TLS"
            )

    @property
    def tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")


class ClientArguments(TypedDict):
    """Keyword arguments that aiokafka's admin client, producer and consumer share."""

    bootstrap_servers: list[str]
    client_id: str
    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None


class ProducerArguments(ClientArguments):
    """Keyword arguments of AIOKafkaProducer."""

    acks: Literal["all"]
    enable_idempotence: bool
    compression_type: str | None
    max_batch_size: int
    max_request_size: int


class ConsumerArguments(ClientArguments):
    """Keyword arguments of AIOKafkaConsumer."""

    group_id: str | None
    enable_auto_commit: bool
    auto_offset_reset: Literal["none"]


def client_arguments(settings: KafkaSettings, client_id: str) -> ClientArguments:
    """For AIOKafkaAdminClient, and the base of the other two. Raises ConfigError for files that cannot be read."""
    return ClientArguments(
        bootstrap_servers=list(settings.bootstrap_servers),
        client_id=settings.client_id or client_id,
        security_protocol=settings.security_protocol,
        ssl_context=_tls(settings) if settings.tls else None,
        sasl_mechanism=settings.sasl_mechanism,
        sasl_plain_username=settings.sasl_username if settings.sasl else None,
        sasl_plain_password=_password(settings) if settings.sasl else None,
    )


def producer_arguments(settings: KafkaSettings, client_id: str) -> ProducerArguments:
    """For AIOKafkaProducer: what is acknowledged is on all replicas, once. Raises ConfigError."""
    if settings.compression not in PLAIN_COMPRESSIONS and importlib.util.find_spec("cramjam") is None:
        raise ConfigError(f"kafka.compression {settings.compression} needs the package cramjam, or choose gzip")
    return ProducerArguments(
        **client_arguments(settings, client_id),
        acks="all",
        enable_idempotence=True,
        compression_type=None if settings.compression == "none" else settings.compression,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_MESSAGE_BYTES - BATCH_OVERHEAD,
    )


def consumer_arguments(settings: KafkaSettings, client_id: str, *, group: str | None) -> ConsumerArguments:
    """For AIOKafkaConsumer; `group=None` for one with static assignment. Positions are never Kafka's business here:
    no automatic commit, and no automatic reset to either end. Raises ConfigError."""
    return ConsumerArguments(
        **client_arguments(settings, client_id),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",
    )


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(str(f) for f in (settings.ca_file, settings.cert_file, settings.key_file) if f)
        raise ConfigError(f"kafka: certificates or key cannot be used ({files}): {error}") from error
    return context


def _password(settings: KafkaSettings) -> str | None:
    if settings.sasl_password_file is None:
        return settings.sasl_password
    try:
        return settings.sasl_password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"kafka.sasl_password_file: cannot be read: {error}") from error
