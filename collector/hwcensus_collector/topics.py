"""`topics apply`: makes the two topics where they are missing, and says what differs from how they must be.

What they must be like is in `hwcensus.topics`. Existing topics are not changed: their settings may be somebody's will.
"""

import asyncio
import logging
from collections.abc import Iterator

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError

from hwcensus.errors import HwcensusError, Unreachable
from hwcensus.kafka import KafkaSettings, client_arguments
from hwcensus.topics import Topic, required

log = logging.getLogger(__name__)

#: How long Kafka may be away, and the wait between two attempts.
PATIENCE_SECONDS, RETRY_SECONDS = 60.0, 1.0
TOPIC_EXISTS = 36


class TopicsDiffer(HwcensusError):
    """topics are not as hwcensus needs them"""

    code = "topics-differ"


async def apply_topics(settings: KafkaSettings) -> list[str]:
    """Makes what is missing; the names of the topics that were made.

    Raises TopicsDiffer for existing ones that are not as they must be, Unreachable where Kafka stays away.
    """
    wanted = required(settings.events_topic, settings.commands_topic)
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    said, made = False, list[str]()
    while True:
        admin = AIOKafkaAdminClient(**client_arguments(settings, "hwcensus-topics"))
        try:
            await admin.start()
            made += await _make(admin, wanted)
            differences = [line for topic in wanted for line in await _differences(admin, topic)]
        except KafkaError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise Unreachable(f"Kafka does not answer ({error}); check kafka.bootstrap_servers") from error
            if not said:
                log.warning("Kafka does not answer yet", extra={"why": str(error), "patience": PATIENCE_SECONDS})
                said = True
            await asyncio.sleep(RETRY_SECONDS)
            continue
        finally:
            await admin.close()
        if differences:
            raise TopicsDiffer("; ".join(differences))
        return made


async def _make(admin: AIOKafkaAdminClient, wanted: tuple[Topic, ...]) -> list[str]:
    known = set(await admin.list_topics())
    missing = [topic for topic in wanted if topic.name not in known]
    if not missing:
        return []
    answer = await admin.create_topics(
        [
            # -1: as many replicas as the brokers' own default.
            NewTopic(topic.name, topic.partitions, -1, replica_assignments={}, topic_configs=dict(topic.config))
            for topic in missing
        ]
    )
    codes = {name: code for name, code, _ in answer.topic_errors}
    failed = [f"{name}: {text or code}" for name, code, text in answer.topic_errors if code not in (0, TOPIC_EXISTS)]
    if failed:
        raise TopicsDiffer(f"cannot be made: {'; '.join(failed)}")
    return [topic.name for topic in missing if codes[topic.name] == 0]


async def _differences(admin: AIOKafkaAdminClient, topic: Topic) -> Iterator[str]:
    (description,) = await admin.describe_topics([topic.name])
    partitions = len(description["partitions"])
    if partitions == 0:
        raise KafkaConnectionError(f"{topic.name} is not known to all brokers yet")
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
    actual = {entry[0]: entry[1] for resource in answer.resources for entry in resource[4]}
    lines = [
        f"{topic.name}: {name} is {actual.get(name)}, must be {value}"
        for name, value in topic.config.items()
        if actual.get(name) != value
    ]
    if partitions < topic.partitions:
        lines.append(f"{topic.name}: {partitions} partitions, must be {topic.partitions} at least")
    return iter(lines)
