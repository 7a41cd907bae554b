"""/v1/wwns and /v1/wwn-pools: the names of virtual ports that are not free, and where further ones come from."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hwcensus_collector.api.answer import List, answer_list
from hwcensus_collector.api.context import Context, PageWindow
from hwcensus_collector.inventory.wwns import PoolUse, Wwn, holder_id, list_pools, list_wwns

router = APIRouter(prefix="/v1", tags=["wwns"])


@router.get("/wwn-pools", response_model=List[PoolUse])
def wwn_pools(*, context: Context, window: PageWindow) -> Response:
    """By name."""
    quarantine = timedelta(seconds=context.settings.commands.wwn_quarantine)
    with context.reading() as connection:
        return answer_list(list_pools(connection, window, quarantine))


@router.get("/wwns", response_model=List[Wwn])
def wwns(
    *,
    context: Context,
    window: PageWindow,
    pool: Annotated[str | None, Query(description="only of this pool's range")] = None,
    host: Annotated[str | None, Query(description="id or name of a host, or the holder of an imported list")] = None,
    state: Annotated[str | None, Query(description="reserved, held, quarantined")] = None,
) -> Response:
    """Those that are not free, by WWPN."""
    quarantine = timedelta(seconds=context.settings.commands.wwn_quarantine)
    with context.reading() as connection:
        id_ = None if host is None else holder_id(connection, host)
        return answer_list(list_wwns(connection, window, quarantine, pool=pool, host=id_, state=state))
