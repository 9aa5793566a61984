"""The loop of a stage: batches, patience of each member, histories."""

from dataclasses import replace
from itertools import islice

import pytest
from morse_molecule import frames

from fidsel.exceptions import FidselError
from fidsel.models import PaiNN
from fidsel.training.optimise.fit import fit, fit_members
from fidsel.training.optimise.run import POINTS, batches
from fidsel.training.stage import Stage

STAGE = Stage(steps=60, learning_rate=5e-3, batch=5, validate_every=10)
TRAIN, VALIDATION = frames(20, 0), frames(10, 1)


def painn(seed: int = 0) -> PaiNN:
    return PaiNN(features=8, layers=2, radial=6, seed=seed)


def test_patience_ends_a_stage_that_no_longer_improves() -> None:
    still = replace(STAGE, steps=10_000, learning_rate=1e-30, patience=3)
    _, history = fit(painn(), TRAIN, VALIDATION, still)
    assert history.step[-1] == 3 * still.validate_every


def test_each_member_has_its_own_patience() -> None:
    # A member whose every validation is worse stops at once; the other goes on and keeps improving.
    rising = fit(painn(), TRAIN, VALIDATION, replace(STAGE, steps=150))[0]
    stage = replace(STAGE, steps=60, learning_rate=2e-2, patience=1, ema=0.0, warmup=0.0)
    (_, worse), (_, better) = fit_members([rising, painn(9)], TRAIN, VALIDATION, stage)
    assert worse.best_step < better.best_step


def test_histories_are_short_and_averages_follow_the_parameters() -> None:
    _, history = fit(painn(), TRAIN, VALIDATION, replace(STAGE, steps=230, validate_every=1, batch=1))
    assert len(history.step) == len(history.train) == len(history.validation) == POINTS
    assert history.step[0] == 1
    assert history.step[-1] == 230


def test_a_loss_that_is_not_finite_names_step_and_remedy() -> None:
    huge = TRAIN.replace(energy=None, forces=1e30 * TRAIN.forces)
    stage = replace(STAGE, rho=0.0, force_loss="l2")
    with pytest.raises(
        FidselError, match=r"must stay finite, member 0 has (nan|inf) at step 1: lower learning_rate"
    ):
        fit(painn(), huge, VALIDATION.replace(energy=None), stage)


def test_batches_are_whole_epochs_of_static_shape() -> None:
    rows = [b.tolist() for b in islice(batches(10, 4, 5, seed=0), 5)]
    assert all(len(r) == 4 for r in rows)
    flat = [row for step in rows for row in step]
    assert sorted(flat[:10]) == sorted(flat[10:]) == list(range(10))
    assert len(next(batches(3, 10, 1, seed=0))) == 3
