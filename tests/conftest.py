"""Fixtures for all tests. Each is in a module of `tests/fixtures` by what it brings; this file only lists them."""

from hypothesis import HealthCheck, settings

from tests.fixtures.kafka import embedded, kafka, kafka_topics, own_kafka
from tests.fixtures.sql import database_url, postgresql, postgresql_url, sqlite_url

__all__ = [
    "database_url",
    "embedded",
    "kafka",
    "kafka_topics",
    "own_kafka",
    "postgresql",
    "postgresql_url",
    "sqlite_url",
]

# How long an example takes says how busy the machine is.
settings.register_profile("hwcensus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hwcensus")
