"""Puts the API together: one application over one database."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from fastapi import Depends, FastAPI
from sqlalchemy import Engine

from hwcensus_collector.api import (
    audit,
    batches,
    changes,
    commands,
    dead_letters,
    devices,
    health,
    hosts,
    orders,
    problem,
    wwns,
)
from hwcensus_collector.api.context import ApiContext, only_known_parameters
from hwcensus_collector.api.followers import Followers
from hwcensus_collector.api.guard import LoopbackGuard
from hwcensus_collector.api.pulse import FeedPulse
from hwcensus_collector.inventory.status import Patience
from hwcensus_collector.settings import CollectorSettings

#: Every part of the API: a new one is a module and a line here. Fixed paths stand before those with open ends.
PARTS = (health, dead_letters, changes, commands, batches, audit, wwns, orders, devices, hosts)

_RESPONSES: dict[int | str, dict[str, object]] = {
    "4XX": {"description": "refused", "content": {problem.MEDIA_TYPE: {}}, "model": problem.Problem},
    "5XX": {"description": "failed", "content": {problem.MEDIA_TYPE: {}}, "model": problem.Problem},
}


def create_app(
    engine: Engine,
    settings: CollectorSettings,
    *,
    lag: Callable[[], Mapping[int, int] | None] = lambda: None,
    wrote: Callable[[], object] = lambda: None,
    followers: Followers | None = None,
) -> FastAPI:
    """The application. `lag` gives the records that wait in Kafka by partition, where this process reads them, which
    tells `followers` then; `wrote` is called, in any thread, after a request has written: there may be an order."""
    app = FastAPI(
        title="hwcensus",
        description="A live, versioned census of every hardware device in a data centre.",
        dependencies=[Depends(only_known_parameters)],
        responses=_RESPONSES,
        docs_url=None,  # a page that loads a stranger's scripts
        redoc_url=None,
        redirect_slashes=False,  # an error has our shape, and no answer leads elsewhere
    )
    app.state.context = ApiContext(
        engine=engine,
        settings=settings,
        patience=Patience(
            stale_after=timedelta(seconds=settings.liveness.stale_after),
            offline_after=timedelta(seconds=settings.liveness.offline_after),
        ),
        pulse=FeedPulse(engine),
        followers=followers or Followers(),
        lag=lag,
        wrote=wrote,
    )
    problem.install(app)
    for part in PARTS:
        app.include_router(part.router)
    app.add_middleware(LoopbackGuard)
    return app
