"""What a stranger's device calls itself steers neither a terminal nor a spreadsheet, and nothing of it is lost."""

import csv
import io
import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hwcensus.cli.visible import one_line, safe_cell, safe_json, safe_xml, visible

STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")
#: Characters that are allowed in XML 1.0, and steer.
_IN_XML = st.sampled_from("\x7f\x85\x9b\xad\u202e\u2066\u2028\ufeff\U000e0001")


def steers(text: str) -> list[str]:
    """The characters of a text that could steer; written scripts need the joiners of some categories, we do not."""
    return [char for char in text if unicodedata.category(char) in ("Cc", "Zl", "Zp") or char in "\u202e\u2066\ufeff"]


def test_the_escape_character_is_shown_as_one() -> None:
    assert visible("\x1b[2Jgone") == r"\x1b[2Jgone"
    assert visible("a\u202eb\x9bc\nd") == r"a\u202eb\x9bc\nd"
    assert visible("Grüße, 中文 ✓") == "Grüße, 中文 ✓"
    assert one_line("two\n lines\x07") == r"two lines\x07"


@given(st.text())
def test_nothing_that_steers_is_left(text: str) -> None:
    for made in (visible(text), safe_cell(text), one_line(text)):
        assert steers(made) == []


def test_every_character_that_unicode_calls_control_or_format_is_escaped() -> None:
    missed = [
        hex(number)
        for number in range(0x10000)
        if unicodedata.category(chr(number)) in STEERING and visible(chr(number)) == chr(number)
    ]
    # Marks of Arabic, Egyptian and musical notation are visible signs of their scripts.
    assert set(missed) <= {"0x890", "0x891", "0x8e2"}


@given(st.text(), st.text())
def test_json_means_the_same_and_steers_nothing(name: str, value: str) -> None:
    plain = json.dumps({name: value}, ensure_ascii=False)
    assert json.loads(safe_json(plain)) == json.loads(plain)
    assert steers(safe_json(plain)) == []


@given(st.text(st.one_of(_IN_XML, st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="<&>"))))
def test_xml_means_the_same_and_steers_nothing(text: str) -> None:
    made = safe_xml(f"<a>{text}</a>")
    assert (etree.fromstring(made).text or "") == text
    assert steers(made) == []


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerow([safe_cell(text)])
    ((cell,),) = csv.reader([stream.getvalue()]) if text else ((("",),))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_formula_is_kept_as_text() -> None:
    assert safe_cell('=cmd|"/C calc"!A0') == '\'=cmd|"/C calc"!A0'
