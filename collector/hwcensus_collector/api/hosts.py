"""/v1/hosts: the list of hosts, and one of them."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hwcensus_collector.api.answer import List, answer, answer_list
from hwcensus_collector.api.context import Context, PageWindow
from hwcensus_collector.inventory.hosts import Host, find_host, list_hosts

router = APIRouter(prefix="/v1/hosts", tags=["hosts"])


@router.get("", response_model=List[Host])
def hosts(
    *,
    context: Context,
    window: PageWindow,
    status: Annotated[str | None, Query(description="online, stale or offline")] = None,
    retired: Annotated[bool, Query(description="those that were retired too")] = False,
) -> Response:
    """All hosts, by name."""
    with context.reading() as connection:
        return answer_list(list_hosts(connection, window, status=status, retired=retired, patience=context.patience))


@router.get("/{host}", response_model=Host)
def host(*, context: Context, host: str) -> Response:
    """One host by id or name; a name that two hosts bear answers 409 with their ids."""
    with context.reading() as connection:
        return answer(find_host(connection, host, patience=context.patience))
