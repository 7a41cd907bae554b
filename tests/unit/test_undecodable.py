"""What cannot be decoded of a topic: aiokafka's own decoding of batches, and where it is read on."""

from collections.abc import Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as some

from hwcensus.undecodable import Undecodable
from tests.fixtures.spoilt import RECORDS, SPOILT, Spoil, batch, name_not_utf8, spoilt

PLACE = TopicPartition("hwcensus.commands", 3)


def read(raw: bytes, values: Callable[[bytes], None], begin: int = 0) -> Undecodable | None:
    """Where a consumer of this fetch stumbles. Raises what is not known for that."""
    try:
        for record in PartitionRecords(PLACE, MemoryRecords(raw), None, begin, None, None, True, 0):
            values(record.value)
    except Exception as error:
        found = Undecodable.of(error)
        if found is None:
            raise
        return found
    return None


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_it_is_known_which_batch_cannot_be_decoded_and_where_the_next_begins(spoil: Spoil) -> None:
    got: list[bytes] = []
    rest = batch(13, b"<c/>")
    found = read(batch(8, b"<a/>") + batch(9, b"<x/>", b"<y/>", b"<y/>", b"<z/>", spoil=spoil) + rest, got.append, 8)
    assert found is not None
    assert (found.topic, found.partition, found.offset) == (*PLACE, 9)
    assert found.after(14) == 13
    assert read(rest, got.append, found.after(14)) is None
    assert got == [b"<a/>", b"<c/>"]


def test_records_before_it_in_its_batch_are_had_and_those_behind_it_passed_over() -> None:
    def third(raw: bytearray) -> None:
        raw[raw.rindex(b"hXst")] = 0xFF

    got: list[bytes] = []
    found = read(batch(0, b"<a/>", b"<b/>", b"<x/>", spoil=third), got.append)
    assert got == [b"<a/>", b"<b/>"]
    assert found is not None
    assert (found.offset, found.after(3)) == (2, 3)


def bytes_left_behind(raw: bytearray) -> None:
    raw += b"junk"
    raw[8:12] = (len(raw) - 12).to_bytes(4, "big")


@pytest.mark.parametrize("rest", [b"", batch(9, b"<c/>")], ids=["nothing behind it", "another behind it"])
def test_bytes_behind_the_last_record_of_a_batch_cost_no_record_of_the_next(rest: bytes) -> None:
    got: list[bytes] = []
    found = read(batch(8, b"<a/>", spoil=bytes_left_behind) + rest, got.append, 8)
    assert got == [b"<a/>"]
    assert found is not None
    assert found.after(10 if rest else 9) == 9


def test_a_batch_that_says_to_end_within_itself_is_left_behind_all_the_same() -> None:
    def spoil(raw: bytearray) -> None:
        raw[23:27] = bytes(4)  # the last offset delta
        raw[raw.rindex(b"hXst")] = 0xFF

    raw = batch(8, b"<a/>", b"<x/>", spoil=spoil)
    found = read(raw + batch(10, b"<c/>"), lambda _: None, 8)
    assert found is not None
    assert found.after(11) == 10


def test_why_is_said_in_text_that_logs_can_carry() -> None:
    found = read(batch(0, b"<x/>", spoil=name_not_utf8), lambda _: None)
    assert found is not None
    assert found.why.startswith("UnicodeDecodeError: ")


@pytest.mark.parametrize("end", [-7, 0, 5, 100])
def test_an_end_that_cannot_be_costs_one_record(end: int) -> None:
    found = Undecodable(topic="t", partition=0, offset=5, end=end, why="")
    assert found.after(10) == 6
    assert found.after(None) == 6


def test_what_fails_elsewhere_is_not_taken_for_it() -> None:
    with pytest.raises(UnicodeDecodeError) as raised:
        b"\xff".decode()
    assert Undecodable.of(raised.value) is None


@given(some.binary(min_size=1, max_size=200), some.integers(0, 7))
def test_whatever_a_batch_holds_it_is_read_or_known_to_be_undecodable(junk: bytes, codec: int) -> None:
    def spoil(raw: bytearray) -> None:
        raw[22] = codec
        raw[RECORDS:] = junk
        raw[8:12] = (len(raw) - 12).to_bytes(4, "big")

    found = read(bytes(spoilt(batch(5, b"<x/>"), spoil)), lambda _: None, 5)
    assert found is None or found.after(6) == 6
