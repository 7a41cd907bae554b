"""TLS, SASL and mutual TLS against real Kafka: who may in comes in, all others stay out."""

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from hwcensus.kafka import KafkaSettings, producer_arguments
from tests.fixtures.certificates import Authority
from tests.fixtures.kafka import Kafka, kafka_can_run

# aiokafka closes a refused TLS connection without awaiting the end of TLS's good-bye; a test's loop ends before it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
LOGIN = 'org.apache.kafka.common.security.{kind} required username="admin" password="secret" user_admin="secret";'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def tls(authority: Authority) -> dict[str, str]:
    certificate, key = authority.issue("kafka")
    both = authority.ca.with_name("kafka-both.pem")
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.ca),
    }


def options(protocol: str, settings: dict[str, str]) -> list[str]:
    settings = settings | {"listener.security.protocol.map": f"CLIENT:{protocol},CONTROLLER:PLAINTEXT"}
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def sasl_kafka(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Kafka with TLS and a password, by each mechanism that we offer."""
    kafka_can_run()
    settings = tls(authority) | {
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.client.plain.sasl.jaas.config": LOGIN.format(kind="plain.PlainLoginModule"),
        "listener.name.client.scram-sha-256.sasl.jaas.config": LOGIN.format(kind="scram.ScramLoginModule"),
        "listener.name.client.scram-sha-512.sasl.jaas.config": LOGIN.format(kind="scram.ScramLoginModule"),
    }
    users = [f"--format=--add-scram {name}=[name=admin,password=secret]" for name in MECHANISMS if name != "PLAIN"]
    broker = Kafka(tmp_path_factory.mktemp("sasl-kafka"), [*options("SASL_SSL", settings), *users])
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def mtls_kafka(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Kafka that asks clients for a certificate."""
    kafka_can_run()
    settings = tls(authority) | {"ssl.client.auth": "required"}
    broker = Kafka(tmp_path_factory.mktemp("mtls-kafka"), options("SSL", settings))
    broker.start()
    yield broker
    broker.stop()


def comes_in(settings: KafkaSettings) -> bool:
    """Whether Kafka lets such a client in."""

    async def come_in() -> None:
        producer = AIOKafkaProducer(**producer_arguments(settings, "agent"))
        try:
            await producer.start()
        finally:
            await producer.stop()

    came = True
    try:
        asyncio.run(come_in())
    except KafkaConnectionError:
        came = False
    gc.collect()  # what the loop leaves unclosed is told here, not in another test
    return came


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_right_password_comes_in_and_a_wrong_one_does_not(
    sasl_kafka: Kafka, authority: Authority, tmp_path: Path, mechanism: str
) -> None:
    (tmp_path / "password").write_text("secret\n")
    settings = KafkaSettings(
        bootstrap_servers=(sasl_kafka.bootstrap,),
        security_protocol="SASL_SSL",
        ca_file=authority.ca,
        sasl_mechanism=mechanism,
        sasl_username="admin",
        sasl_password_file=tmp_path / "password",
    )
    assert comes_in(settings)

    (tmp_path / "password").write_text("wrong\n")
    assert not comes_in(settings)


def test_a_certificate_of_the_authority_comes_in_and_none_does_not(mtls_kafka: Kafka, authority: Authority) -> None:
    certificate, key = authority.issue("agent")
    settings = KafkaSettings(
        bootstrap_servers=(mtls_kafka.bootstrap,),
        security_protocol="SSL",
        ca_file=authority.ca,
        cert_file=certificate,
        key_file=key,
    )

    assert comes_in(settings)
    assert not comes_in(replace(settings, cert_file=None, key_file=None))


def test_a_server_of_another_authority_is_not_trusted(mtls_kafka: Kafka, tmp_path: Path) -> None:
    stranger = Authority(tmp_path)
    settings = KafkaSettings(bootstrap_servers=(mtls_kafka.bootstrap,), security_protocol="SSL", ca_file=stranger.ca)

    assert not comes_in(settings)
