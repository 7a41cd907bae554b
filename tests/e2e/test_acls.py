"""The Kafka ACLs of docs/trust.md: with them, and no others, the line works; an agent's credential commands nobody."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka.admin import (  # type: ignore[attr-defined,unused-ignore]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from hwcensus.kafka import KafkaSettings, producer_arguments
from tests.fixtures.kafka import Kafka, Topics, kafka_can_run
from tests.fixtures.line import Line, wait_until
from tests.fixtures.process import ROOT

NAMES = ("admin", "operator", "collector", "agent")
BRIDGE = '<device><capability type="net"><interface>br0</interface><capability type="bridge"/></capability></device>'
#: As Kafka numbers them, and the client names them.
OPERATIONS = {"DescribeConfigs": AclOperation.DESCRIBE_CONFIGS}


@pytest.fixture
def guarded_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """Kafka that lets in by password, and then denies what no ACL allows."""
    kafka_can_run()
    users = " ".join(f'user_{name}="{name}-secret"' for name in NAMES)
    login = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
    settings = {
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.client.plain.sasl.jaas.config": login.replace(
            "required", 'required username="admin" password="admin-secret"'
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",  # the latter is Kafka's own controller, on its own listener
        "auto.create.topics.enable": "false",
    }
    kafka = Kafka(tmp_path / "kafka", [word for key, value in settings.items() for word in ("--set", f"{key}={value}")])
    kafka.start()
    yield kafka
    kafka.stop()


def bindings(line: Line) -> list[AclBinding]:
    """Those of the page, for the topics and the group of this line."""
    ours = {
        "hwcensus.events": line.agent["HWCENSUS_KAFKA_EVENTS_TOPIC"],
        "hwcensus.commands": line.agent["HWCENSUS_KAFKA_COMMANDS_TOPIC"],
        "hwcensus-ingest": line.agent["HWCENSUS_KAFKA_GROUP"],
    }
    found = []
    for text in re.findall(r"^acl (--.*)$", (ROOT / "docs/trust.md").read_text(), re.MULTILINE):
        (principal,), (kind, name) = (
            re.findall(r"--allow-principal (\S+)", text),
            *re.findall(r"--(topic|group) (\S+)", text),
        )
        for operation in re.findall(r"--operation (\S+)", text):
            found.append(
                AclBinding(
                    ResourceType[kind.upper()], ours[name], ResourcePatternType.LITERAL, principal, "*",
                    OPERATIONS.get(operation) or AclOperation[operation.upper()], AclPermissionType.ALLOW,
                )
            )  # fmt: skip
    return found


def allow(kafka: Kafka, acls: list[AclBinding]) -> None:
    admin = AdminClient({
        "bootstrap.servers": kafka.bootstrap, "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN", "sasl.username": "admin", "sasl.password": "admin-secret",
    })  # fmt: skip
    for done in admin.create_acls(acls).values():
        done.result(30)


def credential(folder: Path, name: str) -> dict[str, str]:
    (folder / name).write_text(f"{name}-secret\n")
    return {
        "HWCENSUS_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "HWCENSUS_KAFKA_SASL_MECHANISM": "PLAIN",
        "HWCENSUS_KAFKA_SASL_USERNAME": name,
        "HWCENSUS_KAFKA_SASL_PASSWORD_FILE": str(folder / name),
    }


async def test_the_acls_of_the_page_are_enough_and_an_agents_credential_commands_nobody(
    tmp_path: Path, guarded_kafka: Kafka, sqlite_url: str
) -> None:
    line = Line(tmp_path / "line", guarded_kafka.bootstrap, Topics("events", "commands"), sqlite_url)
    allow(guarded_kafka, bindings(line))

    line.collector |= credential(tmp_path, "operator")
    made = line.run("collector", "topics", "apply")
    assert (made.returncode, made.stdout) == (0, "made: events, commands\n"), made.stderr
    line.collector |= credential(tmp_path, "collector")
    line.agent |= credential(tmp_path, "agent")
    (tmp_path / "bridge.xml").write_text(BRIDGE)
    with line.start_collector() as collector, line.start_agent() as agent:
        wait_until(line.agrees, "the census is there", collector, agent)
        assert "not-allowed" in line.hwcensus("create", line.host, str(tmp_path / "bridge.xml"), "--wait").stderr

    settings = KafkaSettings(
        bootstrap_servers=(guarded_kafka.bootstrap,), security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN",
        sasl_username="agent", sasl_password_file=tmp_path / "agent",
    )  # fmt: skip
    async with AIOKafkaProducer(**producer_arguments(settings, "thief")) as producer:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait("commands", b"<command/>", partition=0)
