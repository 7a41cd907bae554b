"""SMBIOS tables are taken apart with checks: what firmware wrote is found, and no bytes harm anybody."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.smbios import Structure, of_type, structures
from hwcensus_agent.sysfs import Unreadable
from tests.unit.smbios_table import install, structure, table


def test_structures_are_those_of_the_table_up_to_its_end() -> None:
    raw = table(structure(1, b"\x01\x02", "ACME", "Anvil"), structure(17, b"")) + structure(17, b"", "behind the end")
    found = list(structures(raw))
    assert [one.type_ for one in found] == [1, 17, 127]
    assert (found[0].text(4), found[0].text(5), found[1].text(4)) == ("ACME", "Anvil", None)


@pytest.mark.parametrize(
    "raw", [b"", b"\x11", b"\x11\x02\0\0\0\0", b"\x11\xff\0\0short", b"\x11\x00\0\0\0\0", bytes(2000)]
)
def test_a_table_that_makes_no_sense_ends_there(raw: bytes) -> None:
    assert [one for one in structures(raw) if one.type_ == 17] == []


def test_strings_that_nothing_ends_are_taken_as_far_as_they_go() -> None:
    (one,) = structures(b"\x01\x05\0\0\x01cut")
    assert one.text(4) == "cut"


@pytest.mark.parametrize(
    "string, expected",
    [(b"  A1  ", "A1"), (b"   ", None), (b"\xff\x01", "\\xff\\x01"), ("Größe".encode(), "Größe")],
)
def test_a_string_is_what_xml_can_carry_without_blanks_around_it(string: bytes, expected: str | None) -> None:
    assert Structure(raw=b"\x01\x05\0\0\x01", strings=(string,)).text(4) == expected


def test_a_field_beyond_the_structure_is_none_and_so_is_a_string_that_is_not_there() -> None:
    one = Structure(raw=b"\x01\x06\0\0\x07\x01", strings=(b"a",))
    assert (one.number(5, 2), one.text(4), one.text(6)) == (None, None, None)


@given(st.binary(max_size=400))
def test_bytes_of_any_sort_harm_nobody(raw: bytes) -> None:
    for one in structures(raw):
        one.text(4), one.number(0x0C, 2)


def test_entries_serve_where_the_kernel_has_no_table_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (0, 2, 10):
        folder = tmp_path / f"firmware/dmi/entries/17-{number}"
        folder.mkdir(parents=True)
        (folder / "raw").write_bytes(structure(17, b"\x01", f"slot {number}"))
    assert [one.text(4) for one in of_type(str(tmp_path), 17)] == ["slot 0", "slot 2", "slot 10"]


def test_a_table_longer_than_a_page_is_read_whole(tmp_path: Path) -> None:
    install(tmp_path, *(structure(17, b"\x01", f"slot {number}" * 20) for number in range(64)))
    assert len(of_type(str(tmp_path), 17)) == 64


def test_a_table_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "firmware/dmi/tables/DMI").mkdir(parents=True)
    with pytest.raises(Unreadable):
        of_type(str(tmp_path), 17)
