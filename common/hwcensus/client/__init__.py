"""The API's client for Python: `with Client() as census: census.host("web17").list_devices()`.

The verbs are those of the 2008 proposal, made remote. Synchronous; every failure is a `hwcensus.errors.HwcensusError`
(NotFound, Refused, Unreachable, UsageError) with the code that the API gave, and the nearest names as the fact
`nearest`. What it returns are values: nothing needs to be freed, and nothing follows the inventory by itself.
"""

from hwcensus.client.batch import Batch
from hwcensus.client.client import DEFAULT_URL, Client
from hwcensus.client.command import Command, Step
from hwcensus.client.deed import Deed
from hwcensus.client.device import Branch, Device, Dump
from hwcensus.client.host import Host
from hwcensus.client.version import Version

__all__ = ["DEFAULT_URL", "Batch", "Branch", "Client", "Command", "Deed", "Device", "Dump", "Host", "Step", "Version"]
