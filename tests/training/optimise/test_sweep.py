from dataclasses import replace

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.models import SGDML, NetworkForceField, PaiNN
from fidsel.training.evaluate import errors
from fidsel.training.optimise.sweep import Sweep, forgetting
from fidsel.training.recipes.cheap import CheapPart, cheap_parts
from fidsel.training.stage import Stage
from fidsel.training.weights.bias import Bias

STAGE = Stage("pre-train", steps=40, batch=10, learning_rate=1e-2, validate_every=20)
ACCURATE = frames(30, 9)


def painn(seed: int) -> PaiNN:
    return PaiNN("morse", features=8, layers=1, radial=6, seed=seed)


def half_spoilt() -> tuple[CheapPart, Bias]:
    """Return a cheap level, half of whose labels are far off, and how far each is."""
    right = frames(60, 5, level="low")
    wrong = np.arange(60) % 2 == 1
    level = right.replace(forces=np.where(np.repeat(wrong, 4)[:, None], -right.forces, right.forces))
    (part,) = cheap_parts([level], frames(5, 1), None, held_out=0.2, seed=0)
    return part, Bias(np.where(np.isin(part.train.ids, np.array(level.ids)[wrong]), 3.0, 0.01), "eV/Å")


def pretrained(gammas: tuple[float, ...], bias: Bias | None, part: CheapPart) -> list[NetworkForceField]:
    sweep = Sweep(painn(0), gammas, seed=0)
    sweep.pretrain(part, part, STAGE, bias, "absolute")
    return sweep.models


def force_mae(model: NetworkForceField) -> float:
    return errors(model, ACCURATE).force_mae


def test_labels_of_large_bias_hardly_count_where_gamma_is_small() -> None:
    part, bias = half_spoilt()
    strict, lenient = pretrained((0.3, 1e6), bias, part)
    (plain,) = pretrained((), None, part)
    assert force_mae(strict) < 0.8 * force_mae(plain)
    assert force_mae(strict) < 0.8 * force_mae(lenient)
    # an infinite γ is no weight at all
    assert force_mae(lenient) == pytest.approx(force_mae(plain), rel=0.02)


def test_each_member_is_warned_of_its_own_weights_alone() -> None:
    part, bias = half_spoilt()
    bias = Bias(np.linspace(0.1, 2.0, len(bias.values)), "eV/Å")
    sweep = Sweep(painn(0), (1e-3, 10.0), seed=0)
    sweep.pretrain(part, part, replace(STAGE, steps=1), bias, "absolute")
    strict, lenient = sweep.warnings(0), sweep.warnings(1)
    assert lenient == []
    assert [text.partition(" leaves")[0] for text in strict] == ["low: γ = 0.001"]
    assert Sweep(painn(0), (), seed=0).warnings(0) == []


def test_a_model_of_the_accurate_level_has_forgotten_the_cheap_one() -> None:
    low, high = (SGDML([10.0]).fit(frames(40, 0, depth=d), frames(4, 1, depth=d))[0] for d in (3.0, 4.0))
    cheap = frames(20, 2, depth=3.0)
    found = forgetting(low, high, cheap)
    assert found["force_mae"]["before"] < 0.2 * found["force_mae"]["after"]
    assert found["energy_mae"]["before"] < 0.2 * found["energy_mae"]["after"]
    assert found["force_mae"]["after"] == pytest.approx(errors(high, cheap).force_mae)
    assert list(forgetting(low, high, cheap.replace(forces=None))) == ["energy_mae"]
    assert forgetting(low, high, cheap.unlabelled()) == {}
