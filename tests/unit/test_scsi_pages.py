"""SCSI vital product data: what is in a page, and that no bytes of a drive do harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.scsi_pages import ata_text, designator, unit_serial


def page(code: int, body: bytes) -> bytes:
    return bytes([0, code]) + len(body).to_bytes(2, "big") + body


def named(code_set: int, flags: int, value: bytes) -> bytes:
    return bytes([code_set, flags, 0, len(value)]) + value


NAA5 = bytes.fromhex("5000c5001234abcd")
NAA6 = bytes.fromhex("60060e80056f70000000000000000001")
PORT = named(1, 0x13, bytes.fromhex("5000c5001234abce"))


@pytest.mark.parametrize(
    "designators, expected",
    [
        ([PORT, named(1, 0x03, NAA5)], "naa.5000c5001234abcd"),
        ([named(1, 0x03, NAA5), named(1, 0x03, NAA6)], "naa.60060e80056f70000000000000000001"),
        ([named(1, 0x02, NAA5), named(2, 0x01, b"ATA     ST9500325AS")], "eui.5000c5001234abcd"),
        ([named(3, 0x08, b"iqn.2001-04.com.example:disk\0\0")], "iqn.2001-04.com.example:disk"),
        ([named(2, 0x01, b"ATA     ST9500325AS")], None),
        ([PORT], None),
        ([named(1, 0x03, NAA6)[:-1]], None),
        ([], None),
    ],
    ids=["of the unit", "the longest", "EUI before T10", "by name", "T10 alone", "of a port", "cut", "none"],
)
def test_a_unit_is_named_as_the_kernel_names_it(designators: list[bytes], expected: str | None) -> None:
    assert designator(page(0x83, b"".join(designators))) == expected


def test_a_serial_is_as_long_as_its_page_says() -> None:
    assert unit_serial(page(0x80, b"  5VE12345") + b"junk") == "5VE12345"
    assert unit_serial(page(0x83, b"5VE12345")) is None


def swapped(text: str, length: int) -> bytes:
    raw = text.ljust(length).encode()
    return b"".join(raw[at : at + 2][::-1] for at in range(0, length, 2))


def ata_page(*, firmware: str, model: str) -> bytes:
    """With words 23 to 26 and 27 to 46 filled."""
    identify = bytearray(512)
    identify[46:94] = swapped(firmware, 8) + swapped(model, 40)
    return page(0x89, bytes(56) + bytes(identify))


def test_what_an_ata_drive_says_is_longer_than_what_scsi_has_room_for() -> None:
    said = ata_page(firmware="RVT01B6Q", model="Samsung SSD 860 EVO 500GB")
    assert ata_text(said, 23, 26) == "RVT01B6Q"
    assert ata_text(said, 27, 46) == "Samsung SSD 860 EVO 500GB"
    assert ata_text(said[:100], 27, 46) is None


@given(st.binary(max_size=300), st.sampled_from([0x80, 0x83, 0x89]))
def test_any_bytes_give_a_value_or_none(body: bytes, code: int) -> None:
    for said in (body, page(code, body), page(code, body)[: len(body) // 2]):
        for found in (unit_serial(said), designator(said), ata_text(said, 10, 19)):
            assert found is None or found.strip(" \t\n\r\0")
