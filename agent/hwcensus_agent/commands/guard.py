"""Whether a record of the commands topic is an order to us: host, signature, schema, stream, expiry, in this order.

Pure but for the questions it is given. The host's policy is asked later, in `runner.py`.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hwcensus import document
from hwcensus.command import Command, IssuedCommand, read_command
from hwcensus.errors import HwcensusError, InvalidDocument, Refused
from hwcensus.instant import write_instant
from hwcensus.signature import verify
from hwcensus_agent.commands.answer import EXPIRED, FAILED, Answer

logger = logging.getLogger(__name__)

#: Characters of an id that is worth an answer; the collector's have 36.
LONGEST_ID = 64
#: They change nothing, so one meant for an earlier life of the host does no harm, and the collector may not know ours.
HARMLESS = frozenset({"resync", "ping"})


class WrongHost(Refused):
    """the command is for another host than its header says"""

    code = "wrong-host"


class Expired(Refused):
    """the command came after its deadline"""

    code = "expired"


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What is compared: our host id, the pinned keys by id, and whether a stream is one of our own past."""

    host: str
    keys: Mapping[str, bytes]
    knows_stream: Callable[[str], bool]

    def admit(self, value: bytes, headers: Mapping[str, bytes], at: datetime) -> IssuedCommand | Answer | None:
        """The command; or the answer that refuses it; or None for what is not ours, or names no command."""
        if headers.get("host") != self.host.encode():
            return None
        try:
            command = self._authentic(value, headers)
            if command.host != self.host:
                # The header is not signed, and the collector gives both the same.
                raise WrongHost(f"signed for host {command.host}, and sent to {self.host}")
            if command.type in HARMLESS and command.expires <= at:
                return None
            self.check(command, at)
        except HwcensusError as error:
            return _refused(value, error)
        return command

    def _authentic(self, value: bytes, headers: Mapping[str, bytes]) -> IssuedCommand:
        if not self.keys:
            raise Refused("this agent pins no key of a collector, so it obeys none", code="no-keys")
        verify(value, headers, self.keys)
        return read_command(value)

    def check(self, command: IssuedCommand, at: datetime) -> None:
        """Whether an authentic command comes in time and for this life of the host. Raises Refused."""
        if command.type not in HARMLESS and not self.knows_stream(command.stream):
            raise Refused(
                f"meant for an agent with stream {command.stream}, which is not in this one's past", code="wrong-stream"
            )
        require_in_time(command, at)


def require_in_time(command: Command, at: datetime) -> None:
    """Raises Expired."""
    if command.expires <= at:
        raise Expired(
            f"valid until {write_instant(command.expires)}, and it is {write_instant(at)} by this host's clock"
        )


def _refused(value: bytes, error: HwcensusError) -> Answer | None:
    command_id = _id_of(value)
    logger.warning("refused a command", extra={"command": command_id, "code": error.code, "why": str(error)})
    if command_id is None:
        return None
    state = EXPIRED if isinstance(error, Expired) else FAILED
    return Answer(command=command_id, state=state, code=error.code, text=str(error))


def _id_of(value: bytes) -> str | None:
    """The id that a record which we do not trust, or do not understand, claims to have."""
    try:
        claimed = document.parse(value).get("id")
    except InvalidDocument:
        return None
    is_one_word = claimed is not None and claimed.split() == [claimed]  # else no `result` can carry it
    return claimed if is_one_word and len(claimed or "") <= LONGEST_ID else None
