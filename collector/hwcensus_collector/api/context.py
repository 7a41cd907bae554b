"""What every request works with: the database, how long a host may be silent, and what wakes those that wait."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from sqlalchemy import Connection, Engine

from hwcensus_collector.api.followers import Followers
from hwcensus_collector.api.pulse import FeedPulse
from hwcensus_collector.database import writing
from hwcensus_collector.inventory.cursor import DEFAULT_LIMIT, Window
from hwcensus_collector.inventory.refusal import BadParameter, did_you_mean, nearest_names
from hwcensus_collector.inventory.status import Patience
from hwcensus_collector.settings import CollectorSettings


@dataclass(frozen=True, kw_only=True)
class ApiContext:
    """Made once an app; each request takes a connection of its own for as long as it reads."""

    engine: Engine
    settings: CollectorSettings
    patience: Patience
    pulse: FeedPulse
    followers: Followers
    #: Records that wait in Kafka, by partition, where this process knows.
    lag: Callable[[], Mapping[int, int] | None] = lambda: None
    #: Told, in any thread, that a request has written.
    wrote: Callable[[], object] = lambda: None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that may read and then write, committed at the end."""
        with writing(self.engine) as connection:
            yield connection
        self.wrote()


# Dependencies are coroutines so that they run in the loop: a plain function would cost a change of thread each.


async def _context(request: Request) -> ApiContext:
    return cast(ApiContext, request.app.state.context)


async def _window(
    limit: Annotated[int, Query(description="rows of one page, 1 to 1000")] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> Window:
    return Window(limit=limit, cursor=cursor)


async def _actor(request: Request) -> str:
    """Who orders: nobody is known without tokens, so the name given is marked as a claim."""
    claimed = request.headers.get("x-hwcensus-actor", "")
    known = claimed.isascii() and claimed.isprintable() and 0 < len(claimed) <= 64
    return f"local:{claimed}" if known else "local"


async def only_known_parameters(request: Request) -> None:
    """Refuses a parameter that the path does not take: a mistyped filter must not widen the answer.

    And NUL characters anywhere: no name has one, and PostgreSQL takes none.
    """
    if any("\0" in text for text in (request.url.path, request.scope["path"], *request.query_params.values())):
        raise BadParameter("names and values have no NUL characters")
    known = _parameters(request.scope["route"].dependant)
    for name in request.query_params:
        if name not in known:
            near = nearest_names(name, known)
            raise BadParameter(
                f"{request.url.path} takes no parameter {name!r}{did_you_mean(near)}",
                code="unknown-parameter",
                nearest=near,
            )


def _parameters(dependant: Dependant) -> set[str]:
    own = {field.alias for field in dependant.query_params}
    return own.union(*(_parameters(inner) for inner in dependant.dependencies))


Context = Annotated[ApiContext, Depends(_context)]
PageWindow = Annotated[Window, Depends(_window)]
Actor = Annotated[str, Depends(_actor)]
