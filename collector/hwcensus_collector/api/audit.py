"""/v1/audit: who had what done. It is only read here: what does something writes it."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hwcensus_collector.api.answer import List, answer_list
from hwcensus_collector.api.context import Context, PageWindow
from hwcensus_collector.api.parameters import Since, Until
from hwcensus_collector.inventory.audit import AuditFilter, Deed, list_deeds

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.get("", response_model=List[Deed])
def audit(
    *,
    context: Context,
    window: PageWindow,
    since: Since,
    until: Until,
    actor: Annotated[str | None, Query(description="local:NAME, relay, or id or name of a host")] = None,
    action: Annotated[str | None, Query(description="host.retire, …, or all that begin so: command.")] = None,
    subject: Annotated[str | None, Query(description="id or name of what was changed")] = None,
) -> Response:
    """The last written first."""
    wanted = AuditFilter(actor=actor, action=action, subject=subject)
    with context.reading() as connection:
        return answer_list(list_deeds(connection, wanted, window, since=since, until=until))
