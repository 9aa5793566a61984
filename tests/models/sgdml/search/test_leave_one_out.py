import numpy as np
import pytest
import torch
from morse_molecule import SWAP, frames

from fidsel.models import SGDML
from fidsel.models.sgdml.search.leave_one_out import LeftOut
from fidsel.models.sgdml.solver.solve import System

NONE = frames(0)


def left_out(n: int, weights: np.ndarray | None = None) -> LeftOut:
    model, _ = SGDML([3.0], 1e-8, symmetries=[SWAP]).fit(frames(n), NONE, weights)
    assert model.fitted is not None
    assert model.fitted.solved is not None
    system = System.of(model.fitted.solved.frames, model.fitted.train)
    return LeftOut(model.fitted.solved.lower.inverse(), system.targets, model.fitted.train.weights)


def test_residuals_are_those_of_fits_without_the_frame() -> None:
    found, every, fits = left_out(8), np.arange(8), []
    for i in range(8):
        model, _ = SGDML([3.0], 1e-8, symmetries=[SWAP]).fit(frames(8)[every != i], NONE)
        fits.append(np.linalg.norm(model.predict(frames(8)[[i]]).forces - frames(8)[[i]].forces))
    # the centre of the descriptor is that of other frames, which changes nothing but rounding
    assert found.residuals.norm(dim=1).numpy() == pytest.approx(np.array(fits), rel=1e-5)
    assert found.log_error == pytest.approx(np.log(fits).mean(), abs=1e-5)


def test_the_gradient_is_that_of_the_matrix() -> None:
    known = left_out(5, np.linspace(0.5, 1.5, 5))
    matrix, rng = torch.linalg.inv(known.inverse), np.random.default_rng(0)
    change = torch.from_numpy(rng.normal(size=matrix.shape)) * matrix.diagonal().min()
    change = 1e-5 * (change + change.mT)
    up, down = (
        LeftOut(torch.linalg.inv(matrix + sign * change), known.targets, known.weights).log_error
        for sign in (1, -1)
    )
    assert (up - down) / 2 == pytest.approx(float((known.gradient() * change).sum()), rel=1e-4)


def test_forces_of_zero_have_an_error() -> None:
    eye, zeros = torch.eye(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    found = LeftOut(eye, zeros, torch.ones(2, dtype=torch.float64))
    assert np.isfinite(found.log_error)
    assert (found.gradient() == 0).all()
