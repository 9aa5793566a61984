"""The tables inside a round's record hold what is read from them later."""

from typing import Any

import pytest

from fidsel.campaign.records.parts import check_parts
from fidsel.exceptions import UsageError

CLUSTERS: dict[str, Any] = {
    "cluster": [0, 1], "rmse": [0.1, None], "population": [5, 0], "measured": [2, 0], "overall": 0.1,
    "mae": [0.05, None], "overall_mae": 0.05,
}  # fmt: skip
HISTORY = {
    "stage": "fit", "step": [1], "train": [0.1], "validation": [0.2], "best_step": 1, "seconds": 0.1,
    "notes": {},
}  # fmt: skip


def test_tables_that_fit() -> None:
    bounds = {"clusters": {"0": 0.2, "1": None}, "coverage": 0.9, "own_factors": {"0": 1.5}, "why": "more"}
    check_parts(CLUSTERS, {"kind": "probe", "bounds": bounds}, {"histories": [HISTORY], "diagnostics": {}})
    check_parts(CLUSTERS, {}, {})


@pytest.mark.parametrize(
    ("clusters", "source", "training", "told"),
    [
        ({"rmse": [0.1]}, {}, {}, "as many entries of each kind as clusters"),
        ({"mae": [0.1]}, {}, {}, "as many entries of each kind as clusters"),
        ({"population": [5, "x"]}, {}, {}, r"cluster_errors\.population\[1\] must be a whole number"),
        ({}, {"bounds": {"own_factors": {"a": 1.0}}}, {}, "of clusters by their numbers, got 'a'"),
        ({}, {"estimates": {"f": "low"}}, {}, r"error_source\.estimates\.f must be a number, got 'low'"),
        ({}, {}, {"histories": [HISTORY | {"step": 3}]}, r"training\.histories\[0\]\.step must be a list"),
    ],
)
def test_the_entry_that_does_not_fit_is_named(
    clusters: dict[str, Any], source: dict[str, Any], training: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        check_parts(CLUSTERS | clusters, source, training)
