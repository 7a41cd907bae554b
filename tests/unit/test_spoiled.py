"""Records of batches that Kafka's client cannot decode."""

import gzip

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_collector.ingest.spoiled import Spoiled, salvage
from tests.fixtures.raw_batch import ATTRIBUTES, BAD_NAME, NOT_UTF8, batch, resealed, with_codec

HERE = TopicPartition("t", 0)
GOOD = (b"<good/>", [("host", b"h")])
BAD = (b"<bad/>", [(BAD_NAME, b"x"), ("host", b"h")])
RECORDS = 61


def told(records: list[ConsumerRecord]) -> list[tuple[int, bytes | None, bool]]:
    return [(record.offset, record.value, isinstance(record, Spoiled)) for record in records]


def test_a_name_that_is_not_utf8_spoils_its_own_record_only() -> None:
    records = salvage(HERE, batch(GOOD, BAD, GOOD), 0)
    assert told(records) == [(0, b"<good/>", False), (1, b"<bad/>", True), (2, b"<good/>", False)]
    assert repr(NOT_UTF8) in records[1].why
    assert [record.headers[-1] for record in records] == [("host", b"h")] * 3
    assert [record.timestamp for record in records] == [1_700_000_000_000] * 3


def test_compressed_batches_are_taken_apart_too() -> None:
    plain = batch(GOOD, BAD)
    packed = plain[:RECORDS] + gzip.compress(plain[RECORDS:])
    sized = packed[:8] + (len(packed) - 12).to_bytes(4, "big") + packed[12:]
    assert told(salvage(HERE, with_codec(sized, 1), 0)) == [(0, b"<good/>", False), (1, b"<bad/>", True)]


def test_what_was_read_before_is_left_out() -> None:
    assert told(salvage(HERE, batch(GOOD, BAD, GOOD), 2)) == [(2, b"<good/>", False)]


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 7])
def test_a_batch_that_cannot_be_decompressed_is_one_record_at_its_end(codec: int) -> None:
    data = with_codec(batch(GOOD, GOOD), codec)
    assert told(salvage(HERE, data + batch(GOOD), 0))[0] == (1, data, True)


def test_a_wrong_checksum_spoils_the_batch() -> None:
    data = batch(GOOD, GOOD)[:-1] + b"?"
    (record,) = salvage(HERE, data, 0)
    assert (record.offset, record.value, record.why) == (
        1, data, "a batch of records that cannot be read: its checksum is wrong",
    )  # fmt: skip


def test_a_batch_that_is_cut_is_not_there_yet() -> None:
    whole = batch(GOOD)
    assert told(salvage(HERE, whole + batch(GOOD)[:-1], 0)) == [(0, b"<good/>", False)]


@given(at=st.integers(ATTRIBUTES, len(batch(GOOD, BAD)) - 1), byte=st.integers(0, 255))
def test_no_byte_of_a_batch_makes_it_raise_or_stand_still(at: int, byte: int) -> None:
    data = bytearray(batch(GOOD, BAD))
    data[at] = byte
    records = salvage(HERE, resealed(bytes(data)), 0)
    offsets = [record.offset for record in records]
    assert all(offset >= 0 for offset in offsets)


@given(st.binary(max_size=200))
def test_noise_makes_it_neither_raise_nor_stand_still(data: bytes) -> None:
    salvage(HERE, len(data).to_bytes(12, "big") + data, 0)
