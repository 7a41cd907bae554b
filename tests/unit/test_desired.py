"""What a host wants whatever happens: kept on disk, whole, and believed with care."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent import desired
from hwcensus_agent.desired import Desired, TooMany, Wish

HOST, ADAPTER, OTHER = "host-1", "210000e08b9318a1", "210000e08b9318a2"


def wish(n: int = 0, parent: str = ADAPTER, command: str = "c1") -> Wish:
    return Wish(parent=parent, wwpn=f"50014380012345{n:02x}", wwnn="20000000c9831b9e", command=command)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desired.json"


def test_what_is_wanted_is_wanted_by_the_next_agent(file: Path) -> None:
    before = Desired(file, HOST)
    before.add(wish(2))
    before.add(wish(1))
    before.add(wish(3, OTHER))
    after = Desired(file, HOST)
    assert set(after) == {wish(1), wish(2), wish(3, OTHER)}
    assert after.of(ADAPTER) == (wish(1).wwpn, wish(2).wwpn)
    assert after.of("2100000000000000") == ()


def test_what_is_dropped_is_not_wanted_any_more_and_dropping_again_is_no_error(file: Path) -> None:
    held = Desired(file, HOST)
    held.add(wish())
    for _ in range(2):
        held.drop(wish().wwpn)
    assert list(held) == list(Desired(file, HOST)) == []


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.sampled_from(["c1", "c2"]))))
def test_however_often_they_change_the_file_has_what_the_wishes_add_up_to(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, int, str]]
) -> None:
    file = tmp_path_factory.mktemp("desired") / "desired.json"
    held, expected = Desired(file, HOST), dict[str, Wish]()
    for is_wanted, n, command in steps:
        one = wish(n, command=command)
        if is_wanted:
            held.add(one)
            expected[one.wwpn] = one
        else:
            held.drop(one.wwpn)
            expected.pop(one.wwpn, None)
    assert {one.wwpn: one for one in Desired(file, HOST)} == expected


def test_another_hosts_file_says_nothing_here(file: Path) -> None:
    Desired(file, "the-host-whose-disk-was-cloned").add(wish())
    clone = Desired(file, HOST)
    assert list(clone) == []
    clone.add(wish(1))
    assert list(Desired(file, HOST)) == [wish(1)]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": 2, "host": "host-1", "vports": []}',
     b'{"format": 1, "host": "host-1"}', b'{"format": 1, "host": "host-1", "vports": 7}',
     b" " * (desired.MAX_BYTES + 1)],
)  # fmt: skip
def test_a_file_that_nobody_can_read_is_set_aside_and_kept(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    held = Desired(file, HOST)
    assert list(held) == []
    (aside,) = file.parent.glob("desired.json.set-aside-*")
    assert aside.read_bytes() == content
    held.add(wish())
    assert list(Desired(file, HOST)) == [wish()]


@pytest.mark.parametrize(
    "wrong",
    [{"wwpn": "../../etc"}, {"wwpn": "5001438001234567\n"}, {"parent": "host5"}, {"wwnn": 7}, {"command": "a b"},
     {"command": ""}],
)  # fmt: skip
def test_one_wish_that_cannot_be_costs_no_other(file: Path, wrong: dict[str, object]) -> None:
    Desired(file, HOST).add(wish())
    content = json.loads(file.read_text())
    content["vports"] += [content["vports"][0] | wrong, {}, "x", None]
    file.write_text(json.dumps(content))
    assert list(Desired(file, HOST)) == [wish()]


def test_what_cannot_be_written_is_not_wanted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Desired(file.parent / "absent" / "desired.json", HOST)
    with pytest.raises(FileNotFoundError):
        held.add(wish())
    assert list(held) == []
    monkeypatch.setattr(desired, "MAX_WISHES", 1)
    held = Desired(file, HOST)
    held.add(wish())
    with pytest.raises(TooMany):
        held.add(wish(1))
    assert list(held) == [wish()]
    assert [path.name for path in file.parent.iterdir()] == ["desired.json"]
