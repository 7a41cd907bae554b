"""What the agent answers to a command: the content of a `result` event, before it gets a place in the stream."""

from collections.abc import Callable
from dataclasses import dataclass

from hwcensus.event import Produced

ACCEPTED, SUCCEEDED, FAILED, EXPIRED = "accepted", "succeeded", "failed", "expired"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A step in a command's life. `code` and `text` say why it failed; `produced` are the devices it made."""

    command: str
    state: str
    code: str | None = None
    text: str | None = None
    produced: tuple[Produced, ...] = ()


#: Puts an answer into the outbox, within the spool's transaction that is open when it is called.
Report = Callable[[Answer], None]
