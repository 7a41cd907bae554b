"""The parts of the operator's commands that need no collector."""

from datetime import UTC, datetime, timedelta

import pytest

from hwcensus.cli import main
from hwcensus.cli.about import about, size
from hwcensus.cli.column import ago, plain, text_of
from hwcensus.cli.hint import with_hint
from hwcensus.cli.main import COMMANDS
from hwcensus.errors import HwcensusError, NotFound, UsageError
from hwcensus.instant import now


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert f"usage: hwcensus {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [[], ["lst"], ["list", "--hots", "a"], ["show", "web17"], ["list", "-o", "yaml"], ["xml", "a", "b", "--v", "1"]],
)
def test_a_command_given_wrongly_is_one_line_and_exit_code_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("hwcensus: ")
    assert said.err.count("\n") == 1
    assert "; " in said.err


def test_a_mistyped_command_is_met_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    main(["lst"])
    assert "did you mean `hwcensus list`?" in capsys.readouterr().err


def test_an_error_says_what_to_do() -> None:
    assert with_hint(UsageError("wrong; write it right")) == "wrong; write it right"
    assert with_hint(NotFound("there is no host 'x'", code="unknown-host")).endswith("`hwcensus hosts` lists them")
    assert with_hint(HwcensusError("broken")) == "broken; see the collector's log"


def test_values_are_written_for_people_and_for_programs() -> None:
    moment = datetime(2026, 3, 1, 14, tzinfo=UTC)
    assert (text_of(moment), plain(moment)) == ("2026-03-01 14:00:00Z", "2026-03-01T14:00:00.000000Z")
    assert [text_of(value) for value in (None, True, ("a", "b"), 7)] == ["", "yes", "a b", "7"]


def test_ages_are_short() -> None:
    assert ago(None) == "never"
    for seconds, text in ((-5, "0s"), (59.5, "59s"), (61, "1m"), (7200.5, "2h"), (90000, "1d")):
        assert ago(now() - timedelta(seconds=seconds)) == text


def test_a_device_is_described_by_its_most_telling_facts() -> None:
    assert about({"pci.vendor_name": "Intel", "pci.product_name": "SMBus", "net.address": "x"}) == "Intel SMBus"
    assert about({"storage.model": "ST95", "storage.size": 500107862016}) == "ST95 500 GB"
    assert about({}) == ""
    assert [size(count) for count in (0, 999, 1000, 10**15, "?")] == ["0 B", "999 B", "1 kB", "1 PB", "?"]
