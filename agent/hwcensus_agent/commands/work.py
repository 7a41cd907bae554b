"""Carrying out one command: policy, intent on disk, the kernel, then waiting until the census has seen it.

And the same from the other end, after a crash: looking at the host to learn how a begun command ended. Nothing is
answered here, only worked out.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hwcensus.command import Command
from hwcensus.creatable import check_creation
from hwcensus.errors import Refused
from hwcensus.event import Produced
from hwcensus.names import device_name
from hwcensus_agent.commands.answer import FAILED, SUCCEEDED, Answer
from hwcensus_agent.commands.census_port import CensusPort, Effect, Expectation, Target
from hwcensus_agent.commands.executors.executor import DeviceChanged, Executor
from hwcensus_agent.commands.inbox import Begun, Intent
from hwcensus_agent.commands.policy import CREATE, DESTROY, Policy


@dataclass(frozen=True, kw_only=True)
class Work:
    """What carrying out takes. `begin` puts the intent on disk; `patience` are the seconds the census has to see."""

    policy: Policy
    executors: Mapping[str, Executor]
    census: CensusPort
    begin: Callable[[Command, Intent], None]
    patience: float

    async def carry_out(self, command: Command) -> Answer:
        """Raises HwcensusError where the command fails."""
        match command.type:
            case "create":
                return await self._create(command)
            case "destroy":
                return await self._destroy(command)
            case "ping":
                return Answer(command=command.id, state=SUCCEEDED)
        raise Refused(f"this agent does not know how to {command.type}", code="not-supported")

    async def settle(self, begun: Begun) -> Answer:
        """How a command ended that was begun by an agent which stopped. Raises HwcensusError."""
        executor = self.executors[begun.intent.creates]
        if begun.intent.target is None:
            return await self._settle_create(begun.command, executor)
        return await self._settle_destroy(begun.command, executor, begun.intent.target, begun.intent.mark)

    def expect(self, command: Command, intent: Intent) -> None:
        """Announces to the census what the command does, or may have done."""
        if intent.creates in self.executors:
            self.census.expect(command.id, self._expectation(command, intent))

    async def _create(self, command: Command) -> Answer:
        executor = self._creator(command)
        self._allow(CREATE, executor, executor.subject(command))
        await asyncio.to_thread(executor.check, command)
        self._begin(command, Intent(creates=executor.creates))
        try:
            await asyncio.to_thread(executor.create, command)
        except Exception:
            # Whatever it was: the kernel may have made it all the same (an answer can be lost).
            await asyncio.to_thread(executor.undo, command)
            raise
        return await self._seen_or_undone(command, executor)

    async def _destroy(self, command: Command) -> Answer:
        target = self.census.find(command.identity or "")
        if target is None:
            raise DeviceChanged(f"there is no device {command.identity} here")
        if target.name != command.name:
            raise DeviceChanged(f"{command.identity} is called {target.name} here, not {command.name}")
        executor, mark = await self._destroyer(target)
        self._allow(DESTROY, executor, target.kernel_name)
        self._begin(command, Intent(creates=executor.creates, target=target, mark=mark))
        await asyncio.to_thread(executor.destroy, target, mark)
        return await self._gone(command, target)

    def _begin(self, command: Command, intent: Intent) -> None:
        self.begin(command, intent)
        self.expect(command, intent)

    def _expectation(self, command: Command, intent: Intent) -> Expectation:
        target = intent.target
        if target is None:
            return self.executors[intent.creates].expected(command)
        return Expectation(effect=Effect.REMOVE, subsystem=target.subsystem, kernel_name=target.kernel_name)

    def _creator(self, command: Command) -> Executor:
        assert command.device is not None, "the schema gives every create a device"
        type_ = check_creation(command.device)
        if type_ not in self.executors:
            raise Refused(f"this agent creates only {', '.join(self.executors)}, no {type_}", code="not-creatable")
        return self.executors[type_]

    async def _destroyer(self, target: Target) -> tuple[Executor, str]:
        for executor in self.executors.values():
            mark = await asyncio.to_thread(executor.mark_of, target)
            if mark is not None:
                return executor, mark
        raise Refused(f"{target.name} is none of {', '.join(self.executors)}, so it stays", code="not-allowed")

    def _allow(self, action: str, executor: Executor, name: str) -> None:
        refusal = self.policy.allows(action, executor.creates, name)
        if refusal is not None:
            raise Refused(refusal.text, code=refusal.code)

    async def _seen_or_undone(self, command: Command, executor: Executor) -> Answer:
        produced = await self.census.wait_seen(command.id, self.patience)
        if produced is not None:
            return Answer(command=command.id, state=SUCCEEDED, produced=(produced,))
        await asyncio.to_thread(executor.undo, command)
        text = f"the kernel made it, but it did not come into the census within {self.patience} s; it was undone"
        return Answer(command=command.id, state=FAILED, code="not-seen", text=text)

    async def _gone(self, command: Command, target: Target) -> Answer:
        if await self.census.wait_seen(command.id, self.patience) is not None:
            return Answer(command=command.id, state=SUCCEEDED)
        text = f"the kernel deleted {target.kernel_name}, but the census still has it after {self.patience} s"
        return Answer(command=command.id, state=FAILED, code="not-seen", text=text)

    async def _settle_create(self, command: Command, executor: Executor) -> Answer:
        was_created = await asyncio.to_thread(executor.was_created, command)
        if not was_created:
            return _interrupted(command, "nothing was made" if was_created is False else "what was made is not known")
        expected = executor.expected(command)
        found = self.census.find(device_name(expected.subsystem, expected.kernel_name))
        if found is not None and found.kernel_name == expected.kernel_name:
            produced = Produced(identity=found.identity, name=found.name)
            return Answer(command=command.id, state=SUCCEEDED, produced=(produced,))
        return await self._seen_or_undone(command, executor)

    async def _settle_destroy(self, command: Command, executor: Executor, target: Target, mark: str) -> Answer:
        was_destroyed = await asyncio.to_thread(executor.was_destroyed, target, mark)
        if not was_destroyed:
            certain = "is still there" if was_destroyed is False else "is there, whether the same is not known"
            return _interrupted(command, f"{target.kernel_name} {certain}")
        if self.census.find(target.identity) is None:
            return Answer(command=command.id, state=SUCCEEDED)
        return await self._gone(command, target)


def _interrupted(command: Command, outcome: str) -> Answer:
    text = f"the agent stopped while it was at it: {outcome}"
    return Answer(command=command.id, state=FAILED, code="interrupted", text=text)
