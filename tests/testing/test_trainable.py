"""Every model that learns keeps the rules of training; their checks name the rule that another one breaks."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import count
from typing import Any

import numpy as np
import pytest
from architectures import ARCHITECTURES
from morse_molecule import frames

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.models import MACE, SGDML, Ensemble, ForceField, Predictions
from fidsel.testing import check_fittable, check_trainable
from fidsel.testing import trainable as contract
from fidsel.training.stage import Stage

TRAIN, VALIDATION = frames(24), frames(8, seed=1)
NEEDS_MACE = pytest.mark.skipif(find_spec("mace") is None, reason="needs pip install 'fidsel[mace]'")
STEPS = {"gemnet": 20, "schnet": 80}
"""Of those that need fewer or more than others."""


def build(kind: str, seed: int) -> ForceField:
    return ARCHITECTURES[kind](seed=seed)


def short(steps: int = 40, learning_rate: float = 2e-2) -> Stage:
    return replace(contract.STAGE, steps=steps, learning_rate=learning_rate)


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_networks_keep_the_rules_of_training(kind: str) -> None:
    check_trainable(partial(build, kind), TRAIN, VALIDATION, stage=short(STEPS.get(kind, 40)))


@NEEDS_MACE
def test_mace_keeps_the_rules_of_training() -> None:
    def tiny(seed: int) -> ForceField:
        return MACE(elements=[1, 6, 8], channels=8, max_l=0, layers=1, correlation=2, radial=6, seed=seed)

    check_trainable(tiny, TRAIN, VALIDATION, stage=short(20, 5e-2))


def test_committees_keep_the_rules_of_training() -> None:
    check_trainable(partial(Ensemble.of, partial(build, "painn"), 2), TRAIN, VALIDATION, stage=short(30))


@pytest.mark.parametrize("sigmas", [[10.0], [5.0, 10.0, 20.0]])
def test_sgdml_keeps_the_rules_of_training(sigmas: list[float]) -> None:
    check_fittable(SGDML(sigmas), TRAIN, VALIDATION)


Fit = tuple[SGDML, dict[str, Any]]
Fitting = Callable[[SGDML, Frames, Frames, FloatArray | None], Fit]


class Kernel(SGDML):
    """A kernel that fits in its own way."""

    def __init__(self, fitting: Fitting) -> None:
        super().__init__([10.0])
        self.fitting = fitting

    def fit(self, train: Frames, validation: Frames, weights: FloatArray | None = None) -> Fit:
        return self.fitting(self, train, validation, weights)


def itself(model: SGDML, train: Frames, validation: Frames, weights: FloatArray | None) -> Fit:
    model.fitted = SGDML.fit(model, train, validation, weights)[0].fitted
    return model, {}


def grows(model: SGDML, train: Frames, validation: Frames, weights: FloatArray | None) -> Fit:
    model.max_perms += 1
    return SGDML.fit(model, train, validation, weights)


def overwrites(model: SGDML, train: Frames, validation: Frames, weights: FloatArray | None) -> Fit:
    fitted = SGDML.fit(model, train, validation, weights)
    train.forces.setflags(write=True)
    train.forces[0] = 0.0
    return fitted


def weighs_alike(model: SGDML, train: Frames, validation: Frames, _: FloatArray | None) -> Fit:
    return SGDML.fit(model, train, validation)


def turns_around(model: SGDML, train: Frames, validation: Frames, weights: FloatArray | None) -> Fit:
    return SGDML.fit(model, train.replace(forces=-train.forces), validation, weights)


RUNS = count()


def draws(model: SGDML, train: Frames, validation: Frames, weights: FloatArray | None) -> Fit:
    noise = 1e-3 * np.random.default_rng(next(RUNS)).normal(size=train.forces.shape)
    return SGDML.fit(model, train.replace(forces=train.forces + noise), validation, weights)


@pytest.mark.parametrize(
    ("fitting", "rule"),
    [
        (itself, "training must return another model"),
        (grows, "training must not change the model it starts from"),
        (overwrites, "training must not write to its frames"),
        (weighs_alike, "with weights on the true labels alone, a trained model must beat"),
        (turns_around, "a trained model must beat predicting no force at all"),
        (draws, "the same seed must give the same trained model"),
    ],
)
def test_a_broken_rule_is_named(fitting: Fitting, rule: str) -> None:
    check_trainable(lambda _: Kernel(SGDML.fit), frames(24), VALIDATION, random=False)
    with pytest.raises(AssertionError, match=rule):
        check_trainable(lambda _: Kernel(fitting), frames(24), VALIDATION, random=False)


class Boastful(Predictions):
    """A model off by 0.1 eV/Å in all it has learnt, which says what it would be off by elsewhere."""

    def __init__(self, elsewhere: float) -> None:
        super().__init__(TRAIN.replace(forces=TRAIN.forces + 0.1))
        self.elsewhere = elsewhere

    def leave_one_out(self) -> float | None:
        return self.elsewhere


def test_a_leave_one_out_error_is_no_smaller_than_that_of_what_is_learnt() -> None:
    contract.check_leave_one_out(Boastful(0.2), TRAIN)
    for elsewhere, rule in ((0.05, "must not be below that of the training frames"), (np.nan, "finite")):
        with pytest.raises(AssertionError, match=rule):
            contract.check_leave_one_out(Boastful(elsewhere), TRAIN)


def test_networks_that_heed_no_seed_are_told() -> None:
    runs = count()
    with pytest.raises(AssertionError, match="the same seed must give the same trained model"):
        contract.check_seed(lambda _: build("painn", next(runs)), TRAIN, VALIDATION)
    with pytest.raises(AssertionError, match="another seed must give a model that starts elsewhere"):
        contract.check_seed(lambda _: build("painn", 0), TRAIN, VALIDATION)


def test_a_network_that_does_not_move_has_not_learnt() -> None:
    still = short(10, 1e-9)
    for check in (contract.check_learns, contract.check_weights):
        with pytest.raises(AssertionError, match="must beat predicting no force at all"):
            check(partial(build, "painn"), TRAIN, VALIDATION, still)
