"""Lists and counts of devices as they are now; the past is in `past.py`."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import ColumnElement, Connection, Select, func, select, tuple_

from hwcensus_collector.inventory.cursor import Page, Window, page_of, question_mark, read_cursor
from hwcensus_collector.inventory.device import Device, device_rows, to_devices
from hwcensus_collector.inventory.filters import DeviceFilter
from hwcensus_collector.inventory.refusal import BadParameter
from hwcensus_collector.tables import device

#: Sort order → columns, the last of which makes it unique. Each is read by index.
SORTS = {"host": ("host", "name", "identity"), "name": ("name", "host", "identity")}


def list_devices(
    connection: Connection, wanted: DeviceFilter, window: Window, *, sort: str = "host", xml: bool = False
) -> Page[Device]:
    """Devices that the filter lets through, by `sort`: host or name, `-` before it turns it round.

    Raises BadParameter for the sort order or the cursor.
    """
    names, down = _sort(sort)
    columns = [device.c[name] for name in names]
    mark = question_mark("devices", wanted, sort)
    after = read_cursor(window.cursor, mark, (str, str, str))
    query = wanted.narrow(device_rows(xml=xml)).limit(window.limit + 1)
    query = query.order_by(*(column.desc() if down else column for column in columns))
    if after is not None:
        query = query.where(_beyond(columns, after, down))
    found = to_devices(connection, connection.execute(query))
    return page_of(found, window.limit, mark, lambda one: tuple(cast(str, getattr(one, name)) for name in names))


def count_devices(connection: Connection, wanted: DeviceFilter) -> int:
    """How many devices the filter lets through: the seed's virNodeNumOfDevices, …ByCap and …ByBus."""
    query = wanted.narrow(cast("Select[tuple[object, ...]]", select(func.count()).select_from(device)))
    return cast(int, connection.execute(query).scalar_one())


def _sort(sort: str) -> tuple[tuple[str, ...], bool]:
    names = SORTS.get(sort.removeprefix("-"))
    if names is None:
        known = ", ".join((*SORTS, *(f"-{name}" for name in SORTS)))
        raise BadParameter(f"sort is one of {known}, not {sort!r}", code="bad-sort")
    return names, sort.startswith("-")


def _beyond(columns: Sequence[ColumnElement[str]], after: tuple[str | int, ...], down: bool) -> ColumnElement[bool]:
    row = tuple_(*columns)
    return row < tuple_(*after) if down else row > tuple_(*after)
