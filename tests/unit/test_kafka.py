"""Kafka settings: what contradicts itself is refused, and what aiokafka is told."""

import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from hwcensus.errors import ConfigError
from hwcensus.kafka import KafkaSettings, client_arguments, consumer_arguments, producer_arguments


def test_the_default_is_a_local_broker_without_secrets() -> None:
    arguments = client_arguments(KafkaSettings(), "agent")

    assert arguments["bootstrap_servers"] == ["localhost:9092"]
    assert arguments["client_id"] == "agent"
    assert arguments["ssl_context"] is None
    assert arguments["sasl_plain_password"] is None


def test_a_writer_is_idempotent_and_waits_for_all_replicas() -> None:
    arguments = producer_arguments(KafkaSettings(client_id="web17"), "agent")

    assert (arguments["enable_idempotence"], arguments["acks"]) == (True, "all")
    assert arguments["compression_type"] == "gzip"
    assert arguments["client_id"] == "web17"


def test_a_reader_never_commits_or_resets_by_itself() -> None:
    arguments = consumer_arguments(KafkaSettings(), "ingest", group="g")

    assert (arguments["enable_auto_commit"], arguments["auto_offset_reset"]) == (False, "none")
    assert arguments["group_id"] == "g"


def test_no_compression_is_said_to_aiokafka_in_its_way() -> None:
    assert producer_arguments(KafkaSettings(compression="none"), "a")["compression_type"] is None


@pytest.mark.parametrize("compression", ["zstd", "lz4", "snappy"])
def test_a_compression_whose_library_is_missing_is_refused(compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ConfigError, match="needs the package cramjam"):
        producer_arguments(KafkaSettings(compression=compression), "a")


def test_a_password_file_is_read_without_its_newline(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p a\n")
    settings = KafkaSettings(
        security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password_file=tmp_path / "password"
    )

    assert client_arguments(settings, "a")["sasl_plain_password"] == "p a"


def test_a_missing_password_file_is_named() -> None:
    settings = KafkaSettings(
        security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password_file=Path("/nowhere/password")
    )

    with pytest.raises(ConfigError, match="/nowhere/password"):
        client_arguments(settings, "a")


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = KafkaSettings(security_protocol="SSL", ca_file=tmp_path / "ca.pem")

    with pytest.raises(ConfigError, match=r"ca\.pem"):
        client_arguments(settings, "a")


def test_tls_checks_names_and_certificates() -> None:
    context = client_arguments(KafkaSettings(security_protocol="SSL"), "a")["ssl_context"]

    assert context is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


WRONG: list[tuple[Mapping[str, object], str]] = [
    ({"bootstrap_servers": ()}, "at least one broker"),
    ({"security_protocol": "SASL_SSL"}, "needs sasl_username"),
    ({"sasl_password": "p", "sasl_password_file": Path("f")}, "not both"),
    ({"security_protocol": "SSL", "cert_file": Path("f")}, "go together"),
    ({"ca_file": Path("f")}, "PLAINTEXT has no TLS"),
]


@pytest.mark.parametrize("given,message", WRONG)
def test_settings_that_contradict_each_other_are_refused(given: Mapping[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        KafkaSettings(**given)  # type: ignore[arg-type]


def test_reading_settings_does_not_import_aiokafka() -> None:
    code = "import sys, hwcensus.kafka, hwcensus.topics, hwcensus.broker\nsys.exit('aiokafka' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode
        == 0
    )
