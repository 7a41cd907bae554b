"""Wrong usage is one line and exit code 2, whichever program it is; of `hwcensus` itself tests/unit/test_cli.py."""

from collections.abc import Callable

import pytest

import hwcensus_agent.main
import hwcensus_collector.main

AGENT, COLLECTOR = hwcensus_agent.main.main, hwcensus_collector.main.main


@pytest.mark.parametrize(
    "main, words, what",
    [
        (AGENT, [], "hwcensus-agent: usage: the following arguments are required: VERB; see `hwcensus-agent --help`"),
        (AGENT, ["rnu"], "hwcensus-agent: usage: argument VERB: invalid choice: 'rnu'"),
        (AGENT, ["list", "--sys", "/x"], "hwcensus-agent: usage: unrecognized arguments: --sys /x"),
        (AGENT, ["list", "--a\nb"], "hwcensus-agent: usage: unrecognized arguments: --a b; see"),
        (AGENT, ["policy", "check"], "hwcensus-agent: usage: one of the arguments FILE --destroy"),
        (COLLECTOR, [], "hwcensus-collector: usage: the following arguments are required: VERB"),
        (COLLECTOR, ["run", "--only", "web"], "hwcensus-collector: usage: argument --only: invalid choice: 'web'"),
        (COLLECTOR, ["run", "--on", "api"], "hwcensus-collector: usage: unrecognized arguments: --on api"),
        (COLLECTOR, ["ingest"], "hwcensus-collector: usage: the following arguments are required: --once"),
        (COLLECTOR, ["wwn", "pool", "add", "prod"], "hwcensus-collector: usage: the following arguments are required"),
    ],
)
def test_a_program_used_wrongly_says_so_in_one_line_and_exits_with_2(
    main: Callable[[list[str]], int], words: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n"), said.err[: len(what)]) == ("", 1, what)
