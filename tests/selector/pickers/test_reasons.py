from dataclasses import replace

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector import Pool
from fidsel.selector.pickers.reasons import about, at_cost

ERRORS = np.array([0.3, 0.4, np.nan, 0.1, np.nan, 9.0])
POOL = Pool(
    np.zeros((6, 1)), np.array([0, 0, 0, 1, 2, 1]), ERRORS, np.zeros(6), np.array([[1.0, 12.345]] * 6),
    np.arange(6) == 5,
)  # fmt: skip


def test_what_is_known_is_said_of_unlabelled_frames() -> None:
    overall = np.sqrt((0.09 + 0.16 + 0.01) / 3)
    first = f"cluster 0 (RMSE 354 meV/Å, {np.sqrt(0.125) / overall:.2f} × overall, 3 frames)"
    assert about(POOL, np.array([0, 2, 3, 4])) == [
        f"{first}, error 300 meV/Å",
        first,
        f"cluster 1 (RMSE 100 meV/Å, {0.1 / overall:.2f} × overall, 1 frame), error 100 meV/Å",
        "cluster 2 (1 frame)",
    ]


def test_errors_that_cannot_be_are_unknown() -> None:
    odd = replace(POOL, errors=np.array([-1.0, np.inf, np.nan, np.nan, np.nan, 1.0]))
    assert about(odd, np.array([0, 4])) == ["cluster 0 (3 frames)", "cluster 2 (1 frame)"]
    assert about(replace(POOL, errors=np.zeros(6)), np.array([4])) == [
        "cluster 2 (RMSE 0 meV/Å, 1 frame), error 0 meV/Å"
    ]


def test_costs_are_told_where_they_are_known() -> None:
    assert at_cost(POOL, 0, 1) == "; at level 2 of 2, cost 12.35"
    named = replace(POOL, levels=("b3lyp", "ccsd(t)"), cost_unit="core-second")
    assert at_cost(named, 0, 1) == "; at ccsd(t), cost 12.35 core-seconds"
    assert at_cost(named, 0, 0) == "; at b3lyp, cost 1 core-second"
    assert at_cost(replace(POOL, costs=np.ones((6, 1)), cost_unit="label"), 0, 0) == "; cost 1 label"
    assert at_cost(replace(POOL, costs=np.full((6, 1), np.nan)), 0, 0) == ""


def test_every_fidelity_has_a_name_or_none() -> None:
    with pytest.raises(UsageError, match="levels must name 2 fidelities or none"):
        replace(POOL, levels=("ccsd(t)",))
