"""Carrying out one command, looking before whether it could be, or after a crash how it ended: which file does it for
which type."""

from dataclasses import dataclass, replace

from hwcensus.command import Command
from hwcensus_agent.commands.answer import SUCCEEDED, Answer
from hwcensus_agent.commands.binding import Binding
from hwcensus_agent.commands.creation import Creation
from hwcensus_agent.commands.inbox import Begun
from hwcensus_agent.commands.means import Means


@dataclass(frozen=True, kw_only=True)
class Work:
    """Nothing is answered here, only worked out."""

    means: Means
    creation: Creation
    binding: Binding

    async def carry_out(self, command: Command) -> Answer:
        """Raises HwcensusError where the command fails."""
        if command.is_check:
            await self.may(command)
            return Answer(command=command.id, state=SUCCEEDED, text="nothing on this host is against it")
        match command.type:
            case "create":
                return await self.creation.create(command)
            case "destroy":
                return await self.creation.destroy(command)
            case "detach" | "reattach":
                return await self.binding.carry_out(command)
            case "ping":
                return Answer(command=command.id, state=SUCCEEDED)
        raise AssertionError(f"the schema has no command to {command.type}")

    async def may(self, command: Command) -> None:
        """All that is asked before the kernel is touched, no more. Raises HwcensusError as `carry_out` does."""
        command = replace(command, type=command.meant)
        match command.type:
            case "create":
                await self.creation.may_create(command)
            case "destroy" if self.creation.may_unwant(command) is None:
                await self.creation.may_destroy(command)
            case "detach" | "reattach":
                await self.binding.may(command)

    async def settle(self, begun: Begun) -> Answer:
        """How a command ended that was begun by an agent which stopped. Raises HwcensusError."""
        return await self._of(begun.command).settle(begun)

    def expect(self, begun: Begun) -> None:
        """Announces to the census what the command may have done."""
        self.means.census.expect(begun.command.id, self._of(begun.command).expected(begun.command, begun.intent))

    def _of(self, command: Command) -> Creation | Binding:
        return self.creation if command.type in ("create", "destroy") else self.binding
