"""Text of strangers made harmless: what a device calls itself must not steer a terminal or a spreadsheet.

Control and formatting characters (escape sequences, C1 controls, bidirectional overrides) are shown as escapes.
"""

import re

#: C0 and C1 controls, soft hyphen, zero-width and bidirectional ones, separators, surrogates, private tags.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNSAFE_IN_DOCUMENT = re.compile(f"(?![\\n\\t]){_UNSAFE.pattern}")
#: What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@")


def visible(text: str) -> str:
    """One line in which nothing steers a terminal: `\\x1b` instead of the escape character."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """A message of one line."""
    return visible(" ".join(text.split()))


def safe_json(text: str) -> str:
    """JSON whose strings hold their special characters as JSON's own escapes; it means the same."""
    return _UNSAFE_IN_DOCUMENT.sub(lambda match: _json_escape(match[0]), text)


def safe_xml(text: str) -> str:
    """XML whose texts hold their special characters as references; it means the same."""
    return _UNSAFE_IN_DOCUMENT.sub(lambda match: f"&#x{ord(match[0]):x};", text)


def safe_cell(text: str) -> str:
    """A cell of CSV that no spreadsheet takes for a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))
