"""Makes one fact after the other wrong and looks whether a test notices: `python -m tests.wrong_facts [net. block. …]`.

docs/facts.md lists every fact and where it comes from; for each of the two there must be a test that fails if the
describer gave another value. This runs the tests of the describers once and notes in which of them each fact has a
value, from which origin. Then, one by one, it runs those tests again while this source gives another value that the
schema allows just as well, until one fails. What is left over is printed: facts that no test has a value of from that
origin, and facts that no test looks at.

A test that fails a second time although nothing is wrong proves nothing and is not counted. To have a fact noticed:
assert its value, in `tests/unit/test_describe*.py` on a made sysfs, or in `tests/reality/test_recordings*.py` on a
recorded one.
"""

import inspect
import re
import sys
from typing import Any, NamedTuple, cast

import pytest
from _pytest.runner import runtestprotocol

from hwcensus.device import State
from hwcensus.fact import Fact
from hwcensus_agent import describe
from hwcensus_agent.describe.facts import Facts, From, first
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View
from tests.fixtures.process import ROOT

#: The tests that are to notice.
TESTS = ("tests/unit/test_describe*.py", "tests/reality/test_recordings*.py")
#: Characters to put into a text in place of its last one; one of them fits any pattern.
OTHERS = "01289afx."


class Cell(NamedTuple):
    """One cell of docs/facts.md: a fact, and one of the origins that it has."""

    path: str
    state: bool
    origin: str

    def __str__(self) -> str:
        return f"{self.path}{', state' if self.state else ''} by {self.origin}"


def cells(table: Facts[Any], fact: Fact, source: From) -> list[Cell]:
    path = f"{table.type_}.{fact.label}"
    return [Cell(path, issubclass(table.cls, State), origin) for origin in source.origins]


def parts(source: From) -> tuple[From, ...]:
    """What `first` was given."""
    return cast(tuple[From, ...], inspect.getclosurevars(source.read).nonlocals.get("sources", ()))


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
        self._only = only
        #: The tests in which a source has a value.
        self._tests: dict[Cell, dict[pytest.Item, None]] = {}
        self._running: pytest.Item | None = None
        self._wrong: Cell | None = None
        self._session: pytest.Session
        self._steady: dict[pytest.Item, bool] = {}
        self._seconds: dict[pytest.Item, float] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._session = session
        with pytest.MonkeyPatch.context() as patch:
            for table in describe.tables():
                patch.setattr(
                    table, "_sources", [(fact, self._watched(table, fact, one)) for fact, one in table._sources]
                )
            session.testsfailed = sum(not self._passes(item) for item in session.items)
            wanted = [cell for cell in self._tests if cell.path.startswith(self._only or "")]
            left = [cell for cell in wanted if not self._noticed(cell)]
        for cell in left:
            had = len(self._tests[cell])
            print(f"unnoticed: {cell} ({had} tests have it)" if had else f"untested: {cell}")  # noqa: T201 - its result
        session.testsfailed += len(left)
        return True

    def _watched(self, table: Facts[Any], fact: Fact, source: From) -> From:
        """The source, wrong while one of its cells is to be."""
        inner = parts(source)
        if inner:
            return first(*(self._watched(table, fact, one) for one in inner))
        mine = cells(table, fact, source)
        for cell in mine:
            self._tests.setdefault(cell, {})

        def read(view: View, host: HostView) -> Any:
            value = source.read(view, host)
            if value is None or value == ():
                return value
            if self._wrong in mine:
                return another(fact, value)
            if self._running is not None and self._wrong is None:
                for cell in mine:
                    self._tests[cell][self._running] = None
            return value

        return From(read, source.origins)

    def _noticed(self, cell: Cell) -> bool:
        """Whether a test fails when this source is wrong, and would not otherwise."""
        quickest = sorted(self._tests[cell], key=self._seconds.__getitem__)
        return any(not self._passes(item, cell) and self._is_steady(item) for item in quickest)

    def _is_steady(self, item: pytest.Item) -> bool:
        if item not in self._steady:
            self._steady[item] = self._passes(item)
        return self._steady[item]

    def _passes(self, item: pytest.Item, wrong: Cell | None = None) -> bool:
        """Runs one test, and ends what only this test had set up."""
        self._running, self._wrong = item, wrong
        after = cast(pytest.Item, self._session)  # only what the whole session has set up stays
        reports = runtestprotocol(item, log=False, nextitem=after)
        self._running = self._wrong = None
        self._seconds.setdefault(item, sum(report.duration for report in reports))
        return not any(report.failed for report in reports)


def main(only: tuple[str, ...] = (), patterns: tuple[str, ...] = TESTS) -> int:
    tests = [str(path) for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return pytest.main(["-q", "-p", "no:randomly", "-p", "no:cacheprovider", *tests], plugins=[WrongFacts(only)])


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
