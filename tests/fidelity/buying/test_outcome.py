import numpy as np
import pytest
from ase import Atoms
from toy_labels import Spring

from fidsel.fidelity import Attempt, Fidelity, Label, LabelError, Price, TableSource, Task, Usage
from fidsel.fidelity.buying.outcome import checked, past_budget, stated_seconds
from fidsel.fidelity.level import Per

LEVEL = Fidelity("spring", Spring(), Price())
TASK = Task("id", Atoms("H2", [[0, 0, 0], [0, 0, 1]]), LEVEL.source)


def attempt(per: Per = "core-second", time_limit: float | None = None, cpu: float | None = None) -> Attempt:
    return Attempt(1, "id", "train", Price(1.0, per), 1, time_limit, cpu)


def test_a_label_with_the_forces_its_level_declares_is_one() -> None:
    found = checked(LEVEL, TASK, Label(1.0, np.zeros((2, 3)), 99.0), 3.0, over=False)
    assert isinstance(found, Label)
    assert found.seconds == 3.0, "what was measured, not what the source says"


@pytest.mark.parametrize(("forces", "shape"), [(None, "none"), (np.zeros((1, 3)), "(1, 3)")])
def test_a_label_without_them_is_invalid(forces: np.ndarray | None, shape: str) -> None:
    found = checked(LEVEL, TASK, Label(1.0, forces), 3.0, over=False)
    assert isinstance(found, LabelError)
    assert (found.cause, found.seconds) == ("invalid", 3.0)
    assert str(found).endswith(f"the source returned {shape}")


@pytest.mark.parametrize(("over", "cause"), [(True, "cancelled"), (False, "timeout")])
def test_a_label_that_the_budget_stopped_did_not_hang(over: bool, cause: str) -> None:
    found = checked(LEVEL, TASK, LabelError("too long", cause="timeout"), 9.0, over=over)
    assert isinstance(found, LabelError)
    assert found.cause == cause
    assert ("9 core-s, which is what the budget could pay for" in str(found)) == over


def test_the_budget_is_past_by_the_clock_of_the_price() -> None:
    assert past_budget(attempt(cpu=10.0), None, Usage(cpu=9.9, wall=1.0))
    assert not past_budget(attempt(cpu=10.0), None, Usage(cpu=5.0, wall=99.0))
    assert past_budget(attempt("allocated-second", time_limit=10.0), None, Usage(cpu=0.0, wall=9.9))
    assert not past_budget(attempt(time_limit=10.0), None, Usage(cpu=0.0, wall=9.9))
    assert not past_budget(attempt(cpu=21.0), 20.0, Usage(cpu=20.6, wall=20.7)), "its level's own limit"
    assert past_budget(attempt(cpu=10.0), 20.0, Usage(cpu=9.9, wall=45.0)), "on a busy machine"


def test_seconds_that_a_source_states() -> None:
    assert stated_seconds(TableSource("a.npz")) == 0.0  # type: ignore[arg-type]
    assert stated_seconds(TableSource("a.npz", seconds_per_label=3.0)) == 3.0  # type: ignore[arg-type]
    assert stated_seconds(Spring(seconds=2.0)) == 2.0
    assert stated_seconds(Spring(seconds=None)) is None
