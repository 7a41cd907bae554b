"""The census: what a new look at some devices tells, and what it does not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus import codec
from hwcensus.classes.link_kind import Bridge
from hwcensus.classes.net import Net, NetState
from hwcensus.classes.pci import Pci
from hwcensus.device import Device
from hwcensus.event import Produced
from hwcensus_agent.census import Census, Glance
from hwcensus_agent.commands.census_port import BOUND, Effect, Expectation
from hwcensus_agent.news import News, Sight

FOLDER = "/sys/devices/virtual/net"


def bridge(name: str, identity: str | None = None, *, stp: bool = False, mtu: int = 1500) -> Sight:
    capability = Net(interface=name, nested=(Bridge(stp=stp),), state=NetState(mtu=mtu))
    device = Device(name=f"net_{name}", key=f"{FOLDER}/{name}", parent="computer", capabilities=(capability,))
    return Sight.of(identity or f"net/place/virtual%2Fnet%2F{name}", codec.write_device(device))


def glance(*seen: Sight, paths: set[str] | None = None, **more: object) -> Glance:
    fields: dict[str, object] = {"hinted": {}, "gone": {}, "moved": {}} | more
    looked = None if paths is None else frozenset(f"{FOLDER}/{path}" for path in paths)
    return Glance(seen=seen, paths=looked, **fields)  # type: ignore[arg-type]  # the table above is the default of each


def said(news: list[News]) -> list[str]:
    return [f"{one.type} {one.sight.name}" + (f" {one.kind}" if one.kind else "") for one in news]


def test_a_device_that_was_not_known_is_added_once() -> None:
    census = Census({})
    assert said(census.see(glance(bridge("br0")))) == ["add net_br0"]
    assert said(census.see(glance(bridge("br0")))) == []


def test_only_what_was_looked_at_can_be_missed() -> None:
    census = Census({})
    census.see(glance(bridge("br0"), bridge("br1")))
    assert said(census.see(glance(paths={"br0"}))) == ["remove net_br0"]
    assert said(census.see(glance())) == ["remove net_br1"]


def test_a_changed_fact_and_a_changed_state_are_told_apart() -> None:
    census = Census({})
    census.see(glance(bridge("br0")))
    (facts,) = census.see(glance(bridge("br0", stp=True)))
    (state,) = census.see(glance(bridge("br0", stp=True, mtu=9000)))
    assert (facts.kind, facts.changed) == ("facts", ("bridge.stp",))
    assert (state.kind, state.changed) == ("state", ("net.mtu",))


def test_a_device_that_went_and_came_between_two_looks_is_removed_and_added() -> None:
    census = Census({})
    census.see(glance(bridge("br0")))
    path = f"{FOLDER}/br0"
    news = census.see(glance(bridge("br0"), paths={"br0"}, gone={path: 1}))
    assert said(news) == ["remove net_br0", "add net_br0"]
    news = census.see(glance(bridge("br0"), paths={"br0"}, gone={path: 3}))
    assert [one.stands_for for one in news] == [3, None]


def test_a_device_that_went_more_than_once_and_is_not_there_says_how_often() -> None:
    census = Census({})
    census.see(glance(bridge("br0")))
    (gone,) = census.see(glance(paths={"br0"}, gone={f"{FOLDER}/br0": 3}))
    assert (gone.type, gone.stands_for) == ("remove", 3)


def test_of_what_another_one_has_taken_the_place_nobody_knows_how_often_it_went() -> None:
    census = Census({})
    census.see(glance(bridge("br0", "net/mac/52:54:00:00:00:01")))
    other = bridge("br0", "net/mac/52:54:00:00:00:02")
    news = census.see(glance(other, paths={"br0"}, gone={f"{FOLDER}/br0": 3}))
    assert [(one.type, one.stands_for) for one in news] == [("remove", None), ("add", None)]


def test_a_rename_is_one_change_of_a_handle() -> None:
    census = Census({})
    census.see(glance(bridge("br0")))
    renamed = replace(bridge("br9"), identity=bridge("br0").identity)
    news = census.see(glance(renamed, paths={"br9"}, moved={f"{FOLDER}/br9": f"{FOLDER}/br0"}))
    assert said(news) == ["change net_br9 renumbered"]
    assert census.identities() == {f"{FOLDER}/br9": bridge("br0").identity}


def test_the_same_device_under_another_identity_is_one_change_that_says_what_it_was() -> None:
    census = Census({})
    census.see(glance(bridge("br0")))
    (change,) = census.see(glance(bridge("br0", "net/mac/52:54:00:00:00:01"), paths={"br0"}))
    assert (change.type, change.was) == ("change", "net/place/virtual%2Fnet%2Fbr0")


def test_other_hardware_at_the_same_place_is_a_remove_and_an_add() -> None:
    census = Census({})
    census.see(glance(bridge("br0", "net/mac/52:54:00:00:00:01")))
    news = census.see(glance(bridge("br0", "net/mac/52:54:00:00:00:02"), paths={"br0"}))
    assert said(news) == ["remove net_br0", "add net_br0"]


def test_what_is_there_and_of_which_nothing_can_be_told_is_not_gone() -> None:
    census = Census({})
    census.see(glance(bridge("br0"), bridge("br1")))
    assert said(census.see(glance(untold=frozenset({f"{FOLDER}/br0"})))) == ["remove net_br1"]
    assert said(census.see(glance(bridge("br0", stp=True)))) == ["change net_br0 facts"]


def test_who_is_seen_elsewhere_did_not_become_what_came_to_its_place() -> None:
    one, other = "net/mac/52:54:00:00:00:01", "net/mac/52:54:00:00:00:02"
    census = Census({})
    census.see(glance(bridge("br0", one)))
    news = census.see(glance(bridge("br0", other), bridge("br1", one)))
    assert [(one.type, one.sight.name, one.was) for one in news] == [
        ("add", "net_br0", None),
        ("change", "net_br1", None),
    ]


def test_children_are_removed_before_their_parents() -> None:
    census = Census({})
    deep = replace(bridge("br0"), identity="b", path=f"{FOLDER}/br0/below", name="below")
    census.see(glance(bridge("br0"), deep))
    assert said(census.see(glance())) == ["remove below", "remove net_br0"]


async def test_the_event_that_a_command_causes_names_it_and_the_next_one_does_not() -> None:
    census = Census({})
    census.expect("c1", [Expectation(effect=Effect.ADD, subsystem="net", kernel_name="br0")])
    (news,) = census.see(glance(bridge("br0")))
    assert news.command == "c1"
    census.in_outbox([news])
    assert await census.wait_seen("c1", 1) == (Produced(identity=news.sight.identity, name="net_br0"),)
    census.forget("c1")
    assert [one.command for one in census.see(glance()) + census.see(glance(bridge("br0")))] == [None, None]


@pytest.mark.parametrize("seconds", [0.01])
async def test_a_command_whose_device_does_not_come_learns_so(seconds: float) -> None:
    census = Census({})
    census.expect("c1", [Expectation(effect=Effect.ADD, subsystem="net", kernel_name="br0")])
    assert await census.wait_seen("c1", seconds) is None


def driven(driver: str | None) -> Sight:
    device = Device(name="pci_0000_00_02_0", key="/sys/devices/0000:00:02.0", driver=driver, capabilities=(Pci(),))
    return Sight.of("pci/place/0000:00:02.0", codec.write_device(device))


async def test_a_device_whose_kernel_name_nobody_knows_before_is_expected_by_its_identity() -> None:
    census = Census({})
    census.expect("c1", [Expectation(effect=Effect.ADD, subsystem="net", identity="net/mac/52:54:00:12:34:56")])
    news = census.see(glance(bridge("br0"), bridge("br1", "net/mac/52:54:00:12:34:56")))
    assert [(one.sight.name, one.command) for one in news] == [("net_br0", None), ("net_br1", "c1")]


async def test_what_a_command_makes_anew_elsewhere_is_added_after_the_former_and_what_was_below_it_went() -> None:
    census, identity = Census({}), "net/mac/52:54:00:12:34:56"
    below = replace(bridge("br0"), identity="b", path=f"{FOLDER}/br0/below", name="below")
    census.see(glance(bridge("br0", identity), below))
    census.expect("c1", [Expectation(effect=Effect.ADD, subsystem="net", identity=identity)])
    news = census.see(glance(bridge("br1", identity), paths={"br1"}))
    assert [(*said([one]), one.command) for one in news] == [
        ("remove below", None),
        ("remove net_br0", None),
        ("add net_br1", "c1"),
    ]


@pytest.mark.parametrize("expected", ["vfio-pci", BOUND])
async def test_a_change_of_driver_names_its_command_once_the_expected_one_has_the_device(expected: str) -> None:
    census = Census({})
    census.see(glance(driven("e1000e")))
    named = {"subsystem": "pci", "kernel_name": "0000:00:02.0"}
    census.expect("c1", [Expectation(effect=Effect.CHANGE, driver=expected, **named)])
    caused = [census.see(glance(driven(driver)))[0].command for driver in (None, "vfio-pci", "e1000e")]
    assert caused == [None, "c1", None]
    census.expect("c2", [Expectation(effect=Effect.CHANGE, driver=None, **named)])
    assert census.see(glance(driven(None)))[0].command == "c2"


@pytest.mark.parametrize("seconds", [0.01])
async def test_a_command_that_expects_several_is_done_when_all_were_seen(seconds: float) -> None:
    census = Census({})
    census.see(glance(bridge("br0")))
    census.expect("c1", [
        Expectation(effect=Effect.ADD, subsystem="net", kernel_name="br1"),
        Expectation(effect=Effect.REMOVE, subsystem="net", kernel_name="br0"),
    ])  # fmt: skip
    census.in_outbox(census.see(glance(bridge("br0"), bridge("br1"))))
    assert await census.wait_seen("c1", seconds) is None
    census.in_outbox(census.see(glance(bridge("br1"))))
    produced = await census.wait_seen("c1", seconds)
    assert produced is not None
    assert [one.name for one in produced] == ["net_br1"]


@pytest.mark.parametrize("seconds", [0.01])
async def test_what_goes_with_a_device_goes_by_the_same_command_and_is_no_end_of_it(seconds: float) -> None:
    census = Census({})
    below, beside = (
        replace(bridge(name), path=f"{FOLDER}/{path}") for name, path in (("br1", "br0/br1"), ("br2", "br00"))
    )
    census.see(glance(bridge("br0"), below, beside))
    census.expect("c1", [Expectation(effect=Effect.REMOVE, subsystem="net", kernel_name="br0")])
    (first,) = census.see(glance(bridge("br0"), beside))
    census.in_outbox([first])
    assert first.command == "c1"
    assert await census.wait_seen("c1", seconds) is None
    rest = census.see(glance())
    census.in_outbox(rest)
    assert {one.sight.name: one.command for one in rest} == {"net_br0": "c1", "net_br2": None}
    assert await census.wait_seen("c1", 1) == ()


async def test_a_command_that_expects_nothing_has_seen_it_all() -> None:
    census = Census({})
    census.expect("c1", [])
    assert await census.wait_seen("c1", 1) == ()


names = st.sampled_from(["br0", "br1", "br2", "br3"])
worlds = st.lists(st.dictionaries(names, st.booleans()), min_size=1, max_size=8)


@given(worlds)
def test_what_is_told_of_any_run_of_worlds_adds_up_to_the_last_one(runs: list[dict[str, bool]]) -> None:
    census = Census({})
    told: dict[str, bytes] = {}
    for world in runs:
        for news in census.see(glance(*(bridge(name, stp=stp) for name, stp in world.items()))):
            if news.type == "remove":
                del told[news.sight.identity]
            else:
                assert (news.type == "add") == (news.sight.identity not in told)
                told[news.sight.identity] = news.sight.digest
    expected = [bridge(name, stp=stp) for name, stp in runs[-1].items()]
    assert told == {sight.identity: sight.digest for sight in expected}


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_event_happened_when_it_was_first_hinted_at(at: datetime) -> None:
    (news,) = Census({}).see(glance(bridge("br0"), paths={"br0"}, hinted={f"{FOLDER}/br0": at}))
    assert news.time == at


def moved(**paths: str) -> dict[str, str]:
    return {f"{FOLDER}/{new}": f"{FOLDER}/{old}" for new, old in paths.items()}


def as_(sight: Sight, identity: Sight) -> Sight:
    return replace(sight, identity=identity.identity)


def test_a_device_that_made_room_for_a_renamed_one_is_gone() -> None:
    census = Census({})
    census.see(glance(bridge("br0"), bridge("br1")))
    news = census.see(glance(as_(bridge("br1"), bridge("br0")), paths={"br1"}, moved=moved(br1="br0")))
    assert said(news) == ["remove net_br1", "change net_br1 renumbered"]
    assert census.identities() == {f"{FOLDER}/br1": bridge("br0").identity}


def test_a_device_that_was_renamed_and_is_not_there_is_gone() -> None:
    census = Census({})
    census.see(glance(bridge("br0")))
    assert said(census.see(glance(paths={"br1"}, moved=moved(br1="br0")))) == ["remove net_br0"]


def test_two_devices_that_change_names_are_two_changes() -> None:
    census = Census({})
    census.see(glance(bridge("br0"), bridge("br1")))
    swapped = (as_(bridge("br0"), bridge("br1")), as_(bridge("br1"), bridge("br0")))
    news = census.see(glance(*swapped, paths={"br0", "br1"}, moved=moved(br0="br1", br1="br0")))
    assert said(news) == ["change net_br0 renumbered", "change net_br1 renumbered"]
    assert census.identities() == {one.path: one.identity for one in swapped}


def test_what_comes_to_the_place_of_one_that_went_is_not_the_same_even_without_an_identifier() -> None:
    census = Census({})
    census.see(glance(bridge("br0", "net/mac/52:54:00:00:00:01")))
    news = census.see(glance(bridge("br0"), paths={"br0"}, gone={f"{FOLDER}/br0": 1}))
    assert said(news) == ["remove net_br0", "add net_br0"]
    assert [one.was for one in news] == [None, None]


def test_children_that_flapped_with_their_parent_go_before_it_and_come_after_it() -> None:
    parent, child = bridge("br0"), replace(bridge("port"), path=f"{FOLDER}/br0/port")
    census = Census({})
    census.see(glance(parent, child))
    news = census.see(glance(parent, child, paths={"br0", "br0/port"}, gone={parent.path: 1, child.path: 1}))
    assert said(news) == ["remove net_port", "remove net_br0", "add net_br0", "add net_port"]


def test_after_a_reboot_a_path_says_nothing_about_who_is_who() -> None:
    census = Census({})
    census.see(glance(bridge("br0", "net/mac/52:54:00:00:00:01")))
    news = census.see(glance(bridge("br0", "net/place/other"), same_boot=False))
    assert said(news) == ["remove net_br0", "add net_br0"]


def test_a_device_that_another_version_told_with_facts_we_do_not_know_differs() -> None:
    census = Census({})
    strange = replace(bridge("br0"), xml=b"<device><name>net_br0</name><of_tomorrow/></device>", digest=b"\0" * 32)
    census.see(glance(strange))
    (change,) = census.see(glance(bridge("br0")))
    assert (change.kind, change.changed) == ("facts", ())
