"""The two topics: what they must be like, and which partition a host's records go to.

It does not talk to Kafka: `hwcensus-collector topics apply` does, with these definitions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

EVENTS_PARTITIONS = 12
COMMANDS_PARTITIONS = 64  # static readers cost nothing
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
RETENTION_MS = 7 * 24 * 60 * 60 * 1000

#: What both topics are set to, in Kafka's names and units.
TOPIC_CONFIG: Mapping[str, str] = {
    "cleanup.policy": "delete",
    "compression.type": "producer",  # repacked by a broker, commands would not reach an agent that lacks its codec
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
    "message.timestamp.type": "LogAppendTime",
    "retention.ms": str(RETENTION_MS),
}


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic as it must be. More partitions than `partitions` are fine: counts only grow."""

    name: str
    partitions: int
    config: Mapping[str, str]


def required(
    events: str,
    commands: str,
    *,
    events_partitions: int = EVENTS_PARTITIONS,
    commands_partitions: int = COMMANDS_PARTITIONS,
) -> tuple[Topic, Topic]:
    """The events and the commands topic, under their configured names."""
    return (
        Topic(name=events, partitions=events_partitions, config=TOPIC_CONFIG),
        Topic(name=commands, partitions=commands_partitions, config=TOPIC_CONFIG),
    )


def partition_of(host_id: str, count: int) -> int:
    """The partition, of `count`, that Kafka's default partitioner gives to the key `host_id`.

    An agent asks this once and remembers the answer: see "The wire". Raises ValueError for a count below 1.
    """
    if count < 1:
        raise ValueError(f"a topic has at least one partition, not {count}")
    return (murmur2(host_id.encode()) & 0x7FFFFFFF) % count


def murmur2(data: bytes) -> int:
    """Kafka's variant of MurmurHash2 (org.apache.kafka.common.utils.Utils.murmur2), as an unsigned 32-bit number."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15
