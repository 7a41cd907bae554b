"""Devices without rest: few events, nothing lost, and counts that add up."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hwcensus.instant import now
from hwcensus_agent.damper import Damper
from hwcensus_agent.news import ADD, CHANGE, REMOVE, News, Sight

from .test_census import FOLDER, bridge

BURST, INTERVAL = 3, 60.0


def damper() -> Damper:
    return Damper(burst=BURST, interval=INTERVAL)


def news(type_: str, sight: Sight, **more: object) -> News:
    plain = News(type=type_, sight=sight, time=now(), source="udev")
    change = {"kind": "state", "changed": ("net.mtu",)} if type_ == CHANGE else {}
    return replace(plain, **change | more)  # type: ignore[arg-type]


def change(mtu: int, **more: object) -> News:
    return news(CHANGE, bridge("br0", mtu=mtu), **more)


def told(out: list[News]) -> list[tuple[str, int | None]]:
    return [(one.type, one.stands_for) for one in out]


def test_a_device_that_changes_now_and_then_is_told_at_once() -> None:
    quiet = damper()
    for second in range(0, 600, 30):
        assert told(quiet.put([change(second)], second)) == [("change", None)]
        assert quiet.due(second) == []


def test_one_that_changes_every_second_is_told_once_a_minute_for_how_many() -> None:
    restless, out = damper(), []
    for second in range(181):
        out += restless.due(second) + restless.put([change(second)], second)
    assert told(out) == [("change", None)] * BURST + [("change", 57), ("change", 60), ("change", 60)]
    assert out[-1].sight == bridge("br0", mtu=179)
    assert told(restless.flush()) == [("change", None)]


def test_one_that_has_come_to_rest_is_told_at_once_again() -> None:
    restless = damper()
    restless.put([change(number) for number in range(10)], 0.0)
    assert told(restless.due(60.0)) == [("change", 7)]
    assert (restless.due(120.0), restless.next_due()) == ([], None)
    assert told(restless.put([change(1)], 121.0)) == [("change", None)]


def test_what_is_held_is_told_as_the_most_telling_of_its_changes() -> None:
    restless = damper()
    restless.put([change(number) for number in range(BURST)], 0.0)
    restless.put([change(1), change(2, kind="facts", changed=("bridge.stp",)), change(3)], 1.0)
    (one,) = restless.flush()
    assert (one.kind, one.changed, one.stands_for) == ("facts", ("bridge.stp", "net.mtu"), 3)


def test_that_a_restless_device_goes_or_comes_is_told_at_once_after_what_was_held() -> None:
    restless = damper()
    restless.put([change(number) for number in range(10)], 0.0)
    assert told(restless.put([news(REMOVE, bridge("br0"))], 1.0)) == [("change", 7), ("remove", None)]
    assert told(restless.put([news(ADD, bridge("br0"))], 2.0)) == [("add", None)]


def test_a_device_that_comes_and_goes_without_rest_is_one_flapping_with_its_count() -> None:
    flapping, out = damper(), []
    for second in range(30):
        out += flapping.put([news(REMOVE, bridge("br0"))], second)
        out += flapping.put([news(ADD, bridge("br0", mtu=second))], second)
    assert told(out) == [("remove", None), ("add", None)] * BURST
    assert told(flapping.due(60.0)) == [("remove", 27), ("add", None)]


def test_what_a_command_did_waits_for_nothing() -> None:
    restless = damper()
    restless.put([change(number) for number in range(10)], 0.0)
    for number in range(5):
        out = restless.put([news(REMOVE, bridge("br0"), command="c1"), news(ADD, bridge("br0"), command="c2")], number)
        assert told(out)[-2:] == [("remove", None), ("add", None)]


def test_a_device_that_goes_on_under_another_identity_is_told_so_after_what_was_held() -> None:
    restless = damper()
    restless.put([change(number) for number in range(10)], 0.0)
    became = change(11, was=bridge("br0").identity)
    became = replace(became, sight=replace(became.sight, identity="net/mac/52:54:00:00:00:01"))
    assert told(restless.put([became], 1.0)) == [("change", 7), ("change", None)]


def test_children_that_flap_with_their_parent_go_before_it_and_come_after_it() -> None:
    parent, child = bridge("br0"), replace(bridge("port"), path=f"{FOLDER}/br0/port")
    flapping = damper()
    for number in range(10):
        flapping.put([news(REMOVE, child), news(REMOVE, parent), news(ADD, parent), news(ADD, child)], number)
    out = flapping.due(60.0)
    assert [f"{one.type} {one.sight.name}" for one in out] == [
        "remove net_port", "remove net_br0", "add net_br0", "add net_port",
    ]  # fmt: skip


def test_a_restless_child_has_gone_before_its_calm_parent_goes() -> None:
    parent, child = bridge("br0"), replace(bridge("port"), path=f"{FOLDER}/br0/port")
    restless = damper()
    for number in range(BURST):
        restless.put([news(REMOVE, child), news(ADD, child)], number)
    out = restless.put([news(REMOVE, child), news(REMOVE, parent)], 10.0)
    assert [f"{one.type} {one.sight.name}" for one in out] == ["remove net_port", "remove net_br0"]


def test_a_restless_parent_has_come_before_its_calm_child_comes() -> None:
    parent, child = bridge("br0"), replace(bridge("port"), path=f"{FOLDER}/br0/port")
    restless = damper()
    for number in range(BURST):
        restless.put([news(REMOVE, parent), news(ADD, parent)], number)
    assert restless.put([news(REMOVE, parent)], 10.0) == []
    out = restless.put([news(ADD, parent), news(ADD, child)], 11.0)
    assert [f"{one.type} {one.sight.name}" for one in out] == ["remove net_br0", "add net_br0", "add net_port"]


#: (device, what happens, seconds until then); what cannot happen to a device that is there, or not, is left out.
steps = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([ADD, CHANGE, REMOVE]), st.sampled_from([0, 1, 25, 70])),
    max_size=60,
)


@given(steps)
def test_nothing_is_lost_and_counts_add_up(run: list[tuple[str, str, int]]) -> None:
    restless, out, world, at = damper(), [], dict[str, bytes](), 0.0
    happened: Counter[tuple[str, str]] = Counter()
    for number, (name, type_, seconds) in enumerate(run):
        at += seconds
        out += restless.due(at)
        sight = bridge(name, mtu=number)
        if (type_ == ADD) == (sight.identity in world):
            continue
        happened[sight.identity, type_] += 1
        world = {i: xml for i, xml in world.items() if i != sight.identity}
        if type_ != REMOVE:
            world[sight.identity] = sight.xml
        out += restless.put([news(type_, sight)], at)
    out += restless.flush()
    told_world, counted = dict[str, bytes](), Counter[tuple[str, str]]()
    for one in out:
        assert (one.type == ADD) == (one.sight.identity not in told_world)
        told_world[one.sight.identity] = one.sight.xml
        if one.type == REMOVE:
            del told_world[one.sight.identity]
        counted[one.sight.identity, REMOVE] += (one.stands_for or 1) - (one.type == ADD) if one.type != CHANGE else 0
        counted[one.sight.identity, CHANGE] += (one.stands_for or 1) if one.type == CHANGE else 0
    assert told_world == world
    for (identity, type_), count in happened.items():
        if type_ == REMOVE:
            assert counted[identity, REMOVE] == count
        elif type_ == CHANGE and happened[identity, REMOVE] <= BURST:
            assert counted[identity, CHANGE] == count
