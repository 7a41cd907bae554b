"""Hints wait for quiet: one look for many of them, and never longer than the longest wait."""

from math import inf

import pytest

from hwcensus_agent.host import key_of
from hwcensus_agent.pending import Pending, Ready
from hwcensus_agent.sources import Action, Hint

BR0, BR1 = "/sys/devices/virtual/net/br0", "/sys/devices/virtual/net/br1"


def hint(action: Action, path: str = BR0, old: str | None = None, source: str = "udev") -> Hint:
    return Hint(source=source, action=action, syspath=path, old_syspath=old)


@pytest.fixture
def pending() -> Pending:
    return Pending(quiet=0.2, longest=1.0, is_known=lambda path: path == BR0)


def test_nothing_is_due_before_quiet(pending: Pending) -> None:
    pending.hint(hint(Action.CHANGE), 10.0)
    assert pending.take(10.1) is None
    ready = pending.take(10.2)
    assert ready is not None
    assert ready.paths == frozenset({BR0})
    assert pending.next_due() is None


def test_a_device_that_is_never_quiet_is_looked_at_after_the_longest_wait(pending: Pending) -> None:
    for tenth in range(9):
        pending.hint(hint(Action.CHANGE), 10.0 + tenth / 10)
    assert pending.next_due() == 11.0


def test_one_restless_device_does_not_hold_up_another(pending: Pending) -> None:
    pending.hint(hint(Action.CHANGE, BR1), 10.0)
    pending.hint(hint(Action.CHANGE, BR0), 10.15)
    ready = pending.take(10.2)
    assert ready is not None
    assert ready.paths == frozenset({BR1})


def test_what_a_command_did_is_looked_at_at_once_and_what_can_wait_is_not(pending: Pending) -> None:
    usb = "/sys/devices/usb1/1-1"
    for path in (BR1, usb, f"{usb}/1-1:1.0"):
        pending.hint(hint(Action.ADD, path), 10.0)
    pending.hurry(f"{usb}/1-1:1.0", 10.0)
    assert pending.next_due() == 0
    ready = pending.take(10.2)
    assert ready is not None
    assert ready.paths == frozenset({usb, f"{usb}/1-1:1.0"}), "nothing but what it is below comes with it"
    ready = pending.take(10.2)
    assert ready is not None
    assert ready.paths == frozenset({BR1})


def test_at_the_end_nothing_is_left_for_what_a_command_did(pending: Pending) -> None:
    pending.hint(hint(Action.ADD, BR1), 10.0)
    pending.hurry(BR0, 10.0)
    ready = pending.take(inf)
    assert ready is not None
    assert ready.paths == frozenset({BR0, BR1})


def test_a_device_is_not_looked_at_before_what_it_is_below(pending: Pending) -> None:
    pending.hint(hint(Action.ADD, "/sys/devices/usb1/1-1"), 10.0)
    pending.hint(hint(Action.ADD, "/sys/devices/usb1/1-1/1-1:1.0/input/input5"), 10.0)
    pending.hint(hint(Action.BIND, "/sys/devices/usb1/1-1"), 10.1)
    ready = pending.take(10.2)
    assert ready is not None
    assert ready.paths == frozenset({"/sys/devices/usb1/1-1", "/sys/devices/usb1/1-1/1-1:1.0/input/input5"})


def test_only_the_leading_source_says_that_a_known_device_went(pending: Pending) -> None:
    pending.hint(hint(Action.REMOVE, source="rtnetlink"), 10.0)
    pending.hint(hint(Action.REMOVE), 10.0)
    pending.hint(hint(Action.ADD), 10.1)
    ready = pending.take(11.0)
    assert ready is not None
    assert ready.gone == {BR0: 1}


def test_a_renamed_device_is_looked_at_where_it_is_now(pending: Pending) -> None:
    pending.hint(hint(Action.CHANGE, BR0), 10.0)
    pending.hint(hint(Action.MOVE, BR1, old=BR0), 10.0)
    pending.hint(hint(Action.MOVE, BR1 + "x", old=BR1), 10.0)
    ready = pending.take(11.0)
    assert ready is not None
    assert (ready.paths, ready.moved) == (frozenset({BR1 + "x"}), {BR1 + "x": BR0})


def test_what_names_a_renamed_device_is_looked_at_with_it_however_long_others_tell_of_the_rename(
    pending: Pending,
) -> None:
    port = "/sys/devices/virtual/net/eth0"
    pending.hint(hint(Action.MOVE, BR1, BR0, source="rtnetlink"), 10.0)
    pending.hint(Hint(source="rtnetlink", action=Action.CHANGE, syspath=port, beside=BR1), 10.0)
    pending.hint(hint(Action.MOVE, BR1, BR0), 10.1)
    assert pending.take(10.25) is None
    ready = pending.take(10.3)
    assert ready is not None
    assert (ready.paths, ready.moved) == (frozenset({BR1, port}), {BR1: BR0})


