"""/v1/devices and /v1/hosts/{host}/devices: what is there, and what was."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from sqlalchemy import Connection
from starlette.responses import Response

from hwcensus.instant import write_instant
from hwcensus_collector.api.answer import List, answer, answer_list, answer_xml, projected, read_fields, wants_xml
from hwcensus_collector.api.context import Context, PageWindow
from hwcensus_collector.api.parameters import Filter, Moment
from hwcensus_collector.inventory.cursor import MAX_LIMIT, Page, Window
from hwcensus_collector.inventory.device import LEFT_OUT_OF_THE_PAST, Device
from hwcensus_collector.inventory.devices import count_devices, list_devices
from hwcensus_collector.inventory.filters import DeviceFilter
from hwcensus_collector.inventory.history import document_of, history_of
from hwcensus_collector.inventory.hosts import host_id
from hwcensus_collector.inventory.lookup import current_document, find_device, read_moving
from hwcensus_collector.inventory.past import devices_of_host_at, find_device_at, list_devices_at
from hwcensus_collector.inventory.refusal import BadParameter
from hwcensus_collector.inventory.tree import Branch, tree_of
from hwcensus_collector.inventory.version import Version

router = APIRouter(tags=["devices"])

_NOW = (
    *("host", "host_name", "identity", "name", "key", "parent", "bus", "driver", "vendor", "product"),
    *("capabilities", "facts", "state", "present", "version", "digest", "first_seen", "changed_at"),
)
#: Fields shown where none are asked for; of the past, what was not kept is named instead of shown as absent.
USUAL = _NOW
USUAL_PAST = (*(name for name in _NOW if name not in LEFT_OUT_OF_THE_PAST), "at", "left_out")
_TREE = ("name", "identity", "bus", "driver", "vendor", "product", "capabilities", "parent", "facts")

Fields = Annotated[str | None, Query(description="only these fields, by commas; xml is given only where named")]
Sort = Annotated[str | None, Query(description="host or name; -host or -name turns it round")]
View = Annotated[Literal["list", "tree"], Query(description="a tree has all devices of the host, below their parents")]
Include = Annotated[str | None, Query(description="what a document has beside the facts: key,state")]


class Count(BaseModel):
    """How many there are."""

    count: int


@router.get("/v1/devices", response_model=List[Device])
def devices(
    *,
    context: Context,
    window: PageWindow,
    wanted: Filter,
    at: Moment,
    host: Annotated[str | None, Query(description="id or name of a host")] = None,
    fields: Fields = None,
    sort: Sort = None,
) -> Response:
    """Devices of the whole fleet."""
    shown = read_fields(fields, Device, USUAL if at is None else USUAL_PAST)
    with context.reading() as connection:
        if host is not None:
            wanted = replace(wanted, host=host_id(connection, host))
        page = _page(connection, wanted, window, at, sort, xml="xml" in shown)
    return answer_list(page, lambda one: projected(one, shown))


@router.get("/v1/hosts/{host}/devices", response_model=List[Device])
def devices_of_host(
    *,
    context: Context,
    host: str,
    window: PageWindow,
    wanted: Filter,
    at: Moment,
    fields: Fields = None,
    sort: Sort = None,
    view: View = "list",
) -> Response:
    """Devices of one host, as a list or as a tree."""
    usual = _TREE if view == "tree" else USUAL if at is None else USUAL_PAST
    shown = read_fields(fields, Device, usual)
    with context.reading() as connection:
        wanted = replace(wanted, host=host_id(connection, host))
        if view == "tree":
            roots = tree_of(_all_devices(connection, wanted, at))
            return answer({"items": [_branch(root, shown) for root in roots], "next": None})
        page = _page(connection, wanted, window, at, sort, xml="xml" in shown)
    return answer_list(page, lambda one: projected(one, shown))


def _page(
    connection: Connection, wanted: DeviceFilter, window: Window, at: datetime | None, sort: str | None, *, xml: bool
) -> Page[Device]:
    if at is None:
        return list_devices(
            connection, wanted, window, sort=sort or ("host" if wanted.host is None else "name"), xml=xml
        )
    if sort is not None:
        raise BadParameter("with `at`, the order is always by host and name", code="bad-sort")
    return list_devices_at(connection, at, wanted, window, xml=xml)


def _all_devices(connection: Connection, wanted: DeviceFilter, at: datetime | None) -> list[Device]:
    if at is not None:
        return devices_of_host_at(connection, str(wanted.host), at, wanted)
    page = list_devices(connection, wanted, Window(limit=MAX_LIMIT))
    found = [*page.items]
    while page.next is not None:
        page = list_devices(connection, wanted, Window(limit=MAX_LIMIT, cursor=page.next))
        found += page.items
    return found


def _branch(branch: Branch, shown: tuple[str, ...]) -> dict[str, object]:
    return projected(branch.device, shown) | {"children": [_branch(child, shown) for child in branch.children]}


@router.get("/v1/hosts/{host}/devices/count", response_model=Count)
def count(*, context: Context, host: str, wanted: Filter) -> Response:
    """How many devices the host has, of a capability or on a bus if asked."""
    with context.reading() as connection:
        return answer({"count": count_devices(connection, replace(wanted, host=host_id(connection, host)))})


@router.get("/v1/hosts/{host}/devices/{device:path}/history", response_model=List[Version])
def history(*, context: Context, host: str, device: str, window: PageWindow) -> Response:
    """The versions of one device, the first one first."""
    with context.reading() as connection:
        return answer_list(history_of(connection, host_id(connection, host), device, window))


@router.get("/v1/hosts/{host}/devices/{device:path}", response_model=Device)
def device(
    *, context: Context, request: Request, host: str, device: str, at: Moment, include: Include = None
) -> Response:
    """One device by name or identity: JSON, or its document where `Accept` wants XML."""
    moving, xml = read_moving(include), wants_xml(request)
    if at is not None and include:
        raise BadParameter("key and state of the past are not kept; leave `include` out", code="not-recorded")
    with context.reading() as connection:
        id_ = host_id(connection, host)
        if at is None:
            found = find_device(connection, id_, device, xml=xml)
        else:
            found = find_device_at(connection, id_, device, at, xml=xml)
    if not xml:
        return answer(projected(found, USUAL if at is None else USUAL_PAST))
    if at is None:
        return answer_xml(current_document(found, moving))
    left_out = {"Hwcensus-At": write_instant(at), "Hwcensus-Left-Out": " ".join(found.left_out)}
    return answer_xml(str(found.xml).encode(), left_out)


@router.get("/v1/documents/{digest}", response_class=Response)
def stored_document(*, context: Context, digest: str) -> Response:
    """The document that a version's digest stands for, as XML: without key and state."""
    with context.reading() as connection:
        return answer_xml(document_of(connection, digest))
