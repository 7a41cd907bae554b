"""Topics, and the partition of a host."""

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus import topics

# From Kafka's own tests (org.apache.kafka.common.utils.UtilsTest.testMurmur2), as signed 32-bit numbers.
VECTORS = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize("text,expected", VECTORS.items())
def test_murmur2_gives_kafkas_own_vectors(text: str, expected: int) -> None:
    assert topics.murmur2(text.encode()) == expected & 0xFFFFFFFF


@given(st.binary(max_size=80))
def test_murmur2_agrees_with_aiokafka(data: bytes) -> None:
    partitioner = pytest.importorskip("aiokafka.partitioner")

    # aiokafka leaves the sign to its caller, who masks it away as Kafka does.
    assert topics.murmur2(data) & 0x7FFFFFFF == partitioner.murmur2(data) & 0x7FFFFFFF


def test_a_host_has_one_partition_within_the_count() -> None:
    assert topics.partition_of("21", 12) == (-973932308 & 0x7FFFFFFF) % 12
    assert topics.partition_of("21", 1) == 0


def test_hosts_spread_over_the_partitions() -> None:
    counts = Counter(topics.partition_of(str(UUID(int=i * 0x9E3779B97F4A7C15)), 12) for i in range(12_000))

    assert len(counts) == 12
    assert 850 < min(counts.values()) <= max(counts.values()) < 1150


def test_no_partitions_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one partition"):
        topics.partition_of("a", 0)


def test_both_topics_have_append_times_a_week_room_for_a_large_device_and_the_codec_of_who_wrote() -> None:
    events, commands = topics.required("e", "c")

    assert (events.name, events.partitions, commands.name, commands.partitions) == ("e", 12, "c", 64)
    assert events.config == commands.config
    assert events.config["message.timestamp.type"] == "LogAppendTime"
    assert events.config["retention.ms"] == "604800000"
    assert events.config["compression.type"] == "producer"
    assert events.config["max.message.bytes"] == "8388608"
