"""The life of a command on the agent: received, taken, carried out, answered; one at a time, in order, at most once.

What was begun when the agent stopped is looked at, never tried again. How one is carried out is in `work.py`.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from typing import Any

from hwcensus import document
from hwcensus.command import Command, IssuedCommand
from hwcensus.errors import HwcensusError
from hwcensus.instant import now, write_instant
from hwcensus_agent.commands import inbox
from hwcensus_agent.commands.answer import ACCEPTED, EXPIRED, FAILED, Answer, Report
from hwcensus_agent.commands.binding import Binding
from hwcensus_agent.commands.census_port import CensusPort
from hwcensus_agent.commands.creation import Creation
from hwcensus_agent.commands.executors.binder import Binder
from hwcensus_agent.commands.executors.executor import Executor
from hwcensus_agent.commands.guard import Expired, Guard
from hwcensus_agent.commands.inbox import Intent
from hwcensus_agent.commands.means import Means
from hwcensus_agent.commands.policy import Policy
from hwcensus_agent.commands.wishes import Wishes
from hwcensus_agent.commands.work import Work
from hwcensus_agent.desired import Desired

logger = logging.getLogger(__name__)

#: Seconds the census has to see what an executor did. A hint takes milliseconds, a describer's wait a second.
PATIENCE_S = 10.0


class Commands:
    """The commands of one agent. Everything but executors, and what the policy says of what they are asked for, runs in
    the loop's thread, as the spool wants it."""

    def __init__(
        self,
        *,
        guard: Guard,
        policy: Policy,
        executors: Mapping[str, Executor],
        binders: Mapping[str, Binder],
        census: CensusPort,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        report: Report,
        on_resync: Callable[[IssuedCommand], None],
        desired: Desired | None = None,
        patience: float = PATIENCE_S,
    ) -> None:
        """`transaction` opens one on the spool; `report` is called within one and puts the answer into the outbox."""
        self._guard, self._census = guard, census
        self._transaction, self._report, self._on_resync = transaction, report, on_resync
        means = Means(policy=policy, census=census, note=self._note, patience=patience)
        self._work = Work(
            means=means,
            creation=Creation(means=means, executors=executors, wishes=Wishes(desired=desired)),
            binding=Binding(means=means, binders=binders),
        )
        self._woken = asyncio.Event()
        #: Held by whatever touches the kernel, or the wishes.
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()
        self._told_again: set[str] = set()

    def receive(self, value: bytes, headers: Mapping[str, bytes], *, fresh: bool = False) -> None:
        """One record of the commands topic: taken, refused, or not ours. `fresh`: nobody read it before."""
        verdict = self._guard.admit(value, headers, now())
        if isinstance(verdict, Answer):
            self._refuse(verdict, fresh=fresh)
        elif verdict is not None and verdict.type == "resync":
            self._resync(verdict)
        elif verdict is not None:
            self._accept(verdict, value, fresh=fresh)

    def expect_begun(self) -> None:
        """Announces to the census what begun commands may have done: before its first look, so that those events name
        their commands. What a former version of the agent noted, and this one cannot read, is answered and over."""
        with self._transaction() as connection:
            for command_id, why in list(inbox.unreadable(connection)):
                text = f"this agent cannot read what a former one noted of it ({why}): look what became of it"
                answer = Answer(command=command_id, state=FAILED, code="interrupted", text=text)
                inbox.finish(connection, answer)
                self._report(answer)
            begun = list(inbox.begun(connection))
        for one in begun:
            try:
                self._work.expect(one)
            # The boundary of one command: a mark that its executor cannot read must not keep the agent from starting.
            # Settling reads it too, and answers, which is the count of such mistakes.
            except Exception:
                logger.exception("what was begun cannot be expected", extra={"command": one.command.id})

    async def run(self) -> None:
        """Settles what was begun, then carries out commands for ever; cancel it to stop."""
        with self._transaction() as connection:
            inbox.forget_old(connection, now())
            begun = list(inbox.begun(connection))
        for one in begun:
            self._finish(one.command, await _answered(one.command, self._work.settle(one)))
        self._settled.set()
        while True:
            self._woken.clear()
            with self._transaction() as connection:
                command = inbox.next_taken(connection)
            if command is None:
                await self._woken.wait()
            elif command.expires <= now():
                text = f"valid until {write_instant(command.expires)}, and its turn came at {write_instant(now())}"
                self._finish(command, Answer(command=command.id, state=EXPIRED, code="expired", text=text))
            else:
                async with self._turn:
                    self._finish(command, await _answered(command, self._work.carry_out(command)))

    async def make_again(self, command: Command, is_wanted: Callable[[], bool]) -> Answer | None:
        """Carries out a creation that ended well once, when its turn has come; answered to the caller alone.

        None, and nothing done, where it is not wanted any more by then.
        """
        await self._settled.wait()
        async with self._turn:
            if not is_wanted():
                return None
            answer = await _answered(command, self._work.carry_out(command))
            self._census.forget(command.id)
            return answer

    def _refuse(self, answer: Answer, *, fresh: bool) -> None:
        with self._transaction() as connection:
            # One that was taken before goes its way: who repeats it badly does not change its end.
            # Its bytes are nobody's business any more, and may be as many as Kafka takes.
            if inbox.take(connection, answer.command, b"", now(), state=inbox.DONE):
                inbox.finish(connection, answer)
                self._report(answer)
            elif fresh:
                self._repeated(connection, answer)

    def _resync(self, command: IssuedCommand) -> None:
        with self._transaction() as connection:
            fresh = inbox.take(connection, command.id, b"", now(), state=inbox.DONE)
        if fresh:
            self._on_resync(command)

    def _accept(self, command: IssuedCommand, value: bytes, *, fresh: bool) -> None:
        self._woken.set()  # before the publisher is, so that the command begins while it tells of it
        with self._transaction() as connection:
            if not inbox.take(connection, command.id, value, now()):
                text = (
                    "it came again after its end, and nothing was done: replayed, or sent twice by a relay that stopped"
                )
                if fresh:
                    self._repeated(connection, Answer(command=command.id, state=FAILED, code="replayed", text=text))
                return
            self._report(Answer(command=command.id, state=ACCEPTED))

    def _repeated(self, connection: sqlite3.Connection, answer: Answer) -> None:
        """Tells, once, of what claims the id of a command that has ended: its end stays as it was told."""
        if answer.command not in self._told_again and inbox.is_done(connection, answer.command):
            self._told_again.add(answer.command)
            self._report(answer)

    def _note(self, command: Command, intent: Intent) -> None:
        with self._transaction() as connection:
            inbox.begin(connection, command.id, intent)

    def _finish(self, command: IssuedCommand, answer: Answer) -> None:
        with self._transaction() as connection:
            inbox.finish(connection, answer)
            self._report(answer)
        self._census.forget(answer.command)
        # For ever, and out of the collector's reach: who had what done, and what came of it.
        facts = {"command": command.id, "type": command.type, "by": command.by, "what": _what(command)}
        produced = " ".join(one.identity for one in answer.produced)
        ended = {"state": answer.state, "code": answer.code, "produced": produced}
        logger.info("a command ended", extra=facts | {key: said for key, said in ended.items() if said})


def _what(command: Command) -> str:
    """What it is about: the device that is there, or the document of the one that is to be made."""
    return command.identity or ("" if command.device is None else document.to_bytes(command.device).decode())


async def _answered(command: Command, work: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return await work
    except Expired as error:
        return Answer(command=command.id, state=EXPIRED, code=error.code, text=str(error))
    except HwcensusError as error:
        return Answer(command=command.id, state=FAILED, code=error.code, text=str(error))
    # The loop's boundary: an executor's mistake must not end the agent, nor leave the command without an answer.
    except Exception as error:
        logger.exception("carrying out a command failed", extra={"command": command.id})
        return Answer(command=command.id, state=FAILED, code="agent-error", text=repr(error))
