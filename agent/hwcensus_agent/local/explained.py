"""A policy that tells by which rule it allows what, and what of a WWPN decides that the centre has yet to give."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from hwcensus_agent.commands.policy import VPORT, Policy, Refusal, Rule, told
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.local.open_port import STAND_IN

#: What people read for it; no pattern of a rule fits it by its text.
CHOSEN = "(WWPN of the centre's choice)"
ALLOWED, DEPENDS = "allowed", "depends"


@dataclass(frozen=True, kw_only=True)
class Explained(Policy):
    """A policy that remembers what it said: ALLOWED or DEPENDS, and why."""

    told: list[tuple[str, str]] = field(default_factory=list)

    def allows(self, action: str, class_: str, subject: Subject) -> Refusal | None:
        is_open = class_ == VPORT and subject.wwpn == STAND_IN
        return super().allows(action, class_, replace(subject, wwpn=CHOSEN) if is_open else subject)

    def rule(self, action: str, class_: str, subject: Subject) -> Rule | None:
        if subject.wwpn != CHOSEN:
            found = super().rule(action, class_, subject)
            self._tell(ALLOWED, action, subject, found)
            return found
        could = list(self._whatever_wwpn(action, class_, subject))
        certain = next((rule for rule in could if any(map(_is_any, rule.wwpns))), None)
        if certain is not None:
            self._tell(ALLOWED, action, subject, certain)
            return certain
        for rule in could:
            self._tell(DEPENDS, action, subject, rule)
        return could[0] if could else None

    def _whatever_wwpn(self, action: str, class_: str, subject: Subject) -> Iterator[Rule]:
        """Those that fit for all but it."""
        return (rule for rule in self._about(action, class_) if replace(rule, wwpns=("*",)).fits(subject))

    def _tell(self, word: str, action: str, subject: Subject, rule: Rule | None) -> None:
        if rule is not None:
            what = f"to {action} {rule.class_} {told(rule.class_, subject)}"
            self.told.append((word, f"{what}, by {rule.where}: {rule.limits(action)}"))


def _is_any(pattern: str) -> bool:
    """Whether every WWPN fits it: `*`, `?*`, sixteen `?`."""
    return set(pattern) <= set("*?") and fnmatchcase(STAND_IN, pattern)
