"""The host's policy: what it allows, what it says when it does not, and what it takes for a mistake."""

from dataclasses import replace
from pathlib import Path

import pytest

from hwcensus.errors import ConfigError
from hwcensus_agent.commands.policy import Policy
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.settings import AgentSettings, CensusSettings, CommandSettings

BRIDGES = '[[allow]]\nclass = "bridge"\nactions = ["create", "destroy"]\nnames = ["hwc*", "lab-?"]\n'


PARENT, WWPN = "10000000c9831b9e", "5001438001234567"
PORTS = 'ports = ["eth1", "ens3f?"]\n'
VLANS = '[[allow]]\nclass = "vlan"\nactions = ["create", "destroy"]\nnames = ["eth1.*"]\nlowers = ["eth1"]\n'
VPORTS = '[[allow]]\nclass = "vport"\nactions = ["create", "destroy"]\n'


def policy(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return Policy.load(path)


def test_without_a_file_vports_are_allowed_and_nothing_else_and_the_text_names_what_is_missing(tmp_path: Path) -> None:
    default = Policy.load(tmp_path / "policy.toml")
    for action in ("create", "destroy"):
        assert default.allows(action, "vport", Subject(name="", parent=PARENT, wwpn=WWPN)) is None
    assert default.creatable() == ("vport",)
    for action, class_ in [("create", "bridge"), ("detach", "pci"), ("reattach", "usb"), ("detach", "vport")]:
        refusal = default.allows(action, class_, Subject(name="hwc0"))
        assert refusal is not None
        assert refusal.code == "not-allowed"
        assert f'class = "{class_}"' in refusal.text
        assert f'"{action}"' in refusal.text
        assert str(tmp_path / "policy.toml") in refusal.text


def test_a_file_takes_the_place_of_what_holds_without_one(tmp_path: Path) -> None:
    assert policy(tmp_path, BRIDGES).allows("create", "vport", Subject(name="", parent=PARENT, wwpn=WWPN)) is not None


def test_an_empty_file_allows_nothing(tmp_path: Path) -> None:
    assert policy(tmp_path, "").allows("destroy", "bridge", Subject(name="hwc0")) is not None


def test_names_are_shell_patterns_and_case_matters(tmp_path: Path) -> None:
    allowed = policy(tmp_path, BRIDGES)
    assert allowed.allows("create", "bridge", Subject(name="hwc0")) is None
    assert allowed.allows("destroy", "bridge", Subject(name="lab-1")) is None
    for name in ("HWC0", "lab-12", "br0", "xhwc0", ""):
        assert allowed.allows("create", "bridge", Subject(name=name)) is not None


def test_a_name_outside_the_patterns_is_told_the_patterns(tmp_path: Path) -> None:
    refusal = policy(tmp_path, BRIDGES).allows("create", "bridge", Subject(name="br0"))
    assert refusal is not None
    assert "hwc*, lab-?" in refusal.text
    assert "br0" in refusal.text


def test_an_action_that_is_not_listed_is_not_allowed(tmp_path: Path) -> None:
    only_create = policy(tmp_path, BRIDGES.replace(', "destroy"', ""))
    assert only_create.allows("create", "bridge", Subject(name="hwc0")) is None
    assert only_create.allows("destroy", "bridge", Subject(name="hwc0")) is not None
    assert only_create.creatable() == ("bridge",)


@pytest.mark.parametrize(
    "limits, allowed",
    [
        ("", True),
        ("parents = ['10000000c9']", True),
        ("parents = ['0x10:00:00:00:C9']", True),
        ("parents = ['10000000c9831b9e']", True),
        ("parents = ['1000????c983*']", True),
        ("parents = ['2']", False),
        ("parents = ['c9831b9e']", False),
        ("wwpns = ['50014380']", True),
        ("wwpns = ['2', '50:01:43']", True),
        ("wwpns = ['5001438001234568']", False),
        ("wwpns = ['500143800123456?']", True),
        ("parents = ['1']\nwwpns = ['5']", True),
        ("parents = ['1']\nwwpns = ['1']", False),
        ("parents = ['5']\nwwpns = ['5']", False),
    ],
)
def test_a_vport_is_allowed_by_its_parent_and_by_how_its_wwpn_begins(
    tmp_path: Path, limits: str, allowed: bool
) -> None:
    refusal = policy(tmp_path, f"{VPORTS}{limits}\n").allows(
        "create", "vport", Subject(name="", parent=PARENT, wwpn=WWPN)
    )
    assert (refusal is None) == allowed
    if refusal is not None:
        assert f"not {WWPN} under {PARENT}" in refusal.text


def test_what_is_not_known_of_a_vport_fits_no_limit(tmp_path: Path) -> None:
    limited = policy(tmp_path, VPORTS + "parents = ['1']\nwwpns = ['5']\n")
    assert limited.allows("destroy", "vport", Subject(name="host7", parent=None, wwpn=WWPN)) is not None
    assert limited.allows("destroy", "vport", Subject(name="host7", parent=PARENT, wwpn=None)) is not None
    assert limited.allows("destroy", "vport", Subject(name="host7", parent=PARENT, wwpn=WWPN)) is None


@pytest.mark.parametrize("class_", ["bridge", "bond"])
def test_a_rule_that_names_no_ports_lets_no_interface_be_taken(tmp_path: Path, class_: str) -> None:
    allowed = policy(tmp_path, BRIDGES.replace("bridge", class_))
    assert allowed.allows("create", class_, Subject(name="hwc0")) is None
    refusal = allowed.allows("create", class_, Subject(name="hwc0", lowers=("eth0",)))
    assert refusal is not None
    assert refusal.code == "not-allowed"
    assert f"lets {class_} create only names hwc*, lab-? of no ports, not hwc0 of eth0" in refusal.text


@pytest.mark.parametrize(
    "taken, allowed",
    [
        ([], True),
        (["eth1"], True),
        (["eth1", "ens3f0"], True),
        (["eth1", "eth0"], False),
        (["eth0", "eth1"], False),
        (["eth10"], False),
        (["ENS3F0"], False),
    ],
)
def test_every_port_has_to_be_listed(tmp_path: Path, taken: list[str], allowed: bool) -> None:
    refusal = policy(tmp_path, BRIDGES + PORTS).allows("create", "bridge", Subject(name="hwc0", lowers=tuple(taken)))
    assert (refusal is None) == allowed
    if refusal is not None:
        assert f"of ports eth1, ens3f?, not hwc0 of {', '.join(taken)}" in refusal.text


def test_name_and_ports_have_to_be_of_one_rule(tmp_path: Path) -> None:
    of_another = BRIDGES.replace('"hwc*", "lab-?"', '"br*"') + PORTS
    both = policy(tmp_path, BRIDGES + of_another)
    assert both.allows("create", "bridge", Subject(name="br0", lowers=("eth1",))) is None
    assert both.allows("create", "bridge", Subject(name="hwc0", lowers=("eth1",))) is not None


def test_a_vlan_is_allowed_by_what_it_is_on_top_of(tmp_path: Path) -> None:
    allowed = policy(tmp_path, VLANS)
    assert allowed.allows("create", "vlan", Subject(name="eth1.7", lowers=("eth1",))) is None
    refusal = allowed.allows("create", "vlan", Subject(name="eth1.7", lowers=("eth0",)))
    assert refusal is not None
    assert "names eth1.* of lowers eth1, not eth1.7 of eth0" in refusal.text


def test_what_an_interface_is_made_of_is_not_asked_of_its_destruction(tmp_path: Path) -> None:
    assert policy(tmp_path, BRIDGES + PORTS).allows("destroy", "bridge", Subject(name="hwc0")) is None
    refusal = policy(tmp_path, BRIDGES + PORTS).allows("destroy", "bridge", Subject(name="br0"))
    assert refusal is not None
    assert "ports" not in refusal.text
    only_destroy = VLANS.replace('"create", ', "").replace('lowers = ["eth1"]\n', "")
    assert policy(tmp_path, only_destroy).allows("destroy", "vlan", Subject(name="eth1.7")) is None


def test_devices_are_detached_only_where_their_class_and_name_are_listed(tmp_path: Path) -> None:
    rules = '[[allow]]\nclass = "pci"\nactions = ["detach", "reattach"]\nnames = ["0000:3b:*"]\n'
    allowed = policy(tmp_path, rules)
    assert allowed.allows("detach", "pci", Subject(name="0000:3b:00.1")) is None
    assert allowed.allows("detach", "pci", Subject(name="0000:3c:00.0")) is not None
    assert allowed.allows("detach", "usb", Subject(name="0000:3b:00.1")) is not None
    assert allowed.creatable() == ()


def test_the_rule_that_allows_is_named_by_its_place(tmp_path: Path) -> None:
    rule = policy(tmp_path, BRIDGES + VPORTS).rule("create", "vport", Subject(name="", parent=PARENT, wwpn=WWPN))
    assert rule is not None
    assert rule.where.endswith("policy.toml: allow 2")


def test_an_agent_that_tells_of_another_machine_allows_nothing_whatever_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(BRIDGES)
    here = AgentSettings(commands=CommandSettings(policy=tmp_path / "policy.toml"))
    assert Policy.of(here).allows("create", "bridge", Subject(name="hwc0")) is None
    elsewhere = replace(here, census=CensusSettings(hal_address="unix:path=/run/bus", sysroot="none"))
    refusal = Policy.of(elsewhere).allows("create", "bridge", Subject(name="hwc0"))
    assert refusal is not None
    assert "another machine" in refusal.text


def test_a_file_that_everybody_may_write_is_no_policy(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(BRIDGES)
    (tmp_path / "policy.toml").chmod(0o646)
    with pytest.raises(ConfigError, match="chmod o-w") as error:
        Policy.load(tmp_path / "policy.toml")
    assert error.value.code == "bad-mode"


@pytest.mark.parametrize(
    "text, said",
    [
        ("[[alow]]\n", "did you mean allow"),
        ("allow = 1\n", "two brackets"),
        ("[allow]\nclass = 'bridge'\n", "two brackets"),
        (BRIDGES + "parents = ['1']\n", "bridge: 'parents' is unknown"),
        (BRIDGES + "parnets = ['1']\n", "did you mean parents"),
        (VPORTS + "names = ['host*']\n", "vport: 'names' is unknown"),
        (VPORTS + "wwpns = ['5001438g']\n", "5001438g"),
        (VPORTS + "wwpns = ['']\n", "wwpns must be a list"),
        (VPORTS.replace("destroy", "detach"), "actions of vport: 'detach' is unknown"),
        (BRIDGES.replace("bridge", "pci"), "actions of pci: 'create' is unknown"),
        (BRIDGES.replace("bridge", "brigde"), "did you mean bridge"),
        (BRIDGES.replace("destroy", "destory"), "did you mean destroy"),
        (BRIDGES.replace('["hwc*", "lab-?"]', '"hwc*"'), "names must be a list"),
        (BRIDGES.replace('["hwc*", "lab-?"]', "[]"), "names must be a list"),
        (BRIDGES + PORTS.replace('["eth1", "ens3f?"]', "[]"), "ports must be a list"),
        (BRIDGES + PORTS.replace("ports", "port"), "did you mean ports"),
        (BRIDGES + PORTS.replace("ports", "lowers"), "bridge: 'lowers' is unknown"),
        (VLANS.replace("lowers", "ports"), "vlan: 'ports' is unknown"),
        (VLANS.replace('lowers = ["eth1"]\n', ""), "lowers must be a list"),
        (BRIDGES.replace("bridge", "virt_functions").replace(', "destroy"', "") + PORTS, "'ports' is unknown"),
        ("[[allow]]\nclass = 1\n", "class must be a string"),
        ("allow = [1]\n", "must be a table"),
        ("[[allow]\n", "policy.toml"),
    ],
)
def test_a_mistake_is_refused_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("[", r"\[")):
        policy(tmp_path, text)
