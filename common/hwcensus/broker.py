"""The embedded broker: Kafka's protocol out of librdkafka's mock cluster, in this process, in memory.

For trying out and for tests. It keeps nothing when it stops, drops the oldest records of a partition beyond about
5 MB, cannot rebalance a group, gives no append times and has no admin API. Topics appear when they are first used.
"""

import logging
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from hwcensus.errors import HwcensusError

#: How many partitions a topic gets on first use: librdkafka's own number, not configurable.
EMBEDDED_PARTITIONS = 4
START_SECONDS = 10.0


class BrokerUnavailable(HwcensusError):
    """the embedded broker does not start"""

    code = "broker-unavailable"


class EmbeddedBroker:
    """`with EmbeddedBroker(address_file) as broker: broker.address` is `127.0.0.1:<free port>` until the end.

    The address is also written to `address_file`, readable by this user only: whoever knows it may write.
    """

    def __init__(self, address_file: Path | None = None) -> None:
        self.address = ""
        self._address_file = address_file
        self._client: object = None

    def __enter__(self) -> Self:
        """Raises BrokerUnavailable where confluent-kafka is missing or its cluster does not come up."""
        try:
            from confluent_kafka import KafkaException
            from confluent_kafka.admin import AdminClient
        except ImportError as error:
            raise BrokerUnavailable("the embedded broker needs confluent-kafka: install hwcensus[embedded]") from error
        # The cluster lives as long as the client that made it. The bootstrap server is required, and replaced.
        # A logger keeps librdkafka from writing to stderr by itself.
        client = AdminClient(
            {"bootstrap.servers": "mock", "test.mock.num.brokers": 1},
            logger=logging.getLogger("librdkafka"),
        )
        try:
            brokers = client.list_topics(timeout=START_SECONDS).brokers
        except KafkaException as error:
            raise BrokerUnavailable(f"the embedded broker does not answer: {error}") from error
        (only,) = brokers.values()
        self._client, self.address = client, f"{only.host}:{only.port}"
        self._publish()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client = None
        if self._address_file is not None:
            self._address_file.unlink(missing_ok=True)

    def _publish(self) -> None:
        if self._address_file is None:
            return
        # Written beside and moved, so that a reader never sees half an address.
        fresh = self._address_file.with_name(self._address_file.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.address + "\n")
        fresh.replace(self._address_file)
