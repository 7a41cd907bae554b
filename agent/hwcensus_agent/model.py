"""What an agent knows how to tell: the path of every fact, and where it is read. Nobody has to say that it learned.

So a device that differs after an upgrade only in what the former agent, kernel or leading source did not know is
`redescribed`, not changed. The spool keeps the model by which the census was told last.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from hwcensus.classes import CAPABILITIES
from hwcensus.errors import InvalidDocument
from hwcensus_agent import describe
from hwcensus_agent.news import Sight
from hwcensus_agent.spool import Spool


@dataclass(frozen=True, kw_only=True)
class Model:
    """One way of describing hosts."""

    #: Fact path → where it is read, in the words of the describers' table; capability type → nothing.
    facts: Mapping[str, str]
    kernel: str
    #: The source that leads.
    source: str

    @classmethod
    def of(cls, source: str) -> "Model":
        """This agent's on this kernel."""
        facts = dict.fromkeys(CAPABILITIES, "")
        for fact in describe.facts():
            facts[fact.path] = facts.get(fact.path, "") + "; ".join(f"{k}: {v}" for k, v in fact.origins.items())
        return cls(facts=facts, kernel=platform.release(), source=source)

    @classmethod
    def remembered(cls, spool: Spool) -> "Model | None":
        """The one by which the census was told; None where that is not known."""
        told = spool.remembered("model")
        known = {} if told is None else json.loads(told)
        fields = {name: known[name] for name in ("facts", "kernel", "source") if name in known}
        return cls(**fields) if len(fields) == 3 else None  # an agent of another version may have kept another form

    def remember(self, spool: Spool) -> None:
        spool.remember("model", json.dumps(asdict(self)))

    @property
    def digest(self) -> str:
        """What `hello` calls it: agents of one digest know the same facts, and read them from the same places."""
        return hashlib.sha256(json.dumps(sorted(self.facts.items())).encode()).hexdigest()[:16]

    def unknown_to(self, former: "Model | None", told: Iterable[Sight]) -> frozenset[str]:
        """Paths of the facts that the former model did not know, or read elsewhere.

        What another kernel can show is not written anywhere: it could not show what no device had. For another source
        see the census.
        """
        if former is None:
            return frozenset()
        differing = {path for path, _ in self.facts.items() ^ former.facts.items()}
        if former.kernel != self.kernel:
            differing |= self.facts.keys() - _shown(told)
        return frozenset(differing)


def _shown(told: Iterable[Sight]) -> set[str]:
    shown: set[str] = set()
    for sight in told:
        try:
            survey = sight.survey()
        except InvalidDocument:
            continue  # another version of this agent told it, with facts that we do not know
        shown.update(survey.facts, survey.state, survey.capabilities)
    return shown
