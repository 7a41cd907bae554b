"""The relay's loop: sends what is queued, expires what came too late, asks what is to heal; one relay at a time.

All SQL runs in a thread, on the session that holds the turn. Kafka may be away as long as it likes: commands wait in
SQL until their deadline.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from hwcensus.instant import now
from hwcensus.kafka import PLAIN_COMPRESSIONS, KafkaSettings, producer_arguments
from hwcensus_collector.relay import batch, dispatch, outbox, resync
from hwcensus_collector.relay.lag import Ends, KafkaEnds, Lag
from hwcensus_collector.relay.outbox import Outgoing
from hwcensus_collector.relay.signing import Signing
from hwcensus_collector.relay.turn import Turn
from hwcensus_collector.settings import CollectorSettings

log = logging.getLogger(__name__)

#: Seconds between two rounds of resyncs, and between two looks whether the turn is free.
RESYNC_EVERY, TURN_EVERY = 1.0, 2.0
FIRST_RETRY, LAST_RETRY = 0.5, 10.0
#: What is not acknowledged by then is sent again; a stop waits no longer either.
SEND_TIMEOUT_MS = 10_000

R = TypeVar("R")


async def run_relay(
    settings: CollectorSettings,
    engine: Engine,
    stop: asyncio.Event,
    woken: asyncio.Event | None = None,
    on_steps: Callable[[Iterable[str]], object] = lambda _: None,
) -> None:
    """Works until `stop`; `woken` is set by whoever orders in this process, and `on_steps` is told, in the loop's
    thread, of which commands steps were stored. Makes the signing key where there is none. Raises HwcensusError for a
    key or a Kafka setting that cannot be used; databases and brokers that are away are waited for."""
    signing = await asyncio.to_thread(Signing, settings.commands.key_file)
    relay = Relay(settings, engine, signing, KafkaEnds(settings.kafka), woken or asyncio.Event(), on_steps=on_steps)
    try:
        await relay.run(stop)
    finally:
        await relay.close()


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What a look found to do."""

    late: bool
    failed: bool
    sendable: bool
    wishes: bool


@dataclass(frozen=True)
class _Pause:
    """Between two rounds. After one with nothing to send an order ends it; what is ordered right after another gathers
    for as long as a pause."""

    seconds: float
    is_idle: bool = False


