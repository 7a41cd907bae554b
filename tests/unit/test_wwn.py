"""World Wide Names: one form for all the ways they are written, and which a new port may have."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus.errors import InvalidDocument
from hwcensus.identity import identifies
from hwcensus.wwn import check_new_wwn, read_wwn

WWNS = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}")


def with_colons(wwn: str) -> str:
    return ":".join(wwn[at : at + 2] for at in range(0, 16, 2))


WAYS = [str, str.upper, "0x{}".format, "0X{}".format, with_colons, lambda wwn: f"\n {with_colons(wwn).upper()} "]


@given(WWNS, st.sampled_from(WAYS))
def test_every_way_of_writing_gives_the_same_name(wwn: str, way) -> None:  # type: ignore[no-untyped-def]
    assert read_wwn(way(wwn), "wwpn") == wwn


@given(st.text())
def test_any_text_gives_sixteen_digits_or_is_refused(text: str) -> None:
    wwn = None
    with suppress(InvalidDocument):
        wwn = read_wwn(text, "wwpn")
    assert wwn is None or re.fullmatch("[0-9a-f]{16}", wwn)


@given(WWNS)
def test_what_a_new_port_may_be_called_identifies_it_in_the_census(wwn: str) -> None:
    with suppress(InvalidDocument):
        check_new_wwn(wwn, "wwpn")
        assert identifies("wwpn", wwn)


@pytest.mark.parametrize(
    "wwn", ["1000c0ffee0000fa", "2001001b32a9da4e", "5001a4aaaaaaaaa1", "c003ff1e2d3c4b5a", "ffffff00000000aa"]
)
def test_every_format_of_64_bits_is_taken(wwn: str) -> None:
    check_new_wwn(wwn, "wwpn")


@pytest.mark.parametrize(
    "text", ["10:00:c0:ff:ee:00:00", "1000:c0ff:ee00:00fa", "0x", "1000c0ffee0000f٣", "0x10:00:c0:ff:ee:00:00:fa"]
)
def test_half_of_a_way_is_none(text: str) -> None:
    with pytest.raises(InvalidDocument):
        read_wwn(text, "wwpn")