def test_a_look_at_everything_takes_all_that_waits_with_it(pending: Pending) -> None:
    pending.hint(hint(Action.ENUMERATE, "/sys"), 10.0)
    pending.hint(hint(Action.CHANGE), 10.15)
    assert pending.take(10.1) is None
    ready = pending.take(10.25)
    assert ready is not None
    assert ready.paths is None
    assert pending.next_due() is None


def taken(pending: Pending, *hints: Hint) -> dict[str, str]:
    for one in hints:
        pending.hint(one, 10.0)
    ready = pending.take(11.0)
    assert ready is not None
    return ready.moved


def test_a_chain_of_renames_that_two_sources_tell_is_one_rename(pending: Pending) -> None:
    steps = [(BR0, "/tmp"), ("/tmp", BR1)]
    told = [hint(Action.MOVE, new, old=old, source=source) for old, new in steps for source in ("udev", "rtnetlink")]
    assert taken(pending, *told) == {BR1: BR0}


def test_two_devices_that_change_names_are_looked_at_together_whoever_tells_it(pending: Pending) -> None:
    steps = [(BR0, "/tmp"), (BR1, BR0), ("/tmp", BR1)]
    for second, (old, new) in enumerate(steps):
        pending.hint(hint(Action.MOVE, new, old=old), 10.0 + second / 100)
    for old, new in ((BR1, BR0), (BR0, BR1)):  # rtnetlink looks at sysfs, where the step between is over
        pending.hint(hint(Action.MOVE, new, old=old, source="rtnetlink"), 10.03)
    ready = pending.take(10.03 + 0.2)
    assert ready is not None
    assert (ready.paths, ready.moved) == (frozenset({BR0, BR1}), {BR0: BR1, BR1: BR0})
    assert pending.next_due() is None


def test_a_rename_that_only_rtnetlink_tells_is_heard(pending: Pending) -> None:
    assert taken(pending, hint(Action.MOVE, BR1, old=BR0, source="rtnetlink")) == {BR1: BR0}


def test_what_is_renamed_after_the_known_one_went_is_another(pending: Pending) -> None:
    came_anew = [hint(Action.REMOVE), hint(Action.ADD), hint(Action.MOVE, BR1, old=BR0)]
    assert taken(pending, *came_anew) == {}
    moved_first = [hint(Action.MOVE, BR1, old=BR0), hint(Action.ADD), hint(Action.MOVE, BR1 + "x", old=BR0)]
    assert taken(pending, *moved_first) == {BR1: BR0}


def test_a_device_that_is_renamed_and_goes_is_missed_where_it_was(pending: Pending) -> None:
    for one in (hint(Action.MOVE, BR1, old=BR0), hint(Action.REMOVE, BR1)):
        pending.hint(one, 10.0)
    ready = pending.take(11.0)
    assert ready is not None
    assert ready.moved == {}
    assert BR0 in (ready.paths or ())


def test_who_changed_places_is_known_where_it_is_and_who_went_nowhere() -> None:
    ready = Ready(paths=None, hinted={}, gone={"/sys/c": 1}, moved={"/sys/a": "/sys/b", "/sys/b": "/sys/a"})
    before = {"/sys/a": "A", "/sys/b": "B", "/sys/c": "C", "/sys/d": "D"}
    assert ready.who_is_where(before) == {"/sys/a": "B", "/sys/b": "A", "/sys/d": "D"}


def test_a_hint_at_a_name_that_is_no_text_is_at_the_key_of_its_device(pending: Pending) -> None:
    pending.hint(hint(Action.CHANGE, "/sys/devices/virtual/net/\udcff"), 10.0)
    ready = pending.take(11.0)
    assert ready is not None
    assert ready.paths == frozenset({key_of("/sys/devices/virtual/net/\udcff")})


def test_what_was_put_back_waits_and_is_one_with_what_came_since(pending: Pending) -> None:
    pending.hint(hint(Action.MOVE, BR1, old=BR0), 10.0)
    failed = pending.take(10.2)
    assert failed is not None
    pending.hint(hint(Action.MOVE, f"{BR1}x", old=BR1), 10.3)
    pending.put_back(failed, 15.0)
    ready = pending.take(20.0)
    assert ready is not None
    assert ready.moved == {f"{BR1}x": BR0}
    assert ready.hinted[BR1] == failed.hinted[BR1]
