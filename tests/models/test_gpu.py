"""Models compute the same on a CUDA device as on the CPU; run with -m gpu where there is one."""

import numpy as np
import pytest
import torch
from morse_molecule import frames

from fidsel.models import SGDML, PaiNN
from fidsel.training import fit
from fidsel.training.stage import Stage

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def test_painn_predicts_the_same() -> None:
    start, some = PaiNN("morse", features=16, layers=2, seed=1).to(dtype=torch.float64), frames(20)
    model, _ = fit(start, some, frames(10, seed=1), Stage(steps=5))
    here, there = model.predict(some), model.to("cuda").predict(some)
    np.testing.assert_allclose(there.energy, here.energy, atol=1e-8)
    np.testing.assert_allclose(there.forces, here.forces, atol=1e-8)


def test_painn_trains_on_the_device() -> None:
    stage = Stage(steps=200, learning_rate=3e-3, validate_every=20)
    model = PaiNN("morse", features=16, layers=2, seed=1).to("cuda")
    _, history = fit(model, frames(40), frames(20, seed=1), stage)
    assert history.validation[-1] < 0.5 * history.validation[0]


def test_sgdml_fits_and_predicts_the_same() -> None:
    train, validation, some = frames(30), frames(10, seed=1), frames(20, seed=2)
    here, _ = SGDML([10.0]).fit(train, validation)
    there, _ = SGDML([10.0], device="cuda").fit(train, validation)
    np.testing.assert_allclose(there.predict(some).forces, here.predict(some).forces, atol=1e-5)
