import math
from typing import Any

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.models import SGDML
from fidsel.training.stage import History, Loss, Stage, Trained


@pytest.mark.parametrize("name", ["steps", "batch", "validate_every", "patience"])
@pytest.mark.parametrize("value", [0, -1, 2.5, math.nan, "3"])
def test_counts_are_positive_integers(name: str, value: object) -> None:
    changes: dict[str, Any] = {name: value}
    with pytest.raises(UsageError, match=f"{name} of stage 'short' must be a whole number > 0, got"):
        Stage("short", **changes)
    assert getattr(Stage(**{name: np.int64(3)}), name) == 3


@pytest.mark.parametrize("name", ["learning_rate", "clip"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_rates_are_positive_and_finite(name: str, value: float) -> None:
    changes: dict[str, Any] = {name: value}
    with pytest.raises(UsageError, match=f"{name} of stage 'train' must be a finite number > 0"):
        Stage(**changes)


@pytest.mark.parametrize("value", [-1e-6, math.nan, math.inf])
def test_weights_do_not_grow(value: float) -> None:
    with pytest.raises(UsageError, match="weight_decay of stage 'train' must be a finite number ≥ 0"):
        Stage(weight_decay=value)
    assert Stage(weight_decay=0.0, patience=None).weight_decay == 0


@pytest.mark.parametrize("what", ["force", "energy"])
def test_unknown_losses_are_refused_by_name(what: str) -> None:
    changes: dict[str, Any] = {what: "hubert"}
    with pytest.raises(UsageError, match=f"unknown {what} 'hubert', did you mean 'huber'"):
        Loss(**changes)
    with pytest.raises(
        UsageError, match=r"unknown force_loss of stage 'train' 'L1'.* Available: huber, l1, l2"
    ):
        Stage(force_loss="L1")  # type: ignore[arg-type]


def test_shares_are_shares() -> None:
    with pytest.raises(UsageError, match="rho must be a finite number ≥ 0 and ≤ 1, got nan"):
        Loss(rho=math.nan)
    with pytest.raises(UsageError, match=r"warmup .* ≥ 0 and < 1, got 1"):
        Stage(warmup=1.0)


def test_warnings_are_those_of_the_recipe_and_of_every_fit() -> None:
    histories = (
        History(stage="one", seconds=1.0, notes={"solver": {"warning": "not converged"}, "sigma": 10.0}),
        History(stage="two", seconds=1.0, notes={"warning": "few frames"}),
        History(stage="three", seconds=1.0, notes={"solver": {"warning": "not converged"}}),
    )
    trained = Trained(SGDML(), histories, {"warnings": ("take a larger γ",)})
    assert trained.warnings == ("take a larger γ", "not converged", "few frames")
    assert Trained(SGDML(), ()).warnings == ()
