"""Tells waiting streams that the feed has moved: one reader of its position, however many streams there are."""

import asyncio
import logging

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from hwcensus_collector.inventory.changes import feed_position

log = logging.getLogger(__name__)

#: Seconds between two looks; only while somebody waits.
INTERVAL = 0.1


class FeedPulse:
    """Reads the position only while somebody waits for it. Belongs to one event loop."""

    def __init__(self, engine: Engine, interval: float = INTERVAL) -> None:
        self._engine = engine
        self._interval = interval
        self._moved = asyncio.Condition()
        self._position = -1
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    async def beyond(self, position: int, timeout: float) -> bool:
        """True once the feed is beyond `position`; False after `timeout` seconds, or when the app is closing."""
        self._waiting += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(timeout), self._moved:
                await self._moved.wait_for(lambda: self.closed or self._position > position)
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return not self.closed

    async def close(self) -> None:
        """Ends all waiting, for good."""
        self.closed = True
        async with self._moved:
            self._moved.notify_all()

    async def _look(self) -> None:
        while self._waiting and not self.closed:
            try:
                position = await run_in_threadpool(self.read)
            except SQLAlchemyError as error:
                log.warning("the feed's position cannot be read", extra={"reason": str(error).splitlines()[0]})
                position = self._position
            if position != self._position:
                async with self._moved:
                    self._position = position
                    self._moved.notify_all()
            await asyncio.sleep(self._interval)

    def read(self) -> int:
        """The position now."""
        with self._engine.connect() as connection:
            return feed_position(connection)
