"""The contract check of an engine passes for those of fidsel, and names the rule that another one breaks."""

from collections.abc import Generator, Iterable

import pytest

from fidsel.fidelity import InlineEngine, Task
from fidsel.fidelity.engine.local import LocalEngine, available_cores
from fidsel.fidelity.engine.task import Result
from fidsel.testing import check_engine
from fidsel.testing.engine import check_pulling, check_results


def test_the_local_engine_keeps_the_contract() -> None:
    with LocalEngine(min(2, available_cores())) as engine:
        check_engine(engine)


class Greedy(InlineEngine):
    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        yield from super().run(list(tasks))


class Twice(InlineEngine):
    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        for result in super().run(tasks):
            yield from (result, result)


def test_an_engine_that_breaks_a_rule_is_told_which() -> None:
    with pytest.raises(AssertionError, match="at most workers"):
        check_pulling(Greedy())
    with pytest.raises(AssertionError, match="exactly once"):
        check_results(Twice())
