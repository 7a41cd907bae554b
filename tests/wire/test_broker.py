"""The embedded broker: it speaks Kafka, tells only its own user where it is, and goes when it should."""

import socket
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from hwcensus.broker import EMBEDDED_PARTITIONS, BrokerUnavailable, EmbeddedBroker
from hwcensus.kafka import KafkaSettings, consumer_arguments, producer_arguments


async def test_what_is_written_to_a_partition_is_read_from_it(embedded: EmbeddedBroker) -> None:
    settings = KafkaSettings(bootstrap_servers=(embedded.address,))
    partition = TopicPartition(settings.events_topic, 2)
    async with AIOKafkaProducer(**producer_arguments(settings, "agent")) as producer:
        sent = await producer.send_and_wait(
            settings.events_topic, b"<event/>", key=b"host", partition=2, headers=[("type", b"hello")]
        )
        assert len(await producer.partitions_for(settings.events_topic)) == EMBEDDED_PARTITIONS
    async with AIOKafkaConsumer(**consumer_arguments(settings, "ingest", group="g")) as consumer:
        consumer.assign([partition])
        consumer.seek(partition, 0)
        record = await consumer.getone()

    assert (sent.offset, record.offset) == (0, 0)
    assert (record.key, record.value, tuple(record.headers)) == (b"host", b"<event/>", (("type", b"hello"),))


def test_the_address_is_in_a_file_that_only_this_user_reads(tmp_path: Path) -> None:
    file = tmp_path / "broker"
    file.write_text("left over")
    file.chmod(0o644)
    with EmbeddedBroker(file) as broker:
        assert file.read_text() == broker.address + "\n"
        assert file.stat().st_mode & 0o777 == 0o600

    assert list(tmp_path.iterdir()) == []


def test_nothing_listens_any_more_when_it_is_over() -> None:
    with EmbeddedBroker() as broker:
        host, port = broker.address.split(":")
        socket.create_connection((host, int(port))).close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_it_says_nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with EmbeddedBroker():
        pass

    assert capfd.readouterr() == ("", "")


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)

    with pytest.raises(BrokerUnavailable, match=r"install hwcensus\[embedded\]"), EmbeddedBroker():
        pass
