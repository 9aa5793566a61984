"""Which frames a kernel learns from: weights, and copies of frames."""

import numpy as np
import pytest
from morse_molecule import SWAP, frames

from fidsel.data import Frames
from fidsel.models import SGDML

NONE = frames(0)


def force_mae(model: SGDML, test: Frames) -> float:
    return float(np.abs(model.predict(test).forces - test.forces).mean())


def test_low_weights_are_noise() -> None:
    train, test = frames(40), frames(30, seed=1)
    wrong = np.arange(40) < 10
    forces = train.forces + np.repeat(wrong, 4)[:, None] * 0.5 * np.sin(np.arange(160.0))[:, None]
    train = train.replace(forces=forces)
    weights = np.where(wrong, 1e-6, 1.0)
    equal, _ = SGDML([10.0], 1e-8).fit(train, NONE)
    weighted, _ = SGDML([10.0], 1e-8).fit(train, NONE, weights)
    assert force_mae(weighted, test) < 0.5 * force_mae(equal, test)
    dropped, record = SGDML([10.0], 1e-8).fit(train, NONE, np.where(wrong, 0.0, 1.0))
    assert record["left_out"] == 10
    assert force_mae(dropped, test) < 0.5 * force_mae(equal, test)


def test_only_relative_weights_matter() -> None:
    train, test = frames(10), frames(5, seed=1)
    weights = np.linspace(0.1, 1, 10)
    a, b = (SGDML([10.0]).fit(train, NONE, scale * weights)[0].predict(test) for scale in (1.0, 64.0))
    assert a.forces == pytest.approx(b.forces, abs=1e-9)


def test_duplicates_up_to_motion_and_symmetry_are_left_out() -> None:
    train = frames(10)
    turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    copies = train.replace(positions=train.positions @ turn + 3.0, forces=train.forces @ turn)
    swapped = train[[0]].replace(positions=train[[0]].positions[SWAP], forces=train[[0]].forces[SWAP])
    model, record = SGDML([10.0]).fit(train + copies + swapped, NONE)
    assert (record["frames"], record["left_out"]) == (10, 11)
    alone, _ = SGDML([10.0]).fit(train, NONE)
    assert model.predict(copies).forces == pytest.approx(alone.predict(copies).forces, abs=1e-6)


def test_a_frame_without_weight_takes_no_copy_along() -> None:
    _, record = SGDML([10.0]).fit(frames(5) + frames(5), NONE, np.repeat([0.0, 1.0], 5))
    assert (record["frames"], record["left_out"]) == (5, 5)
