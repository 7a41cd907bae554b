"""/v1/dead-letters: records that could not be processed."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hwcensus_collector.api.answer import List, answer_list
from hwcensus_collector.api.context import Context, PageWindow
from hwcensus_collector.inventory.dead_letters import DeadLetter, list_dead_letters

router = APIRouter(prefix="/v1/dead-letters", tags=["health"])


@router.get("", response_model=List[DeadLetter])
def dead_letters(
    *,
    context: Context,
    window: PageWindow,
    host: Annotated[str | None, Query(description="host id, as the record named it")] = None,
    code: Annotated[str | None, Query(description="why: not-xml, schema, …")] = None,
) -> Response:
    """The newest first."""
    with context.reading() as connection:
        return answer_list(list_dead_letters(connection, window, host=host, code=code))
