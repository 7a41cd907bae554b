"""What every command's carrying out takes of the agent: policy, census, a note on disk; and the steps they share."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from hwcensus.command import Command
from hwcensus.errors import HwcensusError, Refused
from hwcensus.event import Produced
from hwcensus.instant import now
from hwcensus.names import device_name
from hwcensus_agent.commands.answer import FAILED, Answer
from hwcensus_agent.commands.census_port import CensusPort, Effect, Expectation, Target
from hwcensus_agent.commands.executors.executor import DeviceChanged, InUse, NotUndone
from hwcensus_agent.commands.guard import require_in_time
from hwcensus_agent.commands.inbox import Intent
from hwcensus_agent.commands.policy import Policy
from hwcensus_agent.commands.subject import Subject

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Means:
    """`note` puts the intent on disk; `patience` are the seconds the census has to see."""

    policy: Policy
    census: CensusPort
    note: Callable[[Command, Intent], None]
    patience: float

    def target_of(self, command: Command) -> Target:
        """The device that the command names. Raises DeviceChanged unless its name and identity agree."""
        target = self.census.find(command.identity or "")
        if target is None or target.identity != command.identity:  # it may be a name, and those are dealt anew
            raise DeviceChanged(f"there is no device {command.identity} here")
        if target.name != command.name:
            raise DeviceChanged(f"{command.identity} is called {target.name} here, not {command.name}")
        return target

    def check_parent(self, command: Command) -> None:
        """The same for the device below which another is to be made. Raises Refused (`parent-unknown`) too."""
        parent = None if command.device is None else command.device.find("parent")
        identity = None if parent is None else parent.get("identity")
        if parent is None or identity is None:
            return
        found = self.census.find(identity)
        if found is None or found.identity != identity:
            raise Refused(f"there is no device {identity} here", code="parent-unknown")
        if found.name != parent.text:
            raise DeviceChanged(f"{identity} is called {found.name} here, not {parent.text}")

    def allow(self, action: str, class_: str, subject: Subject) -> None:
        """Raises Refused where the host's policy does not."""
        refusal = self.policy.allows(action, class_, subject)
        if refusal is not None:
            raise Refused(refusal.text, code=refusal.code)

    async def free(self, command: Command, in_use: Callable[[], tuple[str, ...]]) -> None:
        """Raises InUse where somebody holds the device, unless the command says `force`."""
        holders = () if command.force else await asyncio.to_thread(in_use)
        if holders:
            raise InUse("; ".join(holders))

    def begin(self, command: Command, intent: Intent, expected: Collection[Expectation]) -> None:
        """From here on the kernel may be touched. Raises Expired: a look at the host may block for long."""
        require_in_time(command, now())
        self.note(command, intent)
        self.census.expect(command.id, expected)

    async def seen(self, command: Command, at: str | None = None) -> tuple[Produced, ...] | None:
        """What was made, once the census saw all that is expected, `at` this sysfs path; None where it does not."""
        return await self.census.wait_seen(command.id, self.patience, at)

    async def rest_seen(self, command: Command, expected: Collection[Expectation]) -> tuple[Produced, ...] | None:
        """The same after a crash: some of it may have been seen before."""
        found = {one: self.find(one) for one in expected}
        left = [one for one, device in found.items() if (device is None) is not (one.effect is Effect.REMOVE)]
        self.census.expect(command.id, left)
        seen = await self.seen(command)
        there = (device for one, device in found.items() if one.effect is Effect.ADD and device is not None)
        return None if seen is None else (*(Produced(identity=one.identity, name=one.name) for one in there), *seen)

    async def looked(self, look: Callable[[], Found]) -> tuple[Found | None, str]:
        """What a look after a crash finds; nothing, and why, where the kernel does not tell."""
        try:
            return await asyncio.to_thread(look), ""
        except HwcensusError as error:
            return None, f", since the kernel does not tell: {error}"

    async def undo(self, undo: Callable[[], None], why: str) -> None:
        """Raises NotUndone, with what it was to be undone for."""
        try:
            await asyncio.to_thread(undo)
        except HwcensusError as error:
            raise NotUndone(f"{why}; it could not be undone: {error}") from error

    def find(self, expected: Expectation) -> Target | None:
        """The present device of the census that an expectation speaks of, as it is expected."""
        found = self.census.find(expected.identity or device_name(expected.subsystem, expected.kernel_name or ""))
        return found if found is not None and expected.fits(found) else None


def going(target: Target) -> Expectation:
    """That the census sees the device go."""
    return Expectation(
        effect=Effect.REMOVE, subsystem=target.subsystem, kernel_name=target.kernel_name, identity=target.identity
    )


def not_seen(command: Command, text: str) -> Answer:
    return Answer(command=command.id, state=FAILED, code="not-seen", text=text)


def interrupted(command: Command, outcome: str) -> Answer:
    text = f"the agent stopped while it was at it: {outcome}"
    return Answer(command=command.id, state=FAILED, code="interrupted", text=text)
