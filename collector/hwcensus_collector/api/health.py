"""/v1/health and /metrics: how the centre does."""

from collections.abc import Iterator

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from pydantic import BaseModel
from starlette.responses import Response

from hwcensus_collector.api.answer import answer
from hwcensus_collector.api.context import ApiContext, Context
from hwcensus_collector.inventory.summary import Summary, summary_of

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """`lag` counts records that wait in Kafka by partition; null where this process does not read them."""

    status: str
    database: str
    feed: int
    hosts: dict[str, int]
    conflicts: int
    incomplete: int
    devices: int
    dead_letters: int
    lag: dict[str, int] | None


@router.get("/v1/health", response_model=Health)
def health(context: Context) -> Response:
    """Answers 200 while the database does, 503 otherwise."""
    with context.reading() as connection:
        summary = summary_of(connection, context.patience)
    lag = context.lag()
    return answer(
        Health(
            status="ok",
            database=context.engine.dialect.name,
            feed=summary.feed,
            hosts=summary.hosts,
            conflicts=summary.conflicts,
            incomplete=summary.incomplete,
            devices=summary.devices,
            dead_letters=sum(summary.dead_letters.values()),
            lag=None if lag is None else {str(partition): count for partition, count in sorted(lag.items())},
        )
    )


@router.get("/metrics", response_class=Response)
def metrics(context: Context) -> Response:
    """The same numbers as Prometheus reads them."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Inventory(context))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Inventory(Collector):
    """Reads the numbers from SQL when they are asked for, so that they are right with any number of processes."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context

    def describe(self) -> list[Metric]:
        """Nothing: what is registered needs no reading before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._context.reading() as connection:
            summary = summary_of(connection, self._context.patience)
        yield from _plain(summary)
        yield _by("hwcensus_hosts", "Hosts by status.", "status", summary.hosts)
        yield _by("hwcensus_dead_letters", "Records that could not be processed.", "code", summary.dead_letters)
        yield _by("hwcensus_commands", "Commands by state.", "state", summary.commands)
        folded = GaugeMetricFamily(
            "hwcensus_ingest_next_offset", "Offset that ingest reads next.", labels=["topic", "partition"]
        )
        for (topic, partition), offset in sorted(summary.folded.items()):
            folded.add_metric([topic, str(partition)], offset)
        yield folded


def _plain(summary: Summary) -> Iterator[Metric]:
    yield GaugeMetricFamily("hwcensus_devices", "Devices that are there.", value=summary.devices)
    yield GaugeMetricFamily("hwcensus_feed_position", "Position of the newest version.", value=summary.feed)
    yield GaugeMetricFamily("hwcensus_hosts_in_conflict", "Hosts that two agents claim to be.", value=summary.conflicts)
    yield GaugeMetricFamily("hwcensus_hosts_incomplete", "Hosts with refused documents.", value=summary.incomplete)
    yield GaugeMetricFamily("hwcensus_resyncs_wanted", "Hosts whose record is to heal.", value=summary.resyncs_wanted)


def _by(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
