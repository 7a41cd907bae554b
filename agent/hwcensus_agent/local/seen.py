"""One look at the host for a verb, through the source that leads it."""

import asyncio

from hwcensus.errors import Refused
from hwcensus_agent.enumerate import Described, Enumerator
from hwcensus_agent.hal.devices import HalDevices
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources.lead import find_lead
from hwcensus_agent.sources.source import LeadingSource


class SourceUnavailable(Refused):
    """this source cannot lead here"""

    code = "source-unavailable"


def devices(census: CensusSettings) -> tuple[Described, ...]:
    """All devices, parents before their children. Raises SourceUnavailable, NoSysfs, OSError."""
    hal = HalDevices()
    asyncio.run(_ask(census, hal))
    return Enumerator(census.sysroot, census.include, hal, census.read_limit_s).everything().devices


async def _ask(census: CensusSettings, hal: HalDevices) -> None:
    """Fills what hald says, where it leads."""
    lead = await find_lead(census, hal)
    try:
        require_lead(census, lead)
    finally:
        lead.close()


def require_lead(census: CensusSettings, lead: LeadingSource) -> None:
    """Raises SourceUnavailable where the source that the settings name does not work."""
    if census.source == lead.name == "hal" and not lead.works:
        raise SourceUnavailable(f"no hald is reachable ({lead.why_not}); `--source auto` takes what there is")
