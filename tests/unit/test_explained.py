"""What a policy says before the centre has given a WWPN: it holds for whatever that will be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.commands.policy import CREATE, VPORT, Policy, Rule
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.local.explained import ALLOWED, DEPENDS, Explained
from hwcensus_agent.local.open_port import STAND_IN

ADAPTER, OTHER = "210000e08b9318a1", "210000e08b9318a2"
WWPNS = st.sampled_from(["5001438001234567", "10000000c9831b9e", "c001438001234567"])
PATTERNS = st.sampled_from(["*", "5001*", "c*", "?0*", "10000000c9831b9e", "????????????????"])
RULES = st.builds(
    Rule,
    class_=st.just(VPORT),
    actions=st.sampled_from([("create",), ("destroy",), ("create", "destroy")]),
    parents=st.sampled_from([("*",), (ADAPTER,), (OTHER,), (OTHER, "21*")]),
    wwpns=st.lists(PATTERNS, min_size=1, max_size=2).map(tuple),
)


def fitting(rules: tuple[Rule, ...], wwpn: str) -> list[Rule]:
    asked = Subject(name="", parent=ADAPTER, wwpn=wwpn)
    return [rule for rule in rules if CREATE in rule.actions and rule.fits(asked)]


@given(rules=st.lists(RULES, max_size=4).map(tuple), wwpn=WWPNS)
def test_what_is_certain_holds_for_every_wwpn_and_the_rest_for_those_that_are_told(
    rules: tuple[Rule, ...], wwpn: str
) -> None:
    explained = Explained(rules=rules)
    refusal = explained.allows(CREATE, VPORT, Subject(name="", parent=ADAPTER, wwpn=STAND_IN))
    truth = Policy(rules=rules).allows(CREATE, VPORT, Subject(name="", parent=ADAPTER, wwpn=wwpn))
    words = {word for word, _ in explained.told}
    if refusal is not None:
        assert (truth is None, words) == (False, set())
        assert STAND_IN not in refusal.text
    elif words == {ALLOWED}:
        assert truth is None
    else:
        assert words == {DEPENDS}
        told = [line for _, line in explained.told]
        assert truth is not None or any(rule.limits(CREATE) in line for rule in fitting(rules, wwpn) for line in told)


def test_a_wwpn_that_is_known_is_asked_as_the_runner_does() -> None:
    explained = Explained(rules=(Rule(class_=VPORT, actions=(CREATE,), wwpns=("5001*",)),))
    assert explained.allows(CREATE, VPORT, Subject(name="", parent=ADAPTER, wwpn="5001438001234567")) is None
    assert explained.allows(CREATE, VPORT, Subject(name="", parent=ADAPTER, wwpn="10000000c9831b9e")) is not None
    assert [word for word, _ in explained.told] == [ALLOWED]


@pytest.mark.parametrize("pattern, word", [("**", ALLOWED), ("?*", ALLOWED), ("?" * 16, ALLOWED), ("?" * 15, DEPENDS)])
def test_a_pattern_that_every_wwpn_fits_is_certain(pattern: str, word: str) -> None:
    explained = Explained(rules=(Rule(class_=VPORT, actions=(CREATE,), wwpns=(pattern,)),))
    assert explained.allows(CREATE, VPORT, Subject(name="", parent=ADAPTER, wwpn=STAND_IN)) is None
    assert [said for said, _ in explained.told] == [word]
