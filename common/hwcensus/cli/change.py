"""The columns in which history, changes and watch show versions."""

from hwcensus.cli.column import Column
from hwcensus.client import Version

WHEN = Column[Version](title="when", value=lambda version: version.valid_from, whole=True)
HOST = Column[Version](title="host", value=lambda version: version.host_name, whole=True)
NAME = Column[Version](title="name", value=lambda version: version.name, whole=True)
KIND = Column[Version](title="kind", value=lambda version: version.kind, whole=True)
CHANGED = Column[Version](title="changed", value=lambda version: version.changed)
CAUSE = Column[Version](title="cause", value=lambda version: version.cause)
UNTIL = Column[Version](title="until", value=lambda version: version.valid_to, whole=True)
NUMBER = Column[Version](title="version", value=lambda version: version.feed, whole=True)
IDENTITY = Column[Version](title="identity", value=lambda version: version.identity, detail=True)
