"""Commands in the running agent: ties `commands/` to its partition, its spool and its census, and answers resyncs."""

import asyncio
import logging

from hwcensus.command import IssuedCommand
from hwcensus.topics import partition_of
from hwcensus.wwn import port_identity
from hwcensus_agent.commands.answer import ACCEPTED, Answer
from hwcensus_agent.commands.executors import binders, executors
from hwcensus_agent.commands.guard import Guard
from hwcensus_agent.commands.keeper import Keeper
from hwcensus_agent.commands.policy import Policy
from hwcensus_agent.commands.reader import EMBEDDED_FETCH_WAIT_MS, FETCH_WAIT_MS, CommandReader
from hwcensus_agent.commands.runner import Commands
from hwcensus_agent.desired import Desired
from hwcensus_agent.keys import PinnedKeys
from hwcensus_agent.live import Live
from hwcensus_agent.news import MANIFEST, PRESENT, RESULT
from hwcensus_agent.publisher import Publisher
from hwcensus_agent.settings import AgentSettings
from hwcensus_agent.spool import Spool
from hwcensus_agent.way import Way

logger = logging.getLogger(__name__)

#: Seconds that `accepted` waits for the end of its command: most leave in one batch.
ACCEPTED_S = 0.25


class Orders:
    """What the collector may order this agent to do, and the doing of it."""

    def __init__(
        self, settings: AgentSettings, desired: Desired, *, spool: Spool, live: Live, publisher: Publisher
    ) -> None:
        """Raises ConfigError for a policy file that is wrong."""
        host = desired.host
        self._settings, self._host, self._spool, self._publisher = settings, host, spool, publisher
        self._live = live
        policy = Policy.of(settings)
        way, sysroot = Way(settings.kafka.bootstrap_servers, limit=settings.commands.way_s), settings.census.sysroot
        can = executors(way, sysroot)
        self.creatable = tuple(class_ for class_ in policy.creatable() if class_ in can)
        self._partition: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        guard = Guard(host=host, keys=PinnedKeys(settings.commands.keys), knows_stream=spool.knows_stream)
        self._commands = Commands(
            guard=guard,
            policy=policy,
            executors=can,
            binders=binders(way, sysroot),
            census=live.census,
            transaction=spool.transaction,
            report=self._report,
            on_resync=self._resync,
            desired=desired,
        )
        self._keeper = Keeper(desired, sysroot, self._commands.make_again)
        desired.on_change = self._wanted
        live.on_news = self._keeper.hear

    def partition(self, count: int | None) -> int | None:
        """This host's partition of the commands topic, which has `count`; None where there is no such topic."""
        if count is None:
            logger.warning("there is no commands topic: this host obeys none; see `hwcensus-collector topics apply`")
            return None
        if not self._partition.done():
            self._partition.set_result(partition_of(self._host, count))
        return self._partition.result()  # which is read until this process ends, whatever the topic has by now

    def expect_begun(self) -> None:
        """Before the first look: what an interrupted command did is told as its doing."""
        self._commands.expect_begun()

    async def run(self) -> None:
        """Reads and carries out for ever, and keeps what is wanted, also without Kafka; cancel it to stop."""
        async with asyncio.TaskGroup() as every:
            every.create_task(self._read())
            every.create_task(self._commands.run())
            every.create_task(self._keeper.run())

    async def _read(self) -> None:
        embedded = self._settings.publisher.hold_back_bytes > 0
        reader = CommandReader(
            self._settings.kafka,
            await self._partition,
            self._commands.receive,
            fetch_wait_ms=EMBEDDED_FETCH_WAIT_MS if embedded else FETCH_WAIT_MS,
        )
        await reader.run()

    def _report(self, answer: Answer) -> None:
        produced = [[one.identity, one.name] for one in answer.produced]
        detail: dict[str, object] = {
            "command": answer.command, "state": answer.state, "code": answer.code, "text": answer.text,
            "produced": produced,
        }  # fmt: skip
        self._spool.put_in_transaction(RESULT, {key: value for key, value in detail.items() if value is not None})
        if answer.state == ACCEPTED:
            asyncio.get_running_loop().call_later(ACCEPTED_S, self._publisher.woken.set)
        else:
            self._publisher.woken.set()

    def _wanted(self, parent: str) -> None:
        """Has the adapter tell what is wanted on it now, close behind the result of the command that changed it."""
        self._keeper.woken.set()
        adapter = self._live.census.find(port_identity(parent))
        if adapter is not None:
            self._live.look_at_once(adapter.syspath)

    def _resync(self, command: IssuedCommand) -> None:
        logger.info("the collector asks for the census", extra={"want": command.want, "command": command.id})
        if command.want == "stream":
            self._publisher.new_stream()
            return
        if command.want == "devices":
            self._spool.put_other(PRESENT, {"for": command.id, "identities": list(command.identities)})
        if command.want == "all":
            self._spool.put_other(PRESENT, {"for": command.id})
        if command.want in ("manifest", "all"):
            self._spool.put_other(MANIFEST, {"for": command.id})
        self._publisher.woken.set()
