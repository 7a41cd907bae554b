"""Carrying out `detach` and `reattach`: a present device is moved between drivers, and the census sees the new one.

And the same from the other end, after a crash: what was moved by half is given back.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from hwcensus.command import Command
from hwcensus.errors import Refused
from hwcensus_agent.commands.answer import SUCCEEDED, Answer
from hwcensus_agent.commands.census_port import Expectation, Target
from hwcensus_agent.commands.executors.binder import Binder, Moved
from hwcensus_agent.commands.inbox import Begun, Intent
from hwcensus_agent.commands.means import Means, interrupted, not_seen
from hwcensus_agent.commands.subject import Subject


@dataclass(frozen=True, kw_only=True)
class Binding:
    """Devices moved between drivers by the binder of their bus."""

    means: Means
    binders: Mapping[str, Binder]

    async def may(self, command: Command) -> tuple[Binder, Target, str]:
        """Who moves which device, and the mark of what it has before. Changes nothing. Raises HwcensusError."""
        target = self.means.target_of(command)
        binder = self._binder(command, target)
        self.means.allow(command.type, binder.binds, Subject(name=target.kernel_name))
        mark = await asyncio.to_thread(binder.check, command, target)
        await self.means.free(command, lambda: binder.in_use(command, target))
        return binder, target, mark

    async def carry_out(self, command: Command) -> Answer:
        binder, target, mark = await self.may(command)
        intent = Intent(executor=binder.binds, target=target, mark=mark)
        self.means.begin(command, intent, self.expected(command, intent))
        try:
            moved = await asyncio.to_thread(binder.bind, command, target)
        except Exception as error:
            # It may have lost its driver and not got the other.
            await self.means.undo(lambda: binder.undo(command, target, mark), str(error) or repr(error))
            raise
        return await self._seen_or_undone(command, binder, intent, moved)

    async def settle(self, begun: Begun) -> Answer:
        command, target, mark = begun.command, begun.intent.target, begun.intent.mark
        assert target is not None, "carry_out notes one"
        binder = self.binders[begun.intent.executor]
        moved, why = await self.means.looked(lambda: binder.was_bound(command, target, mark))
        if moved is None:
            await self.means.undo(
                lambda: binder.undo(command, target, mark), f"the agent stopped while it was at it{why}"
            )
            return interrupted(command, f"{target.kernel_name} was given back to the driver it had{why}")
        return await self._seen_or_undone(command, binder, begun.intent, moved)

    def expected(self, command: Command, intent: Intent) -> tuple[Expectation, ...]:
        """What the census may see of it."""
        binder = self.binders.get(intent.executor)
        if binder is None or intent.target is None:
            return ()
        return binder.expected(command, intent.target, intent.mark)

    def _binder(self, command: Command, target: Target) -> Binder:
        binder = self.binders.get(target.subsystem)
        if binder is None:
            known = ", ".join(self.binders) or "nothing"
            text = f"{target.name} is a {target.subsystem} device; this agent can {command.type} {known}"
            raise Refused(text, code="not-detachable")
        return binder

    async def _seen_or_undone(self, command: Command, binder: Binder, intent: Intent, moved: Moved) -> Answer:
        if await self.means.rest_seen(command, moved.expected) is not None:
            return Answer(command=command.id, state=SUCCEEDED, text=moved.text)
        target = intent.target
        assert target is not None, "carry_out notes one"
        text = f"the kernel did it, but the census did not see {target.kernel_name} change in {self.means.patience} s"
        await self.means.undo(lambda: binder.undo(command, target, intent.mark), text)
        return not_seen(command, f"{text}; it was undone")
