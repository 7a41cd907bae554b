"""What devices say cannot steer a terminal."""

import pytest

from hwcensus_agent.local.visible import visible


@pytest.mark.parametrize(
    "text, shown",
    [
        ("ThinkPad µ-Dock", "ThinkPad µ-Dock"),
        ("a\x9b31mb", r"a\x9b31mb"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        (r"\x1b[31m", r"\x1b[31m"),
    ],
)
def test_only_printable_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
