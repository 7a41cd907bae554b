"""Query parameters that several paths take, read into values of the inventory."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query

from hwcensus.instant import now
from hwcensus_collector.inventory.filters import DeviceFilter, read_bus, read_capability, read_presence
from hwcensus_collector.inventory.moment import read_moment
from hwcensus_collector.inventory.version import read_kinds


async def _moment(
    at: Annotated[str | None, Query(description="a past instant: 2026-03-01, 2026-03-01T14:00:00Z or 7d (ago)")] = None,
) -> datetime | None:
    return None if at is None else read_moment(at, now())


async def _since(
    since: Annotated[str | None, Query(description="from when on: 2026-03-01T14:00:00Z or 7d (ago)")] = None,
) -> datetime | None:
    return None if since is None else read_moment(since, now())


async def _until(
    until: Annotated[str | None, Query(description="only before: 2026-03-01T14:00:00Z or 7d (ago)")] = None,
) -> datetime | None:
    return None if until is None else read_moment(until, now())


async def _capability(
    cap: Annotated[str | None, Query(description="capability, nested ones and aliases too")] = None,
) -> str | None:
    return None if cap is None else read_capability(cap)


async def _kinds(
    kinds: Annotated[str | None, Query(description="kinds of change, by commas; all for every kind")] = None,
) -> tuple[str, ...]:
    return read_kinds(kinds)


async def _device_filter(
    cap: Annotated[str | None, Depends(_capability)],
    bus: Annotated[str | None, Query(description="bus it sits on")] = None,
    name: Annotated[str | None, Query(description="its name")] = None,
    key: Annotated[str | None, Query(description="its key: sysfs path or HAL udi")] = None,
    present: Annotated[str, Query(description="yes (now there), no (gone) or all")] = "yes",
) -> DeviceFilter:
    bus = None if bus is None else read_bus(bus)
    return DeviceFilter(cap=cap, bus=bus, name=name, key=key, present=read_presence(present))


Moment = Annotated[datetime | None, Depends(_moment)]
Since = Annotated[datetime | None, Depends(_since)]
Until = Annotated[datetime | None, Depends(_until)]
Capability = Annotated[str | None, Depends(_capability)]
Kinds = Annotated[tuple[str, ...], Depends(_kinds)]
Filter = Annotated[DeviceFilter, Depends(_device_filter)]
