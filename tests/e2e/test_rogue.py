"""A rogue who may write to Kafka: what he sends is refused by the agent, told with its code, and audited."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import NullPool, Row, Select, create_engine, select

from hwcensus import document
from hwcensus.command import IssuedCommand
from hwcensus.event import Result
from hwcensus.instant import now
from hwcensus.kafka import KafkaSettings, producer_arguments
from hwcensus.signature import Signer
from hwcensus.topics import partition_of
from hwcensus_collector import tables
from tests.e2e.test_chaos import told
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import Line, wait_until

BRIDGE = b'<device><capability type="net"><interface>br0</interface><capability type="bridge"/></capability></device>'


class Rogue:
    """Writes to the commands topic of a line whose agent runs; he has read all that the collector ever sent."""

    def __init__(self, line: Line, kafka: Kafka, topics: Topics) -> None:
        self._line, self._kafka, self._topics = line, kafka, topics
        self.genuine = Signer.load_or_make(line.folder / "signing-key")
        (host,) = self._sql(select(tables.host))
        self.template = IssuedCommand(
            id="0", host=line.host, stream=host.stream, type="create", issued=now(),
            expires=now() + timedelta(hours=1), by="rogue", device=document.parse(BRIDGE),
        )  # fmt: skip

    def send(self, command: IssuedCommand, signer: Signer | None, *, spoil: bool = False) -> None:
        """Signed by whom he likes: a command that the collector signed once is signed by its key."""
        value = command.to_bytes()
        headers = [("host", self._line.host.encode()), *(signer.headers(value) if signer else ())]
        asyncio.run(self._write(value.replace(b"br0", b"br1") if spoil else value, headers))

    async def _write(self, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        settings = KafkaSettings(bootstrap_servers=(self._kafka.bootstrap,))
        async with AIOKafkaProducer(**producer_arguments(settings, "rogue")) as producer:
            partition = partition_of(self._line.host, 4)
            await producer.send_and_wait(self._topics.commands, value, partition=partition, headers=headers)

    def told(self) -> Mapping[str, list[tuple[str, str | None]]]:
        """By command, the results that the agent told, from the bytes in Kafka."""
        found: dict[str, list[tuple[str, str | None]]] = {}
        for event in asyncio.run(told(self._kafka.bootstrap, self._topics)):
            if isinstance(event, Result):
                found.setdefault(event.command, []).append((event.state, event.code))
        return found

    def audited(self, action: str = "command.refused") -> set[tuple[str, str | None]]:
        """Ids and codes of what the inventory has on its record as refused, or otherwise not its own."""
        rows = self._sql(select(tables.audit).where(tables.audit.c.action == action))
        return {(row.subject, row.detail.get("code")) for row in rows}

    def _sql(self, query: Select[Any]) -> Sequence[Row[Any]]:
        engine = create_engine(self._line.collector["HWCENSUS_DATABASE_URL"], poolclass=NullPool)
        with engine.connect() as connection:
            return connection.execute(query).all()


@pytest.fixture
def rogue(tmp_path: Path, kafka: Kafka, kafka_topics: Callable[..., Topics], sqlite_url: str) -> Iterator[Rogue]:
    topics = kafka_topics()
    line = Line(tmp_path / "line", kafka.bootstrap, topics, sqlite_url)
    with line.start_collector() as collector, line.start_agent() as agent:
        wait_until(line.agrees, "the census is there", collector, agent)
        yield Rogue(line, kafka, topics)


def test_what_a_rogue_sends_is_refused_told_with_its_code_and_audited(rogue: Rogue, tmp_path: Path) -> None:
    other, command = Signer.load_or_make(tmp_path / "his-own"), rogue.template
    rogue.send(replace(command, id="unsigned"), None)
    rogue.send(replace(command, id="changed"), rogue.genuine, spoil=True)
    rogue.send(replace(command, id="his-own-key"), other)
    rogue.send(replace(command, id="elsewhere", host="another"), rogue.genuine)
    rogue.send(replace(command, id="late", expires=now() - timedelta(seconds=1)), rogue.genuine)
    rogue.send(replace(command, id="former-life", stream="1f"), rogue.genuine)
    rogue.send(replace(command, id="again"), rogue.genuine)
    wait_until(lambda: len(rogue.told().get("again", ())) == 2, "its end is told")
    rogue.send(replace(command, id="again"), rogue.genuine)
    wait_until(lambda: ("again", "replayed") in rogue.audited(), "the replay is on record")

    assert rogue.told() == {
        "unsigned": [("failed", "bad-signature")],
        "changed": [("failed", "bad-signature")],
        "his-own-key": [("failed", "unknown-key")],
        "elsewhere": [("failed", "wrong-host")],
        "late": [("expired", "expired")],
        "former-life": [("failed", "wrong-stream")],
        "again": [("accepted", None), ("failed", "not-allowed"), ("failed", "replayed")],
    }
    assert rogue.audited() == {
        ("unsigned", "bad-signature"),
        ("changed", "bad-signature"),
        ("his-own-key", "unknown-key"),
        ("elsewhere", "wrong-host"),
        ("again", "replayed"),
    }
    assert rogue.audited("command.unknown") == {("again", None)}, "with our key's signature it was taken up"
