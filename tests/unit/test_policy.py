"""The host's policy: what it allows, what it says when it does not, and what it takes for a mistake."""

from pathlib import Path

import pytest

from hwcensus.errors import ConfigError
from hwcensus_agent.commands.policy import Policy

BRIDGES = '[[allow]]\nclass = "bridge"\nactions = ["create", "destroy"]\nnames = ["hwc*", "lab-?"]\n'


def policy(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return Policy.load(path)


def test_without_a_file_nothing_is_allowed_and_the_text_names_what_is_missing(tmp_path: Path) -> None:
    nothing = Policy.load(tmp_path / "policy.toml")
    refusal = nothing.allows("create", "bridge", "hwc0")
    assert refusal is not None
    assert refusal.code == "not-allowed"
    assert 'class = "bridge"' in refusal.text
    assert '"create"' in refusal.text
    assert str(tmp_path / "policy.toml") in refusal.text
    assert nothing.creatable() == ()


def test_an_empty_file_allows_nothing(tmp_path: Path) -> None:
    assert policy(tmp_path, "").allows("destroy", "bridge", "hwc0") is not None


def test_names_are_shell_patterns_and_case_matters(tmp_path: Path) -> None:
    allowed = policy(tmp_path, BRIDGES)
    assert allowed.allows("create", "bridge", "hwc0") is None
    assert allowed.allows("destroy", "bridge", "lab-1") is None
    for name in ("HWC0", "lab-12", "br0", "xhwc0", ""):
        assert allowed.allows("create", "bridge", name) is not None


def test_a_name_outside_the_patterns_is_told_the_patterns(tmp_path: Path) -> None:
    refusal = policy(tmp_path, BRIDGES).allows("create", "bridge", "br0")
    assert refusal is not None
    assert "hwc*, lab-?" in refusal.text
    assert "br0" in refusal.text


def test_an_action_that_is_not_listed_is_not_allowed(tmp_path: Path) -> None:
    only_create = policy(tmp_path, BRIDGES.replace(', "destroy"', ""))
    assert only_create.allows("create", "bridge", "hwc0") is None
    assert only_create.allows("destroy", "bridge", "hwc0") is not None
    assert only_create.creatable() == ("bridge",)


@pytest.mark.parametrize(
    "text, said",
    [
        ("[[alow]]\n", "did you mean allow"),
        ("allow = 1\n", "two brackets"),
        ("[allow]\nclass = 'bridge'\n", "two brackets"),
        (BRIDGES + "parents = ['x']\n", "'parents' is unknown"),
        (BRIDGES.replace("bridge", "brigde"), "did you mean bridge"),
        (BRIDGES.replace("destroy", "destory"), "did you mean destroy"),
        (BRIDGES.replace('["hwc*", "lab-?"]', '"hwc*"'), "names must be a list"),
        (BRIDGES.replace('["hwc*", "lab-?"]', "[]"), "names must be a list"),
        ("[[allow]]\nclass = 1\n", "class must be a string"),
        ("allow = [1]\n", "must be a table"),
        ("[[allow]\n", "policy.toml"),
    ],
)
def test_a_mistake_is_refused_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("[", r"\[")):
        policy(tmp_path, text)
