"""docs/facts.md is what the tables of the describers say."""

from pathlib import Path

from hwcensus.classes import BUSES, CAPABILITIES
from hwcensus_agent import describe
from hwcensus_agent.describe.facts_page import page

PAGE = Path(__file__).parents[2] / "docs/facts.md"


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text() == page(), "docs/facts.md is not what the code says: make schema"


def test_every_class_and_every_fact_is_on_it_once() -> None:
    lines = page().splitlines()
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == [f"## bus `{type_}`" for type_ in BUSES] + [f"## capability `{type_}`" for type_ in CAPABILITIES]
    rows = [(line.split("`")[1], "*state*" in line) for line in lines if line.startswith("| `")]
    assert sorted(rows) == sorted((fact.path, fact.state) for fact in describe.facts())


def test_a_row_says_what_the_fact_is_and_where_it_is_read() -> None:
    lines = page().splitlines()
    assert "| `video4linux.version` | number |  | `ID_V4L_VERSION` | `video4linux.version` |" in lines
    assert "| `power_supply.serial` | text; *identifier `serial`* | `serial_number` | `battery.serial` |" in lines
