"""Facts of unknown origin as text, and kinds of values."""

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hwcensus.fact import original, printable


@given(st.binary())
def test_any_bytes_become_text_from_which_they_can_be_told(raw: bytes) -> None:
    assert original(printable(raw)) == raw


@given(st.binary(min_size=1).map(printable))
def test_that_text_passes_xml_unchanged_as_text_and_as_attribute(text: str) -> None:
    element = etree.Element("e", a=text)
    element.text = text
    read = etree.fromstring(etree.tostring(element))
    assert (read.text, read.get("a")) == (text, text)


def test_ordinary_text_stays_as_it_is() -> None:
    assert printable("ThinkPad µ-Dock".encode()) == "ThinkPad µ-Dock"
    assert printable(b"C:\\dev") == "C:\\dev"


def test_what_is_no_text_is_shown_byte_by_byte() -> None:
    assert printable(b"a\x00b\xff\tc") == r"a\x00b\xff\x09c"
    assert printable(rb"\x41") == r"\x5cx41"
