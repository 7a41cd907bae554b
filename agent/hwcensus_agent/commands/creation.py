"""Carrying out `create` and `destroy`: checks, intent on disk, the kernel, then waiting until the census has seen it.

And the same from the other end, after a crash: looking at the host to learn how a begun command ended.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from hwcensus.command import Command
from hwcensus.creatable import check_creation
from hwcensus.errors import Refused
from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus_agent.commands.answer import FAILED, SUCCEEDED, Answer
from hwcensus_agent.commands.census_port import Effect, Expectation, Target
from hwcensus_agent.commands.executors.executor import Executor, Health, NameTaken
from hwcensus_agent.commands.inbox import Begun, Intent
from hwcensus_agent.commands.means import Means, going, interrupted, not_seen
from hwcensus_agent.commands.policy import CREATE, DESTROY, VPORT
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.commands.wishes import NotKept, Wishes
from hwcensus_agent.desired import Wish

#: Seconds a device has to come online where that is required; or, where that is less, this share of what is left until
#: the command's deadline: the rest is for undoing it, and for the answer to come in time.
ONLINE_S, ONLINE_SHARE = 60.0, 0.75
#: Seconds between two looks at it: the kernel announces no port state.
LOOK_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Creation:
    """Devices made and taken away by the executor of their class."""

    means: Means
    executors: Mapping[str, Executor]
    wishes: Wishes

    async def may_create(self, command: Command) -> tuple[Executor, str]:
        """Who makes it, and the mark of what is there before. Changes nothing. Raises HwcensusError."""
        executor = self._creator(command)
        self.means.check_parent(command)

        def look() -> str:
            self.means.allow(CREATE, executor.creates, executor.subject(command))
            return executor.check(command)

        mark = await asyncio.to_thread(look)
        self.wishes.of(command, executor)
        return executor, mark

    async def may_destroy(self, command: Command) -> tuple[Executor, Target, str]:
        """Who takes which device away, and its mark. Changes nothing. Raises HwcensusError."""
        target = self.means.target_of(command)

        def look() -> tuple[Executor, str]:
            executor, mark = self._destroyer(target)
            self.means.allow(DESTROY, executor.creates, executor.subject_of(target))
            return executor, mark

        executor, mark = await asyncio.to_thread(look)
        await self.means.free(command, lambda: executor.in_use(target))
        return executor, target, mark

    def may_unwant(self, command: Command) -> Wish | None:
        """The wish that a destroy is about where the port is not there; None where it may be. Changes nothing. Raises
        Refused."""
        wish = self.wishes.absent(command)
        if wish is None or self.means.census.find(command.identity or "") is not None:
            return None
        self.means.allow(DESTROY, VPORT, Subject(name="", parent=wish.parent, wwpn=wish.wwpn))
        return wish

    async def create(self, command: Command) -> Answer:
        executor, mark = await self.may_create(command)
        intent = Intent(executor=executor.creates, mark=mark)
        self.means.begin(command, intent, self.expected(command, intent))
        try:
            made = await asyncio.to_thread(executor.create, command)
        except NameTaken:
            raise  # what is there is somebody else's
        except Exception as error:
            # Whatever it was: the kernel may have made it all the same (an answer can be lost).
            await self._undo(command, executor, mark, str(error) or repr(error))
            raise
        return await self._ends_well(command, executor, mark, await self.means.seen(command, made))

    async def destroy(self, command: Command) -> Answer:
        wish = self.may_unwant(command)
        if wish is not None:
            return self._unwanted(command, wish)
        executor, target, mark = await self.may_destroy(command)
        self.means.begin(command, Intent(executor=executor.creates, target=target, mark=mark), [going(target)])
        await asyncio.to_thread(executor.destroy, target, mark)
        return self._gone(command, target, await self.means.seen(command, target.syspath))

    async def settle(self, begun: Begun) -> Answer:
        command, target, mark = begun.command, begun.intent.target, begun.intent.mark
        executor = self.executors[begun.intent.executor]
        if _only_unwants(command, begun.intent):
            return self._not_wanted(command, mark)
        if target is None:
            return await self._settle_create(command, executor, mark)
        return await self._settle_destroy(command, executor, target, mark)

    def expected(self, command: Command, intent: Intent) -> tuple[Expectation, ...]:
        """What the census sees of it."""
        if intent.target is not None:
            return (going(intent.target),)
        executor = self.executors.get(intent.executor)
        return () if executor is None or _only_unwants(command, intent) else executor.expected(command, intent.mark)

    def _creator(self, command: Command) -> Executor:
        assert command.device is not None, "the schema gives every create a device"
        type_ = check_creation(command.device)
        if type_ not in self.executors:
            raise Refused(f"this agent creates only {', '.join(self.executors)}, no {type_}", code="not-creatable")
        return self.executors[type_]

    def _destroyer(self, target: Target) -> tuple[Executor, str]:
        for executor in self.executors.values():
            mark = executor.mark_of(target)
            if mark is not None:
                return executor, mark
        raise Refused(f"{target.name} is none of {', '.join(self.executors)}, so it stays", code="not-allowed")

    async def _ends_well(
        self, command: Command, executor: Executor, mark: str, produced: tuple[Produced, ...] | None
    ) -> Answer:
        """Answers for what was made; undoes it where it was not seen, or is not what the command requires."""
        if produced is None:
            text = f"the kernel made it, but it did not come into the census within {self.means.patience} s"
            await self._undo(command, executor, mark, text)
            return not_seen(command, f"{text}; it was undone")
        health = await self._health(command, executor)
        if command.require is None or health is None or health.is_online:
            try:
                self.wishes.grant(self.wishes.of(command, executor))
            except NotKept as error:
                await self._undo(command, executor, mark, str(error))
                raise
            told = None if health is None else health.text
            return Answer(command=command.id, state=SUCCEEDED, text=told, produced=produced)
        text = f"it did not come online: {health.text}"
        await self._undo(command, executor, mark, text)
        return Answer(command=command.id, state=FAILED, code="not-online", text=f"{text}; it was undone")

    async def _health(self, command: Command, executor: Executor) -> Health | None:
        """How the new device fares; where it has to come online, as soon as it does, or at last."""
        loop = asyncio.get_running_loop()
        until = loop.time() + min(ONLINE_S, ONLINE_SHARE * (command.expires - now()).total_seconds())
        while True:
            health = await asyncio.to_thread(executor.health, command)
            if command.require is None or health is None or health.is_online or loop.time() >= until:
                return health
            await asyncio.sleep(LOOK_S)

    async def _undo(self, command: Command, executor: Executor, mark: str, why: str) -> None:
        """Undoes; what the census has seen already, it sees go as this command's doing."""
        added = (one for one in executor.expected(command, mark) if one.effect is Effect.ADD)
        there = [target for one in added if (target := self.means.find(one)) is not None]
        self.means.census.expect(command.id, [going(target) for target in there])
        await self.means.undo(lambda: executor.undo(command, mark), why)
        self.wishes.revoke(command)
        await self.means.seen(command)

    def _gone(self, command: Command, target: Target, seen: tuple[Produced, ...] | None) -> Answer:
        self.wishes.take_out(command)  # seen or not
        if seen is not None:
            return Answer(command=command.id, state=SUCCEEDED)
        text = f"the kernel deleted {target.kernel_name}, but the census still has it after {self.means.patience} s"
        return not_seen(command, text)

    def _unwanted(self, command: Command, wish: Wish) -> Answer:
        """A port that was wanted, and is not there, is not wanted any more. Raises Expired."""
        self.means.begin(command, Intent(executor=VPORT, mark=wish.parent), ())
        return self._not_wanted(command, wish.parent)

    def _not_wanted(self, command: Command, parent: str) -> Answer:
        self.wishes.take_out(command)
        text = f"it was not there; it is not made again below {parent}"
        return Answer(command=command.id, state=SUCCEEDED, text=text)

    async def _settle_create(self, command: Command, executor: Executor, mark: str) -> Answer:
        was_created, why = await self.means.looked(lambda: executor.was_created(command, mark))
        if was_created is False:
            # What was made by half goes, and what it was made of is as it was.
            await self.means.undo(lambda: executor.undo(command, mark), "the agent stopped while it was at it")
            self.wishes.revoke(command)
        if not was_created:
            outcome = "nothing was made" if was_created is False else f"what was made is not known{why}"
            return interrupted(command, outcome)
        produced = await self.means.rest_seen(command, executor.expected(command, mark))
        return await self._ends_well(command, executor, mark, produced)

    async def _settle_destroy(self, command: Command, executor: Executor, target: Target, mark: str) -> Answer:
        was_destroyed, why = await self.means.looked(lambda: executor.was_destroyed(target, mark))
        if why:
            wanted = "" if self.wishes.absent(command) is None else "; it is still to be made at every boot"
            return interrupted(command, f"whether {target.kernel_name} is there is not known{why}{wanted}")
        if not was_destroyed:
            certain = "is still there" if was_destroyed is False else "is there, whether the same is not known"
            return interrupted(command, f"{target.kernel_name} {certain}")
        return self._gone(command, target, await self.means.rest_seen(command, [going(target)]))


def _only_unwants(command: Command, intent: Intent) -> bool:
    """Whether a destroy was begun of which nothing but the wish was there; then the mark is the wish's adapter."""
    return command.type == DESTROY and intent.target is None
