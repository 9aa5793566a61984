from pathlib import Path

import numpy as np
import pytest
from architectures import network
from morse_molecule import frames
from scipy.optimize import minimize

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, Average, load
from fidsel.models.combinations.average import best_weights


def kernels() -> list[SGDML]:
    return [SGDML([sigma]).fit(frames(12, seed), frames(4, 9))[0] for seed, sigma in enumerate((3.0, 10.0))]


def test_it_is_the_weighted_mean_of_energies_and_forces() -> None:
    one, other = kernels()
    test, model = frames(5, 3), Average([one, other], [0.25, 0.75])
    found, parts = model.predict(test), (one.predict(test), other.predict(test))
    np.testing.assert_allclose(found.forces, 0.25 * parts[0].forces + 0.75 * parts[1].forces)
    np.testing.assert_allclose(found.energy, 0.25 * parts[0].energy + 0.75 * parts[1].energy)


@pytest.mark.parametrize("forces", [True, False])
def test_the_weights_are_the_best_on_the_frames_they_are_chosen_on(*, forces: bool) -> None:
    test, members = frames(20, 5), kernels()
    model = Average(members).weighed(test if forces else test.replace(forces=None))

    def error(share: float) -> float:
        found = Average(members, [share, 1 - share]).predict(test)
        wrong = found.forces - test.forces if forces else found.energy - test.energy
        return float(np.sum(wrong**2))

    shares = np.linspace(0, 1, 101)
    assert abs(shares[np.argmin([error(share) for share in shares])] - model.weights[0]) <= 0.01


@pytest.mark.parametrize("seed", range(5))
def test_closed_form_weights_are_those_of_a_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(4, 30)) + rng.normal(size=30) * rng.uniform(0, 3, (4, 1))
    products = errors @ errors.T
    found = minimize(
        lambda w: w @ products @ w,
        np.full(4, 0.25),
        jac=lambda w: 2 * products @ w,
        method="SLSQP",
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12},
    )
    weights = best_weights(products)
    np.testing.assert_allclose(weights, found.x, atol=1e-4)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1.0)


def test_members_that_agree_share_the_weight() -> None:
    weights = best_weights(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    np.testing.assert_allclose([weights[0] + weights[1], weights[2]], [0.5, 0.5])


def test_it_is_saved_and_moved_with_its_weights(tmp_path: Path) -> None:
    model = Average([kernels()[0], network("painn")], [0.9, 0.1])
    again = load(model.save(tmp_path))
    assert repr(again) == "Average(0.90 sgdml + 0.10 painn, level 'morse')"
    test = frames(3, 7)
    for same in (again, model.to("cpu")):
        np.testing.assert_allclose(same.predict(test).forces, model.predict(test).forces, atol=1e-12)


@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.6], [1.5, -0.5], [np.nan, 1.0]])
def test_weights_that_make_no_mean_are_refused(weights: list[float]) -> None:
    with pytest.raises(UsageError, match="an average of 2 models needs as many weights ≥ 0 that add up to 1"):
        Average(kernels(), weights)
