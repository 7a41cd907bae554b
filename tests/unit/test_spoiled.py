"""Records of batches that Kafka's client cannot decode."""

import gzip
import struct

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import example, given
from hypothesis import strategies as st

from hwcensus_collector.ingest.spoiled import Spoiled, records_of
from tests.fixtures.raw_batch import (
    ATTRIBUTES,
    BAD_NAME,
    LAST_DELTA,
    NOT_UTF8,
    RECORDS,
    batch,
    changed,
    placed,
    resealed,
    with_codec,
)

HERE = TopicPartition("t", 0)
GOOD = (b"<good/>", [("host", b"h")])
BAD = (b"<bad/>", [(BAD_NAME, b"x"), ("host", b"h")])
#: Where a batch has its count, and the first record of it its attributes.
COUNT, RECORD_ATTRIBUTES = 57, RECORDS + 1


def salvage(data: bytes, offset: int = 0, highwater: int = 100) -> list[ConsumerRecord]:
    return records_of(HERE, data, highwater, offset)


def client_reads(data: bytes, offset: int) -> bool:
    """Whether Kafka's client hands out all that it is given."""
    try:
        list(PartitionRecords(HERE, MemoryRecords(data), None, offset, None, None, True, 0))
    except Exception:  # noqa: BLE001 (it raises whatever it likes)
        return False
    return True


def told(records: list[ConsumerRecord]) -> list[tuple[int, bytes | None, bool]]:
    return [(record.offset, record.value, isinstance(record, Spoiled)) for record in records]


def test_a_name_that_is_not_utf8_spoils_its_own_record_only() -> None:
    records = salvage(batch(GOOD, BAD, GOOD))
    assert told(records) == [(0, b"<good/>", False), (1, b"<bad/>", True), (2, b"<good/>", False)]
    assert repr(NOT_UTF8) in records[1].why
    assert [record.headers[-1] for record in records] == [("host", b"h")] * 3
    assert [record.timestamp for record in records] == [1_700_000_000_000] * 3


def test_compressed_batches_are_taken_apart_too() -> None:
    plain = batch(GOOD, BAD)
    packed = plain[:RECORDS] + gzip.compress(plain[RECORDS:])
    sized = packed[:8] + (len(packed) - 12).to_bytes(4, "big") + packed[12:]
    assert told(salvage(with_codec(sized, 1))) == [(0, b"<good/>", False), (1, b"<bad/>", True)]


def test_what_was_read_before_is_left_out() -> None:
    assert told(salvage(batch(GOOD, BAD, GOOD), 2)) == [(2, b"<good/>", False)]


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 7])
def test_a_batch_that_cannot_be_decompressed_is_one_record_at_its_end(codec: int) -> None:
    data = with_codec(batch(GOOD, GOOD), codec)
    assert told(salvage(data + placed(2, batch(GOOD)))) == [(1, data, True), (2, b"<good/>", False)]


def test_a_wrong_checksum_spoils_the_batch() -> None:
    data = batch(GOOD, GOOD)[:-1] + b"?"
    (record,) = salvage(data)
    assert (record.offset, record.value, record.why) == (
        1, data, "a batch of records that cannot be read: its checksum is wrong",
    )  # fmt: skip


def test_where_nothing_is_nothing_is_read() -> None:
    assert salvage(b"", highwater=0) == []


def test_a_batch_that_is_cut_is_not_there_yet() -> None:
    whole = batch(GOOD)
    assert told(salvage(whole + batch(GOOD)[:-1])) == [(0, b"<good/>", False)]


def test_what_the_client_refuses_and_can_be_read_is_good() -> None:
    """Attributes of a record mean nothing yet. The client reads more than their one byte."""
    data = changed(batch(GOOD), RECORD_ATTRIBUTES, 0x80)
    assert not client_reads(data, 0)
    assert told(salvage(data)) == [(0, b"<good/>", False)]


@pytest.mark.parametrize("delta", [1, 2, 63])
def test_a_record_that_says_to_be_elsewhere_is_spoiled_where_it_is(delta: int) -> None:
    data = changed(batch(GOOD, GOOD), RECORD_ATTRIBUTES + 2, delta * 2)
    assert client_reads(data, 0)
    records = salvage(data + placed(2, batch(GOOD)))
    assert [(record.offset, isinstance(record, Spoiled)) for record in records] == [(0, True), (1, False), (2, False)]


def test_a_batch_ends_where_the_broker_counts_and_not_where_it_says() -> None:
    data = bytearray(with_codec(batch(GOOD, GOOD), 7))
    struct.pack_into(">i", data, LAST_DELTA, 2**31 - 1)
    lying = resealed(bytes(data))
    assert told(salvage(lying, highwater=50)) == [(1, lying, True)]


def test_no_count_leads_beyond_the_next_batch_or_the_end() -> None:
    data = bytearray(with_codec(batch(GOOD, GOOD), 7))
    struct.pack_into(">i", data, COUNT, 2**31 - 1)
    lying = resealed(bytes(data))
    assert told(salvage(lying, highwater=2)) == [(1, lying, True)]
    assert told(salvage(lying + placed(2, batch(GOOD)))) == [(1, lying, True), (2, b"<good/>", False)]


@given(at=st.integers(ATTRIBUTES, len(batch(GOOD, BAD)) - 1), byte=st.integers(0, 255), offset=st.integers(0, 1))
@example(COUNT + 3, 0, 0)
@example(COUNT + 3, 1, 1)
@example(RECORD_ATTRIBUTES, 0x80, 0)
@example(RECORD_ATTRIBUTES, 0x80, 1)
def test_whatever_the_client_refuses_reading_goes_on_behind_it(at: int, byte: int, offset: int) -> None:
    data = changed(batch(GOOD, BAD), at, byte)
    records = salvage(data + placed(2, batch(GOOD)), offset, 3)
    offsets = [record.offset for record in records]
    assert client_reads(data, offset) or offsets[0] in range(offset, 2)
    assert offsets == sorted(set(offsets))
    assert told(records)[-1] == (2, b"<good/>", False)


@given(st.binary(max_size=200), st.integers(0, 2**62))
def test_noise_makes_it_neither_raise_nor_go_back(data: bytes, offset: int) -> None:
    records = salvage(len(data).to_bytes(12, "big") + data, offset)
    assert all(record.offset >= offset for record in records)
