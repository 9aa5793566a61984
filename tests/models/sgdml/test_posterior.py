from pathlib import Path

import numpy as np
import pytest
from morse_molecule import SWAP, frames

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, load
from fidsel.models.sgdml.posterior import signal_variance

NONE, LAM = frames(0), 1e-6


def fitted(n: int, solver: str = "exact") -> SGDML:
    return SGDML([10.0], LAM, symmetries=[SWAP], solver=solver).fit(frames(n), NONE)[0]


def scale(model: SGDML) -> float:
    assert model.fitted is not None
    assert model.fitted.solved is not None
    return signal_variance(model.fitted, model.fitted.solved)


def test_a_covariance_is_symmetric_and_positive() -> None:
    found = fitted(10).covariance(frames(5, seed=1))
    assert found.shape == (60, 60)
    assert found == pytest.approx(found.T, abs=1e-12 * np.abs(found).max())
    assert np.linalg.eigvalsh(found).min() > -1e-9 * np.abs(found).max()


def test_others_are_a_block_of_all() -> None:
    model, some, others = fitted(10), frames(2, seed=1), frames(3, seed=2)
    whole = model.covariance(some + others)
    assert model.covariance(some, others) == pytest.approx(whole[:24, 24:], abs=1e-9 * np.abs(whole).max())
    assert model.covariance(some, others[:0]).shape == (24, 0)


def test_more_frames_leave_less_doubt_and_less_error() -> None:
    test = frames(20, seed=1)
    spread = [np.sqrt(fitted(n).covariance(test).diagonal().mean()) for n in (5, 20, 80)]
    error = [np.sqrt(((fitted(n).predict(test).forces - test.forces) ** 2).mean()) for n in (5, 20, 80)]
    assert spread[0] > 1.5 * spread[1] > 1.5**2 * spread[2]
    assert 0.2 < spread[1] / error[1] < 5


def test_further_labels_move_the_forces_as_an_update_does() -> None:
    """f + C(x, A) (C(A, A) + N)⁻¹ (y − f(A)) with N = λ is the fit to both."""
    model, more, test = fitted(15), frames(4, seed=1), frames(6, seed=2)
    residual = (more.forces - model.predict(more).forces).ravel()
    own, across = model.covariance(more), model.covariance(test, more)
    noise = LAM * np.eye(48) * scale(model)
    moved = model.predict(test).forces.ravel() + across @ np.linalg.solve(own + noise, residual)
    assert moved == pytest.approx(model.update(more)[0].predict(test).forces.ravel(), abs=1e-6)


def test_the_scale_is_that_of_the_forces() -> None:
    train = frames(20)
    double = SGDML([10.0], LAM, symmetries=[SWAP]).fit(train.replace(forces=2 * train.forces), NONE)[0]
    assert scale(double) == pytest.approx(4 * scale(fitted(20)), rel=1e-6)


def test_a_loaded_model_makes_its_factor_again(tmp_path: Path) -> None:
    model, some = fitted(10), frames(3, seed=1)
    again = load(model.save(tmp_path))
    assert isinstance(again, SGDML)
    assert again.covariance(some) == pytest.approx(model.covariance(some), abs=1e-9)


def test_an_iterative_model_has_no_covariance() -> None:
    with pytest.raises(UsageError, match="fitted with solver = 'exact'"):
        fitted(10, "iterative").covariance(frames(1))
    with pytest.raises(UsageError, match="has not been fitted"):
        SGDML().covariance(frames(1))


def test_a_quick_fit_without_a_factor_has_the_covariance_of_an_exact_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exact, some = fitted(10), frames(3, seed=1)
    monkeypatch.setattr("fidsel.models.sgdml.solver.solve.QUICK", 5)
    quick = fitted(10, solver="quick")
    assert quick.fitted is not None
    assert quick.fitted.solved is None
    found = exact.covariance(some)
    assert quick.covariance(some) == pytest.approx(found, abs=1e-6 * np.abs(found).max())
    with pytest.raises(UsageError, match="got an iterative one"):
        fitted(10, solver="iterative").covariance(some)