class Relay:
    """One relay, holding the turn or waiting for it."""

    def __init__(
        self,
        settings: CollectorSettings,
        engine: Engine,
        signing: Signing,
        ends: Ends,
        woken: asyncio.Event,
        *,
        on_steps: Callable[[Iterable[str]], object],
    ) -> None:
        self._settings, self._engine, self._signing, self._ends = settings, engine, signing, ends
        self._woken, self._on_steps = woken, on_steps
        self._turn = Turn(engine)
        self._lag = Lag()
        self._producer: AIOKafkaProducer | None = None
        self._retry = FIRST_RETRY
        self._connect_at = 0.0
        self._resync_at = 0.0
        self._resynced_at = time.monotonic()
        self._trouble = False

    async def run(self, stop: asyncio.Event) -> None:
        """Rounds until `stop`."""
        ordered = False
        while not stop.is_set():
            self._woken.clear()
            try:
                pause = await self._round(ordered=ordered)
            # The loop's boundary: what is away comes back, and what failed is tried again; said once.
            except (KafkaError, SQLAlchemyError, OSError) as error:
                self._say(error)
                await self._let_go()
                pause = _Pause(self._retry)
                self._retry = min(self._retry * 2, LAST_RETRY)
            ordered = await self._rest(stop, pause)

    async def close(self) -> None:
        """Gives up the turn and the connections."""
        await self._let_go()

    async def _rest(self, stop: asyncio.Event, pause: _Pause) -> bool:
        """Until the next round; whether an order ended it."""
        ends = [asyncio.create_task(one.wait()) for one in (stop, self._woken)[: 1 + pause.is_idle]]
        await asyncio.wait(ends, timeout=pause.seconds, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        return pause.is_idle and self._woken.is_set()

    async def _round(self, *, ordered: bool) -> _Pause:
        """One look at what there is to do, and doing it; but what has just been ordered, perhaps, is sent at once, and
        all else is looked for in the next round, which no order can put off."""
        if not (self._turn.held or await asyncio.to_thread(self._turn.take)):
            return _Pause(TURN_EVERY)
        if ordered and (connected := await self._kafka()) and (sent := await self._dispatch(connected)):
            return self._after(sent)
        seen = await asyncio.to_thread(self._look)
        if seen.late:
            self._on_steps(await self._write(lambda connection: outbox.expire(connection, now())))
        if seen.failed:
            self._on_steps(await self._write(lambda connection: batch.stop_failed(connection, now())))
        producer = await self._kafka() if seen.sendable or seen.wishes else None
        if producer is None:
            return _Pause(self._settings.relay.poll_seconds, is_idle=not seen.sendable)
        sent = await self._dispatch(producer) if seen.sendable else 0
        if seen.wishes and time.monotonic() >= self._resync_at:
            await self._resync(producer)
            self._resync_at = time.monotonic() + RESYNC_EVERY
        return replace(self._after(sent), is_idle=not seen.sendable)

    def _after(self, sent: int) -> _Pause:
        return _Pause(0 if sent == outbox.AT_ONCE else self._settings.relay.poll_seconds)

    def _look(self) -> _Seen:
        # A reader's transaction: on SQLite the writer's would keep ingest waiting, five times a second.
        at = now()
        found = select(outbox.has_late(at), batch.has_failed(at), outbox.has_sendable(), resync.has_wishes())
        with self._engine.begin() as connection:
            late, failed, sendable, wishes = connection.execute(found).one()
        return _Seen(late=late, failed=failed, sendable=sendable, wishes=wishes)

    async def _write(self, work: Callable[[Connection], R]) -> R:
        def transaction() -> R:
            with self._turn.connection.begin():
                return work(self._turn.connection)

        return await asyncio.to_thread(transaction)

    async def _dispatch(self, producer: AIOKafkaProducer) -> int:
        partitions = len(await producer.partitions_for(self._settings.kafka.commands_topic))
        claimed = await self._write(lambda connection: outbox.claim(connection, partitions))
        sent = await self._send(producer, claimed)
        if sent:
            await self._write(lambda connection: outbox.note_sent(connection, sent, now()))
            self._on_steps(one.id for one in sent)
        return len(sent)

    async def _resync(self, producer: AIOKafkaProducer) -> None:
        limit = self._allowance()
        if limit == 0:
            return
        kafka = self._settings.kafka
        ends = await self._ends.ends(len(await producer.partitions_for(kafka.events_topic)))
        partitions = len(await producer.partitions_for(kafka.commands_topic))

        def asked(connection: Connection) -> list[Outgoing]:
            caught_up = self._lag.caught_up(resync.positions(connection, kafka.events_topic), ends)
            wishes = resync.due(connection, self._settings.relay, caught_up, now(), limit)
            questions = (resync.ask(connection, self._settings.relay, w, partitions, now()) for w in wishes)
            return [question for question in questions if question is not None]

        questions = await self._write(asked)
        sent: list[Outgoing] = []
        try:
            sent = await self._send(producer, questions)
        finally:
            for one in questions:
                if one not in sent:
                    await self._write(partial(resync.take_back, unsent=one))
        self._resynced_at = time.monotonic()

    def _allowance(self) -> int:
        """How many hosts may be asked now: what the rate has let gather since the last time, a second's at most."""
        rate = self._settings.relay.resync_rate
        return int(rate * min(time.monotonic() - self._resynced_at, max(1.0, 1 / rate)))

    async def _send(self, producer: AIOKafkaProducer, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        topic = self._settings.kafka.commands_topic
        sent, failed = await dispatch.send(producer, topic, self._signing.signer(), outgoing)
        if failed is None:
            self._say_back()
        else:
            self._say(failed)
            await self._disconnect()
        return sent

    async def _kafka(self) -> AIOKafkaProducer | None:
        """The connected producer; None where Kafka is away, or it is too early to try again."""
        if self._producer is None and time.monotonic() >= self._connect_at:
            producer = AIOKafkaProducer(
                **producer_arguments(_plain(self._settings.kafka), "hwcensus-relay"), request_timeout_ms=SEND_TIMEOUT_MS
            )
            try:
                await producer.start()
                self._producer = producer
            except KafkaError as error:
                self._say(error)
                self._connect_at = time.monotonic() + self._retry
                self._retry = min(self._retry * 2, LAST_RETRY)
            finally:
                if self._producer is None:
                    await producer.stop()
        return self._producer

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _let_go(self) -> None:
        """Everything that may be broken is made anew by the next round."""
        await self._disconnect()
        await self._ends.close()
        await asyncio.to_thread(self._turn.give_up)

    def _say(self, error: Exception) -> None:
        if not self._trouble:
            self._trouble = True
            log.warning("commands wait: %s", type(error).__name__, extra={"why": str(error).split("\n")[0]})

    def _say_back(self) -> None:
        self._retry = FIRST_RETRY
        if self._trouble:
            self._trouble = False
            log.info("commands leave again")


def _plain(settings: KafkaSettings) -> KafkaSettings:
    """Without cramjam an agent reads no other compression, and the extra `agent` has it not: it costs memory."""
    return settings if settings.compression in PLAIN_COMPRESSIONS else replace(settings, compression="gzip")
