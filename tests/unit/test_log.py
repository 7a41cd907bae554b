"""Log lines: readable on a terminal, JSON elsewhere, one record one line."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from hwcensus import log


@pytest.fixture(autouse=True)
def restored_root() -> Iterator[None]:
    """The root logger as it was: `setup` replaces its handlers."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def lines(style: str, level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    log.setup(stream, level, style)
    return stream


def test_text_has_utc_time_level_logger_message_and_extras() -> None:
    stream = lines("text")
    logging.getLogger("hwcensus_agent.census").warning("%d devices", 3, extra={"host": "web17", "reason": "two words"})

    pattern = (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z WARNING hwcensus_agent.census: 3 devices  "
        r'host=web17 reason="two words"\n'
    )
    assert re.fullmatch(pattern, stream.getvalue())


def test_json_has_one_object_a_line_with_the_extras_as_members() -> None:
    stream = lines("json")
    logging.getLogger("a").info("one\ntwo", extra={"seq": 12, "path": io, "level": "forged"})

    (line,) = stream.getvalue().splitlines()
    members = json.loads(line)
    assert members["message"] == "one\ntwo"
    assert members["seq"] == 12
    assert members["level"] == "INFO"
    assert "module" in members["path"]


def test_a_device_cannot_forge_a_line() -> None:
    stream = lines("text")
    logging.getLogger("a").info("model %s", "x\nERROR forged", extra={"serial": "1\n2", "vendor": "\x1b[31m"})

    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("style", ["text", "json"])
def test_an_exception_brings_its_traceback(style: str) -> None:
    stream = lines(style)
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logging.getLogger("a").exception("it failed")

    assert "Traceback" in stream.getvalue()
    assert "RuntimeError: broken" in stream.getvalue()


def test_a_stream_that_is_no_terminal_gets_json() -> None:
    stream = lines("auto")
    logging.getLogger("a").info("x")

    assert json.loads(stream.getvalue())["logger"] == "a"


def test_records_below_the_level_are_left_out() -> None:
    stream = lines("text", "warning")
    logging.getLogger("a").info("x")

    assert stream.getvalue() == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        log.setup(io.StringIO(), "loud")


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="loud"):
        log.setup(io.StringIO(), style="loud")
