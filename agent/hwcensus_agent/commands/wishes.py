"""What of a command lasts beyond a boot: which port is wanted from now on, and which no more.

Only virtual Fibre Channel ports are kept so: interfaces are for the host's own network configuration. Making them again
is `keeper.py`'s.
"""

from dataclasses import dataclass

from hwcensus.command import Command
from hwcensus.creatable import vport
from hwcensus.errors import Refused
from hwcensus.wwn import port_wwpn
from hwcensus_agent.commands.executors.executor import Executor
from hwcensus_agent.commands.policy import VPORT
from hwcensus_agent.desired import Desired, Wish


class NotKept(Refused):
    """what is wanted at the next boot could not be written"""

    code = "not-kept"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The wishes of one host, as commands change them; without a file nothing is kept."""

    desired: Desired | None

    def of(self, command: Command, executor: Executor) -> Wish | None:
        """What a creation wants for ever; None where it does not say `persistent`. Raises Refused."""
        if not command.persistent:
            return None
        subject = executor.subject(command)
        names = {} if command.device is None else vport.names(command.device)
        if self.desired is None or executor.creates != VPORT:
            raise Refused(
                f"only virtual ports are made again at every boot, no {executor.creates}", code="not-persistent"
            )
        if subject.parent is None or subject.wwpn is None:
            raise Refused("what is to be made again at every boot names its adapter by WWPN", code="not-persistent")
        return Wish(parent=subject.parent, wwpn=subject.wwpn, wwnn=names.get("wwnn", ""), command=command.id)

    def grant(self, wish: Wish | None) -> None:
        """Notes what was made. Raises NotKept."""
        if wish is None or self.desired is None:
            return
        try:
            self.desired.add(wish)
        except OSError as error:
            raise NotKept(f"it cannot be kept for the next boot: {error}") from error

    def revoke(self, command: Command) -> None:
        """The reverse, of what a creation noted before a crash and comes to nothing after all. Raises NotKept."""
        if self.desired is None or not command.persistent or command.device is None:
            return
        wish = self.desired.get(vport.names(command.device).get("wwpn", ""))
        if wish is None or wish.command != command.id:
            return
        try:
            self.desired.drop(wish.wwpn)
        except OSError as error:
            raise NotKept(f"it failed, but would be made again at the next boot: {error}; destroy it") from error

    def absent(self, command: Command) -> Wish | None:
        """The wish for the port that a destroy names, of which nothing need be there."""
        wwpn = port_wwpn(command.identity or "")
        return None if self.desired is None or wwpn is None else self.desired.get(wwpn)

    def take_out(self, command: Command) -> None:
        """Notes that what a destroy names is not wanted any more. Raises NotKept."""
        wish = self.absent(command)
        if wish is None or self.desired is None:
            return
        try:
            self.desired.drop(wish.wwpn)
        except OSError as error:
            raise NotKept(f"it is gone, but would be made again at the next boot: {error}; destroy it again") from error
