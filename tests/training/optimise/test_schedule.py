from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.models import PaiNN
from fidsel.models.watch import Progress, Watch
from fidsel.training.optimise.fit import fit
from fidsel.training.optimise.schedule import LEAST, PATIENCE, ROOT, Schedule, second_half
from fidsel.training.stage import Stage

STAGE = Stage(steps=60, learning_rate=5e-3, batch=5, validate_every=10)
SETTLING = replace(STAGE, steps=None, validate_every=2)
TRAIN, VALIDATION = frames(12, 0), frames(6, 1)


def painn(seed: int = 0) -> PaiNN:
    return PaiNN(features=4, layers=1, radial=4, seed=seed)


def test_learning_rate_rises_and_falls() -> None:
    schedule = Schedule(STAGE, 20)
    rates = [schedule.rate(step, schedule.share(step, 0.0)) for step in range(1, 61)]
    peak = int(np.argmax(rates))
    assert peak == 2
    assert rates[-1] == pytest.approx(STAGE.learning_rate * STAGE.final)
    assert (np.diff(rates[peak:]) < 0).all()


def test_the_bound_grows_with_the_data_unless_steps_or_minutes_are_given() -> None:
    assert [Schedule(SETTLING, n).most for n in (10, 1000)] == [LEAST, round(ROOT * sqrt(1000))]
    assert Schedule(STAGE, 1000).most == 60
    timed = Schedule(replace(SETTLING, minutes=2.0), 1000)
    assert timed.most is None
    assert [timed.share(10**6, seconds) for seconds in (30.0, 500.0)] == [0.25, 1.0]
    assert Schedule(replace(STAGE, minutes=1.0), 1000).share(15, 45.0) == 0.75


def test_a_loss_that_no_longer_falls_lowers_the_learning_rate_then_ends_the_stage() -> None:
    stage = replace(SETTLING, learning_rate=1e-30)
    _, history = fit(painn(), TRAIN, VALIDATION, stage)
    plateaus = Schedule(stage, len(TRAIN)).plateaus
    assert plateaus == 4
    assert history.notes["steps"] == plateaus * PATIENCE * stage.validate_every
    assert history.notes["settled"]
    assert not fit(painn(), TRAIN, VALIDATION, replace(STAGE, learning_rate=1e-30))[1].notes["settled"]


def test_minutes_end_a_stage_before_its_steps() -> None:
    for stage in (replace(STAGE, steps=10**6), SETTLING):
        heard: list[Progress] = []
        timed = replace(stage, minutes=1e-4)
        _, history = fit(painn(), TRAIN, VALIDATION, timed, watch=Watch(heard.append))
        assert 1 <= history.notes["steps"] < 1000
        assert not history.notes["settled"]
        assert heard[-1].step == heard[-1].of == history.notes["steps"]


def test_the_second_half_counts_the_best_so_far() -> None:
    assert second_half(np.array([5]), np.array([2.0])) == 0.0
    assert second_half(np.array([2, 4]), np.array([2.0, 1.0])) == 0.5
    assert second_half(np.array([2, 4]), np.array([-1.0, -1.5])) == 0.5
    assert second_half(np.array([1, 2, 3, 4]), np.array([1.0, 1.0, 2.0, 2.0])) == 0.0
