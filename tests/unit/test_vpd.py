"""Vital product data: what a maker wrote is found, and bytes that are none say nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.vpd import MOST, Vpd, parse

FIELDS = {"PN": "MCX556A-EDAT", "EC": "AC", "SN": "MT2043K01234", "V0": "PCIeGen4 x16"}


def resource(tag: int, body: bytes) -> bytes:
    return bytes([tag]) + len(body).to_bytes(2, "little") + body


def fields(values: dict[str, str]) -> bytes:
    return b"".join(key.encode() + bytes([len(value)]) + value.encode() for key, value in values.items())


def written(name: str, read_only: dict[str, str], read_write: dict[str, str] | None = None, *, spare: int = 2) -> bytes:
    """As PCI Local Bus 3.0, appendix I, has it: name, read-only fields with a checksum, read-write ones, the end."""
    start = resource(0x82, name.encode())
    body = fields(read_only) + b"RV" + bytes([1 + spare])
    head = resource(0x90, body + bytes(1 + spare))[:3]
    checksum = -sum(start + head + body) & 0xFF
    read_only_part = resource(0x90, body + bytes([checksum]) + bytes(spare))
    read_write_part = b"" if read_write is None else resource(0x91, fields(read_write) + b"RW\x02\0\0")
    return start + read_only_part + read_write_part + b"\x78"


def read(raw: bytes) -> Vpd | None:
    return parse(lambda at, count: raw[at : at + count])


def test_name_and_fields_are_what_the_maker_wrote() -> None:
    raw = written("ConnectX-5 Ex", FIELDS, {"YA": "IT-0815"})
    assert read(raw) == Vpd(name="ConnectX-5 Ex", fields=FIELDS | {"YA": "IT-0815"})


@pytest.mark.parametrize("piece", [1, 4, 4096])
def test_it_may_come_in_pieces(piece: int) -> None:
    raw = written("NIC", FIELDS)
    assert parse(lambda at, count: raw[at : at + min(piece, count)]) == Vpd(name="NIC", fields=FIELDS)


@pytest.mark.parametrize("at", range(0, len(written("NIC", FIELDS)) - 4))
def test_one_byte_that_is_wrong_makes_it_say_nothing(at: int) -> None:
    raw = bytearray(written("NIC", FIELDS))
    raw[at] ^= 0x01
    assert read(bytes(raw)) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 300,
        b"\xff" * 300,
        b"\x78",
        resource(0x82, b"no fields") + b"\x78",
        resource(0x90, b"PN\x01x") + b"\x78",
        resource(0x90, b"PN\x05x") + b"\x78",
        resource(0x90, b"RV\x00") + b"\x78",
        b"\x82\xff\xff" + b"x" * 40000,
        written("cut", FIELDS)[:-1],
        resource(0x84, b"x") + written("another resource", FIELDS),
    ],
)
def test_what_is_none_says_nothing(raw: bytes) -> None:
    assert read(raw) is None


def test_data_without_an_end_is_not_read_for_ever() -> None:
    asked = 0

    def source(at: int, count: int) -> bytes:
        nonlocal asked
        asked += count
        return (b"\x82\x01\x00x" * MOST)[at : at + count]

    assert parse(source) is None
    assert asked <= 2 * MOST


@given(st.binary(max_size=600))
def test_bytes_of_any_sort_harm_nobody(raw: bytes) -> None:
    read(raw)


KEYWORDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=2, max_size=2).filter(
    lambda keyword: keyword not in ("RV", "RW")
)
PRINTED = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\")
VALUES = st.text(PRINTED, min_size=1, max_size=80)


@given(VALUES, st.dictionaries(KEYWORDS, VALUES, max_size=8), st.dictionaries(KEYWORDS, VALUES, max_size=3))
def test_what_was_written_is_read(name: str, read_only: dict[str, str], read_write: dict[str, str]) -> None:
    assert read(written(name, read_only, read_write)) == Vpd(name=name, fields=read_only | read_write)
