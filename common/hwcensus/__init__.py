"""hwcensus: the wire that agent and collector share, and on it the API client and the operator's commands.

This package knows what a device, an event and a command look like. It does not look at hardware
(that is `hwcensus_agent`) and stores nothing (that is `hwcensus_collector`).
"""

__version__ = "0.1.0"
