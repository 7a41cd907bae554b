"""Logging for all programs: a readable line on a terminal, one JSON object a line elsewhere.

Both carry what the call gave in `extra={…}`. It only formats and writes to a stream: rotation and shipping are the
journal's. The standard library's loggers are used as they are: `logging.getLogger(__name__)`.
"""

import json
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TextIO, get_args

from hwcensus.config import setting

Style = Literal["auto", "text", "json"]
STYLES: tuple[str, ...] = get_args(Style)

# What every record has anyway; all else came in by `extra`.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """The section `log` of every program's settings."""

    level: str = setting("INFO", "least level that is written", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    style: str = setting("auto", "readable on a terminal, JSON elsewhere", choices=STYLES)


def setup(stream: TextIO | None = None, level: str = "INFO", style: str = "auto") -> None:
    """Send all records of `level` and above to `stream` (default stderr), and nowhere else.

    Styles are `text`, `json`, and `auto`: text where the stream is a terminal, else JSON. Raises ValueError for an
    unknown level or style.
    """
    if style not in STYLES:
        raise ValueError(f"unknown style: {style!r}")
    stream = stream if stream is not None else sys.stderr
    readable = style == "text" or (style == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if readable else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class TextFormatter(logging.Formatter):
    """`2026-11-23T14:10:55.123456Z INFO hwcensus_agent.census: 3 devices added  host=web17 seq=12`"""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {key}={_word(value)}" for key, value in extras(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {one_line(record.getMessage())}"
        parts = [line + (" " + facts if facts else "")]
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        return "\n".join(parts)


class JsonFormatter(logging.Formatter):
    """The same as one JSON object: time, level, logger, message, the extras, and the traceback as `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        members: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        # What the record itself says wins over an extra of the same name.
        return json.dumps(extras(record) | members, ensure_ascii=False, default=str)


def extras(record: logging.LogRecord) -> dict[str, object]:
    """What the call gave in `extra`."""
    return {key: value for key, value in vars(record).items() if key not in STANDARD}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def one_line(text: str) -> str:
    """Control characters escaped: what a device or a record says must not forge a line of the log, nor steer a
    terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _word(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and not set(' "=') & set(text) else json.dumps(text, ensure_ascii=True)
