"""The `hello` that begins a stream: who speaks, after what, and what is published at that moment."""

from collections.abc import Iterable
from dataclasses import dataclass

import hwcensus
from hwcensus.census_digest import write_total
from hwcensus.event import AgentState, Evidence, Hello, SourceState
from hwcensus.instant import now, read_instant
from hwcensus_agent.model import Model
from hwcensus_agent.sources import Source
from hwcensus_agent.spool import Spool


@dataclass(frozen=True, kw_only=True)
class Greeting:
    """What does not change between two hellos of one process."""

    host: str
    name: str
    evidence: Evidence
    boot: str | None
    creatable: tuple[str, ...]
    sources: tuple[Source, ...]
    model: Model

    def begin(self, spool: Spool, commands_partition: int | None, moved_from: int | None) -> None:
        """Begins a new stream with its hello."""
        alive = spool.remembered("alive")

        def hello(after_stream: str | None, after_seq: int) -> Hello:
            return Hello(
                host=self.host, stream=spool.stream or "", seq=spool.seq + 1, time=now(), name=self.name,
                after_stream=after_stream, after_seq=after_seq if after_stream is not None else None,
                count=spool.count, digest=write_total(spool.digest), state_digest=write_total(spool.state_digest),
                down_since=None if alive is None else read_instant(alive), boot=self.boot,
                moved_from=moved_from,
                evidence=self.evidence, agent=self._agent(), sources=tuple(_states(self.sources)),
                creatable=self.creatable, commands_partition=commands_partition,
            )  # fmt: skip

        spool.begin_stream(hello)

    def _agent(self) -> AgentState:
        return AgentState(version=hwcensus.__version__, model=self.model.digest, kernel=self.model.kernel)


def _states(sources: Iterable[Source]) -> Iterable[SourceState]:
    for source in sources:
        yield SourceState(name=source.name, works=source.works, reason=source.why_not)
