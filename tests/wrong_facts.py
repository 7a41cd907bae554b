"""Makes one fact after the other wrong and looks whether a test notices: `python -m tests.wrong_facts [net. block. …]`.

docs/facts.md lists every fact; each must have a test that fails if the describer gave another value. This runs the
tests of the describers once and notes in which of them each fact has a value. Then, fact by fact, it runs those tests
again while the describer gives another value that the schema allows just as well, until one fails. What is left over
is printed: facts that no test has a value of, and facts that no test looks at.

A test that fails a second time although nothing is wrong proves nothing and is not counted. To have a fact noticed:
assert its value, in `tests/unit/test_describe*.py` on a made sysfs, or in `tests/reality/test_recordings*.py` on a
recorded one.
"""

import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import pytest
from _pytest.runner import runtestprotocol

from hwcensus.device import State
from hwcensus.fact import Fact
from hwcensus_agent import describe
from hwcensus_agent.describe.facts import Facts
from tests.fixtures.process import ROOT

#: The tests that are to notice.
TESTS = ("tests/unit/test_describe*.py", "tests/reality/test_recordings*.py")
#: Characters to put into a text in place of its last one; one of them fits any pattern.
OTHERS = "01289afx."


class Row(NamedTuple):
    """One row of docs/facts.md."""

    path: str
    state: bool

    def __str__(self) -> str:
        return f"{self.path}, state" if self.state else self.path


def another(fact: Fact, value: Any) -> Any:
    """A value that the schema allows, but not this one."""
    if isinstance(value, tuple):
        return tuple(another(fact, one) for one in value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    pattern = re.compile(fact.kind.pattern or ".*")
    others = (str(value)[:-1] + other for other in OTHERS if other != value[-1])
    return next((other for other in others if pattern.fullmatch(other)), None)


class WrongFacts:
    """A pytest plugin that runs the collected tests its own way."""

    def __init__(self, only: tuple[str, ...]) -> None:
        """`only` are beginnings of the paths to look at; none: all."""
        self._rows = dict.fromkeys(Row(one.path, one.state) for one in describe.facts())
        self._only = only
        self._tests: dict[Row, dict[pytest.Item, None]] = {row: {} for row in self._rows}
        self._running: pytest.Item | None = None
        self._wrong: Row | None = None
        self._session: pytest.Session
        self._steady: dict[pytest.Item, bool] = {}
        self._seconds: dict[pytest.Item, float] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._session = session
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Facts, "_read", self._reading(Facts._read))
            session.testsfailed = sum(not self._passes(item) for item in session.items)
            left = [row for row in self._rows if row.path.startswith(self._only or "") and not self._noticed(row)]
        for row in left:
            had = len(self._tests[row])
            print(f"unnoticed: {row} ({had} tests have it)" if had else f"untested: {row}")  # noqa: T201 - its result
        session.testsfailed += len(left)
        return True

    def _reading(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(facts: Facts[Any], fact: Fact, *rest: Any) -> Any:
            row = Row(f"{facts.type_}.{fact.label}", issubclass(facts.cls, State))
            value = read(facts, fact, *rest)
            if value is None or value == ():
                return value
            if row == self._wrong:
                return another(fact, value)
            if self._running is not None and self._wrong is None:
                self._tests.setdefault(row, {})[self._running] = None
            return value

        return wrapped

    def _noticed(self, row: Row) -> bool:
        """Whether a test fails when this fact is wrong, and would not otherwise."""
        quickest = sorted(self._tests[row], key=self._seconds.__getitem__)
        return any(not self._passes(item, row) and self._is_steady(item) for item in quickest)

    def _is_steady(self, item: pytest.Item) -> bool:
        if item not in self._steady:
            self._steady[item] = self._passes(item)
        return self._steady[item]

    def _passes(self, item: pytest.Item, wrong: Row | None = None) -> bool:
        """Runs one test, and ends what only this test had set up."""
        self._running, self._wrong = item, wrong
        after = cast(pytest.Item, self._session)  # only what the whole session has set up stays
        reports = runtestprotocol(item, log=False, nextitem=after)
        self._running = self._wrong = None
        self._seconds.setdefault(item, sum(report.duration for report in reports))
        return not any(report.failed for report in reports)


def main(only: tuple[str, ...]) -> int:
    tests = [str(path) for pattern in TESTS for path in sorted(ROOT.glob(pattern))]
    return pytest.main(["-q", "-p", "no:randomly", "-p", "no:cacheprovider", *tests], plugins=[WrongFacts(only)])


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
