import math

import numpy as np
import pytest
import torch
from scipy.special import kv

from fidsel.models.sgdml.matern import Matern

DISTANCES = torch.tensor([1e-3, 0.2, 1.0, 3.0, 9.0], dtype=torch.float64)


def kappa(distance: np.ndarray, matern: Matern) -> np.ndarray:
    """The definition, by a modified Bessel function."""
    t = math.sqrt(2 * matern.nu) * distance / matern.sigma
    return np.asarray(2 ** (1 - matern.nu) / math.gamma(matern.nu) * t**matern.nu * kv(matern.nu, t))


@pytest.mark.parametrize("matern", [Matern(0.7, nu) for nu in (2.5, 3.5, 4.5, 7.5)])
def test_coefficients_are_derivatives_of_the_definition(matern: Matern) -> None:
    d, step = DISTANCES[1:].numpy(), 1e-5
    first, second = matern.coefficients(DISTANCES[1:])

    def c1(at: np.ndarray) -> np.ndarray:
        return matern.coefficients(torch.from_numpy(at))[0].numpy()

    def c2(at: np.ndarray) -> np.ndarray:
        return matern.coefficients(torch.from_numpy(at))[1].numpy()

    slope = (kappa(d + step, matern) - kappa(d - step, matern)) / (2 * step)
    assert first.numpy() == pytest.approx(-slope / d, rel=1e-6, abs=1e-9)
    assert second.numpy() == pytest.approx(-(c1(d + step) - c1(d - step)) / (2 * step) / d, rel=1e-6)
    third = matern.third(DISTANCES[1:]).numpy()
    assert third == pytest.approx(-(c2(d + step) - c2(d - step)) / (2 * step) / d, rel=1e-6)


@pytest.mark.parametrize("nu", [2.5, 3.5, 5.5])
def test_coefficients_are_finite_where_frames_coincide(nu: float) -> None:
    matern, p = Matern(2.0, nu), nu - 0.5
    first, second = matern.coefficients(torch.zeros(1, dtype=torch.float64))
    assert float(first) == pytest.approx(matern.scale**2 / (2 * p - 1))
    assert float(second) == pytest.approx(matern.scale**4 / ((2 * p - 1) * (2 * p - 3)))
    assert torch.isfinite(matern.third(torch.zeros(1, dtype=torch.float64))).all()


def test_distances_stay_as_they_were() -> None:
    asked = DISTANCES.clone()
    Matern(1.0, 3.5).coefficients(asked)
    Matern(1.0, 3.5).third(asked)
    assert torch.equal(asked, DISTANCES)
