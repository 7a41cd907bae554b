"""Wrong usage is one line and exit code 2, whichever program it is; more of `hwcensus` in tests/unit/test_cli.py."""

from collections.abc import Callable

import pytest

import hwcensus_agent.main
import hwcensus_collector.main
from hwcensus.cli import main as cli
from hwcensus.parser import ENCODING

AGENT, COLLECTOR = hwcensus_agent.main.main, hwcensus_collector.main.main
NO_TEXT = "\udcff"  # as Python has the byte ff of a command line


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


@pytest.mark.parametrize(
    "main, words, where",
    [
        (cli, ["show", NO_TEXT, "x"], "hwcensus: usage: argument HOST: "),
        (cli, ["create", NO_TEXT, "-"], "hwcensus: usage: argument HOST: "),
        (cli, ["list", f"--cap={NO_TEXT}"], "hwcensus: usage: argument --cap: "),
        (cli, ["command", "show", "--", NO_TEXT], "hwcensus: usage: argument ID: "),
        (cli, ["up", "--dir", NO_TEXT], "hwcensus: usage: argument --dir: "),
        (AGENT, ["dump", "computer", NO_TEXT], "hwcensus-agent: usage: argument NAME|KEY: "),
        (AGENT, ["policy", "check", "--destroy", NO_TEXT], "hwcensus-agent: usage: argument --destroy: "),
        (COLLECTOR, ["host", "retire", NO_TEXT], "hwcensus-collector: usage: argument host: "),
        (COLLECTOR, ["wwn", "pool", "add", "x", NO_TEXT, "y"], "hwcensus-collector: usage: argument first: "),
        (COLLECTOR, ["wwn", "import", "--holder", NO_TEXT], "hwcensus-collector: usage: argument --holder: "),
    ],
)
def test_bytes_that_are_no_text_are_refused_by_the_name_of_the_argument(
    main: Callable[[list[str]], int], words: list[str], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n"), said.err[: len(where)]) == ("", 1, where)
    assert said.err[len(where) :].startswith(f"b'\\xff' is no text in {ENCODING}, your locale's encoding; see `")


def test_a_verb_or_an_option_that_is_no_text_is_no_known_one() -> None:
    for main, words in ((cli, [NO_TEXT]), (AGENT, [NO_TEXT]), (COLLECTOR, ["run", f"--{NO_TEXT}"])):
        assert main(words) == 2
