"""Kill -9 of everything at any time: at the end the inventory equals the host, and history holds every event once."""

import asyncio
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from hwcensus.event import Add, Change, Event, Remove, read_event
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import Line, bridges, can_make_links, wait_until
from tests.fixtures.process import Process
from tests.fixtures.require import require

OPERATIONS = 500
#: Seconds between two: what a busy host does, not what a loop can.
PACE_S = 0.04
NAMES = [f"hwcx{number}" for number in range(12)]


def operate(rng: random.Random, there: dict[str, bool]) -> None:
    """One add, change or remove of a bridge in the kernel."""
    name = rng.choice(NAMES)
    if name not in there:
        words, there[name] = ["add", name, "up", "type", "bridge"], False
    elif rng.random() < 0.5:
        there[name] = not there[name]
        words = ["set", name, "type", "bridge", "stp_state", str(int(there[name]))]
    else:
        del there[name]
        words = ["delete", name]
    subprocess.run(["ip", "link", *words], check=True, capture_output=True)


async def told(bootstrap: str, topics: Topics) -> list[Event]:
    """Every event in the topic, read by another reader than ours, each (stream, seq) once and in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="none")
    await consumer.start()
    try:
        places = [TopicPartition(topics.events, number) for number in range(4)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        events: dict[tuple[str, int], Event] = {}
        for place in places:
            consumer.seek(place, 0)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    event = read_event(record.value)
                    events.setdefault((event.stream, getattr(event, "seq", -record.offset - 1)), event)
        return list(events.values())
    finally:
        await consumer.stop()


def expected_versions(events: list[Event]) -> list[tuple[str, str, int]]:
    """(kind, stream, seq) of every version that the events of the stream make."""
    versions = []
    for event in events:
        if isinstance(event, Add):
            versions.append(("add", event.stream, event.seq))
        elif isinstance(event, Remove):
            versions.append(("remove", event.stream, event.seq))
        elif isinstance(event, Change) and event.kind != "state":
            versions.append(("change" if event.kind == "facts" else event.kind, event.stream, event.seq))
    return versions


@pytest.mark.timeout(400)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_whatever_is_killed_the_inventory_equals_the_host_and_history_is_whole(
    database: str, tmp_path: Path, own_kafka: Kafka, request: pytest.FixtureRequest
) -> None:
    require(can_make_links(), "making network links needs root")
    rng = random.Random(20261123)
    topics = own_kafka.create_topics()
    line = Line(tmp_path / "line", own_kafka.bootstrap, topics, request.getfixturevalue(f"{database}_url"))
    line.agent["HWCENSUS_CENSUS_DAMP_CHANGES"] = str(OPERATIONS)  # every event is wanted, none that stands for many
    programs: dict[str, Process] = {"collector": line.start_collector(), "agent": line.start_agent()}
    there: dict[str, bool] = {}
    again: dict[str, Callable[[], Process]] = {
        "collector": lambda: line.program("collector", "run"), "agent": lambda: line.program("agent", "run")
    }  # fmt: skip
    kills = Counter[str]()
    with bridges(*NAMES):
        try:
            for number in range(OPERATIONS):
                operate(rng, there)
                time.sleep(PACE_S)
                if number % 25 == 24:
                    victim = rng.choice(["agent", "agent", "collector", "collector", "kafka"])
                    kills[victim] += 1
                    if victim == "kafka":
                        own_kafka.kill()
                        own_kafka.start()
                    else:
                        programs[victim].kill()
                        programs[victim] = again[victim]()
            wait_until(line.agrees, "the census is true", *programs.values(), seconds=120)
            programs["agent"].stop()
            wait_until(line.is_settled, "nothing is on its way", programs["collector"], seconds=60)
        finally:
            for program in programs.values():
                program.stop()
    assert len(kills) == 3, kills
    events = asyncio.run(told(own_kafka.bootstrap, topics))
    assert line.versions_in_sql() == expected_versions(events)
