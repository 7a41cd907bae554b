"""The API as a part of the collector's process: a server on the loop of whoever runs it, until told to stop."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Mapping

import uvicorn
from sqlalchemy import Engine

from hwcensus.errors import ConfigError
from hwcensus_collector.api.app import create_app
from hwcensus_collector.api.followers import Followers
from hwcensus_collector.api.guard import is_loopback
from hwcensus_collector.api.protocol import ProblemProtocol
from hwcensus_collector.settings import CollectorSettings

log = logging.getLogger(__name__)

#: Seconds that requests under way are given when the collector stops.
_PATIENCE = 5


class _Server(uvicorn.Server):
    """Leaves signals to the program: they stop all its rooms, not this one alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(listen: str) -> socket.socket:
    """A listening socket for `host:port`.

    Raises ConfigError for what is no address, is not loopback, or is taken.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"api.listen {listen!r} is not like 127.0.0.1:8470")
    if not is_loopback(host):
        raise ConfigError(
            f"api.listen {listen}: without tokens the API binds to loopback only; write 127.0.0.1:{port}",
            code="not-loopback",
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        # With its protocol named: asyncio switches Nagle's algorithm (40 ms an answer) off only where it sees TCP.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"api.listen {listen}: {error.strerror}; write 127.0.0.1:8470") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # from here on a client waits instead of being refused
    except OSError as error:
        listener.close()
        raise ConfigError(f"api.listen {listen}: {error.strerror}; choose another port") from error
    return listener


async def serve(
    settings: CollectorSettings,
    engine: Engine,
    stop: asyncio.Event,
    *,
    lag: Callable[[], Mapping[int, int] | None] = lambda: None,
    wrote: Callable[[], object] = lambda: None,
    followers: Followers | None = None,
    ready: Callable[[str], object] = bool,
) -> None:
    """Serves until `stop`; `ready` and the log are told the URL once it listens. Raises ConfigError as `bind` does."""
    with bind(settings.api.listen) as listener:
        app = create_app(engine, settings, lag=lag, wrote=wrote, followers=followers)
        config = uvicorn.Config(
            app,
            http=ProblemProtocol,
            log_config=None,
            log_level="warning",  # what it says is said here
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=_PATIENCE,
        )
        server = _Server(config)
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        log.info("the API serves %s; loopback only, as there are no tokens", url, extra={"url": url})
        ready(url)
        serving = asyncio.create_task(server.serve([listener]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        app.state.context.followers.close()
        await app.state.context.pulse.close()
        server.should_exit = True
        await serving
