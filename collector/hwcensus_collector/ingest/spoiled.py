"""Records of batches that Kafka's client cannot decode: the good ones as they are, the others as dead letters to be.

The client gives up a whole fetch for one header name that is not UTF-8, and does not say which. The layout is Kafka's
own (its documentation, "Message Format", record batch of magic 2); what even that does not tell is kept as one record.
What the client refuses and this can read, such as a record with attributes, which mean nothing yet, is good; what it
takes for a record far behind its batch, because the record says so, is not.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.errors import KafkaError, LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from hwcensus.kafka import KafkaSettings, client_arguments

#: Bytes asked for at once. The first batch comes whole, however large it is.
FETCH_BYTES = 1024 * 1024
#: What is there is there: a quiet partition holds up none that is behind it.
FETCH_WAIT_MS = 0
#: Base offset and length, which all formats of a batch have in common.
_PREFIX = struct.Struct(">qi")
#: Where a batch of magic 2 has its magic, attributes, greatest timestamp and count, and where its records begin.
_MAGIC, _ATTRIBUTES, _MAX_TIMESTAMP, _COUNT, _RECORDS = 16, 21, 35, 57, 61
_NEWEST = 2
#: Attributes of a batch: how it is compressed.
_CODEC_MASK = 0x07
#: Key, value and headers of a record.
Parts = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
#: Of each partition where there are any.
Found = dict[TopicPartition, list[ConsumerRecord]]
_DECODERS: dict[int, Callable[[bytes], bytes]] = {
    0: bytes, 1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode,
}  # fmt: skip


@dataclass
class Spoiled(ConsumerRecord):  # type: ignore[misc,unused-ignore] # aiokafka is untyped to mypy
    """A record, or all of a batch, that the client cannot decode: what could be had of it, and what is wrong."""

    why: str = ""


async def salvage(settings: KafkaSettings, places: Mapping[TopicPartition, int]) -> Found:
    """What there is from an offset of each partition on, where anything is. Raises KafkaError."""
    client = AIOKafkaClient(**client_arguments(settings, "hwcensus-ingest-raw"))
    found: Found = {}
    try:
        await client.bootstrap()
        await client.set_topics({tp.topic for tp in places})
        for tp, offset in places.items():
            with suppress(KafkaError):  # of one partition: the consumer hears of it, too
                found[tp] = records_of(tp, *await _fetch(client, tp, offset), offset)
    finally:
        await client.close()
    return {tp: records for tp, records in found.items() if records}


async def _fetch(client: AIOKafkaClient, tp: TopicPartition, offset: int) -> tuple[bytes, int]:
    """Batches as Kafka has them, and where the partition ends."""
    leader = client.cluster.leader_for_partition(tp)
    if leader is None or leader == -1:
        raise LeaderNotAvailableError(str(tp))
    topics = [(tp.topic, [(tp.partition, offset, FETCH_BYTES)])]
    answer = await client.send(leader, FetchRequest(FETCH_WAIT_MS, 1, FETCH_BYTES, 0, topics))
    ((_, ((_, code, highwater, *_, batches),)),) = answer.topics
    if code:
        raise for_code(code)(str(tp))
    return bytes(batches or b""), highwater


def records_of(tp: TopicPartition, data: bytes, highwater: int, offset: int) -> list[ConsumerRecord]:
    """The records of whole batches from an offset on, each once and in order; never raises for what is in them.

    Of each batch that the client cannot decode there is one at least, so that reading goes on behind it.
    """
    batches = list(_batches(data))
    ends = [*map(_base, batches), highwater][1:]
    return [record for batch, end in zip(batches, ends, strict=True) for record in _read(tp, batch, end, offset)]


def _batches(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _PREFIX.size <= len(data):
        _, length = _PREFIX.unpack_from(data, at)
        end = at + _PREFIX.size + length
        if length < 0 or end > len(data):
            return  # the last one is often cut
        yield data[at:end]
        at = end


def _base(batch: bytes) -> int:
    base: int = _PREFIX.unpack_from(batch)[0]
    return base


def _read(tp: TopicPartition, batch: bytes, end: int, offset: int) -> list[ConsumerRecord]:
    try:
        decoded = MemoryRecords(batch).next_batch()
        if decoded.is_control_batch:
            return []
        if not decoded.validate_crc():
            return [_whole(tp, batch, end, offset, "its checksum is wrong")]
        records = [
            _record(tp, one.offset, (one.timestamp, one.timestamp_type), (one.key, one.value, tuple(one.headers)))
            for one in decoded
        ]
        offsets = [record.offset for record in records]
        if offsets != sorted(set(offsets)) or any(one >= min(end, decoded.next_offset) for one in offsets):
            raise ValueError("records that are not where they say")
        return [record for record in records if record.offset >= offset]
    # The boundary of one batch: the client's C and the decompressors raise whatever they like.
    except Exception as error:  # noqa: BLE001
        whole = _whole(tp, batch, end, offset, f"{type(error).__name__}: {error}")
    try:
        return [record for record in _one_by_one(tp, batch) if record.offset >= offset] or [whole]
    except Exception:  # noqa: BLE001
        return [whole]


def _whole(tp: TopicPartition, batch: bytes, end: int, offset: int, why: str) -> Spoiled:
    """A batch of which no record can be told from another, at its last offset: reading goes on behind it."""
    count, timestamp = 1, 0
    if len(batch) >= _RECORDS and batch[_MAGIC] == _NEWEST:
        # By it brokers give offsets. Of the last offset delta the embedded one believes everything.
        (count,) = struct.unpack_from(">i", batch, _COUNT)
        (timestamp,) = struct.unpack_from(">q", batch, _MAX_TIMESTAMP)
    last = max(offset, min(_base(batch) + count, end) - 1)
    return _spoiled(
        _record(tp, last, (timestamp, 0), (None, batch, ())), f"a batch of records that cannot be read: {why}"
    )


def _one_by_one(tp: TopicPartition, batch: bytes) -> Iterator[ConsumerRecord]:
    """Raises whatever it likes where the batch cannot be taken apart into records."""
    base = _base(batch)
    attributes, _, first, latest = struct.unpack_from(">hiqq", batch, _ATTRIBUTES)
    (count,) = struct.unpack_from(">i", batch, _COUNT)
    data, at = _DECODERS[attributes & _CODEC_MASK](batch[_RECORDS:]), 0
    appended = attributes >> 3 & 1
    for index in range(count):
        length, begin = _varint(data, at)
        at = begin + length
        if length < 0 or at > len(data):
            raise ValueError(f"record {index} of {count} is cut")
        yield _one(tp, data[begin:at], index, (base, first, latest, appended))


def _one(tp: TopicPartition, data: bytes, index: int, batch: tuple[int, int, int, int]) -> ConsumerRecord:
    base, first, latest, appended = batch
    try:
        since, at = _varint(data, 1)  # behind the attributes
        delta, at = _varint(data, at)
        key, at = _bytes(data, at)
        value, at = _bytes(data, at)
        names, headers = _headers(data, at)
        record = _record(tp, base + delta, (latest if appended else first + since, appended), (key, value, headers))
        if delta != index:
            # Kafka gives the records of a batch their offsets in order; compaction, which makes gaps, is not ours.
            raise ValueError(f"record {index} of its batch says that it is {delta}")
    except (ValueError, IndexError) as error:
        return _spoiled(_record(tp, base + index, (latest, appended), (None, data, ())), f"not a record: {error}")
    wrong = next((name for name in names if not _is_utf8(name)), None)
    return record if wrong is None else _spoiled(record, f"a header's name is not UTF-8: {wrong!r}")


def _headers(data: bytes, at: int) -> tuple[list[bytes], tuple[tuple[str, bytes | None], ...]]:
    """Names as they are, and the headers with names that are text at any rate."""
    count, at = _varint(data, at)
    names: list[bytes] = []
    values: list[bytes | None] = []
    for _ in range(count):
        name, at = _bytes(data, at)
        value, at = _bytes(data, at)
        names.append(name or b"")
        values.append(value)
    texts = (name.decode("utf-8", "backslashreplace") for name in names)
    return names, tuple(zip(texts, values, strict=True))


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    if length < 0:
        return None, at
    if at + length > len(data):
        raise ValueError("a length beyond the record's end")
    return bytes(data[at : at + length]), at + length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number of Protocol Buffers, and where the next begins. The client's own reads beyond the end."""
    number = shift = 0
    while shift < 70:  # ten bytes hold 64 bits
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number >> 1 ^ -(number & 1), at
        shift += 7
    raise ValueError("a number of more than 64 bits")


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _record(tp: TopicPartition, offset: int, stamp: tuple[int, int], parts: Parts) -> ConsumerRecord:
    key, value, headers = parts
    sizes = (-1 if key is None else len(key), -1 if value is None else len(value))
    return ConsumerRecord(tp.topic, tp.partition, offset, *stamp, key, value, None, *sizes, headers)


def _spoiled(record: ConsumerRecord, why: str) -> Spoiled:
    return Spoiled(**vars(record), why=why)
