import numpy as np
import pytest
import torch
from scipy.integrate import quad_vec
from scipy.special import eval_legendre, spherical_jn

from fidsel.models.gemnet.basis import (
    angular_factors,
    angular_functions,
    bessel_zeros,
    radial_functions,
    waves,
)

ORDERS, COUNT = 7, 6


def functions_of(distance: torch.Tensor, cutoff: float, reach: float) -> torch.Tensor:
    """Return the radial functions, (..., ORDERS, COUNT)."""
    frequencies, weights = (torch.from_numpy(w).to(distance) for w in waves(ORDERS, COUNT, reach / cutoff))
    return radial_functions(distance, cutoff, frequencies, weights).unflatten(-1, (ORDERS, COUNT))


def exact(r: np.ndarray, cutoff: float, derivative: bool = False) -> np.ndarray:
    """Return the radial functions, (len(r), ORDERS, COUNT), or their slopes, by SciPy."""
    order, roots = np.arange(ORDERS)[:, None], bessel_zeros(ORDERS, COUNT)
    norm = np.sqrt(2 / cutoff**3) / np.abs(spherical_jn(order + 1, roots))
    x = roots * r[:, None, None] / cutoff
    inner = roots / cutoff if derivative else 1.0
    return norm * spherical_jn(order, x, derivative) * inner


def test_zeros_of_the_spherical_bessel_functions() -> None:
    zeros = bessel_zeros(ORDERS, COUNT)
    np.testing.assert_allclose(zeros[0], np.pi * np.arange(1, COUNT + 1))
    np.testing.assert_allclose(zeros[1, :2], [4.493409457909064, 7.725251836937707])
    for order, roots in enumerate(zeros):
        np.testing.assert_allclose(spherical_jn(order, roots), 0, atol=1e-12)
        # Every sign change from just above zero to the last root is one of the roots.
        x = np.linspace(1e-2, roots[-1] + 1e-3, 20_000)
        assert np.count_nonzero(np.diff(np.sign(spherical_jn(order, x)))) == COUNT


@pytest.mark.parametrize("reach", [2.0, 5.0, 9.0, 20.0])
def test_radial_functions_and_their_slopes_equal_those_of_scipy(reach: float) -> None:
    r = np.concatenate([[1e-6, 1e-3, 0.05], np.linspace(0.1, reach, 200)])
    distance = torch.from_numpy(r)[:, None].requires_grad_()
    functions = functions_of(distance, 5.0, reach)
    np.testing.assert_allclose(functions.detach(), exact(r, 5.0), atol=1e-11)
    for order, index in ((0, 0), (3, 2), (6, 0), (6, 5)):
        (slope,) = torch.autograd.grad(functions[:, order, index].sum(), distance, retain_graph=True)
        np.testing.assert_allclose(slope[:, 0], exact(r, 5.0, derivative=True)[:, order, index], atol=1e-9)


def test_radial_functions_keep_their_digits_in_single_precision() -> None:
    r = np.linspace(0.01, 5.0, 300, dtype=np.float32)
    functions = functions_of(torch.from_numpy(r)[:, None], 5.0, 5.0)
    np.testing.assert_allclose(functions, exact(r.astype(float), 5.0), atol=2e-6)


def test_radial_functions_of_one_order_are_orthonormal() -> None:
    def products(r: float) -> np.ndarray:
        f = functions_of(torch.tensor([r], dtype=torch.float64), 4.0, 4.0).numpy()
        return r * r * f[:, :, None] * f[:, None]

    overlap, _ = quad_vec(products, 0.0, 4.0, epsabs=1e-9)
    np.testing.assert_allclose(overlap, np.tile(np.eye(COUNT), (ORDERS, 1, 1)), atol=1e-7)


def angles(cosine: torch.Tensor, orders: int = ORDERS) -> torch.Tensor:
    """Return Y_l0, (orders, ...)."""
    factors = angular_factors(orders, cosine.dtype, cosine.device)
    functions = angular_functions(torch.ones_like(cosine), cosine, orders)
    return torch.stack(functions) * factors[:, 0]


@pytest.mark.parametrize("orders", [1, 2, 3, ORDERS, 12])
def test_angular_functions_are_spherical_harmonics_of_order_zero(orders: int) -> None:
    cosine = np.concatenate([[-1.0, 1.0], np.linspace(-0.99, 0.99, 50)])
    functions = angles(torch.from_numpy(cosine), orders)
    assert len(functions) == orders
    for order, function in enumerate(functions):
        expected = np.sqrt((2 * order + 1) / (4 * np.pi)) * eval_legendre(order, cosine)
        np.testing.assert_allclose(function, expected, atol=1e-12)


def test_angular_functions_that_start_from_zero_are_zero() -> None:
    first, cosine = torch.tensor([0.0, 1.0]), torch.tensor([0.3, 0.3])
    functions = torch.stack(angular_functions(first, cosine, ORDERS))
    assert (functions[:, 0] == 0).all()
    assert (functions[:, 1] != 0).all()


def test_straight_angles_have_finite_slopes() -> None:
    cosine = torch.tensor([-1.0, 1.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(angles(cosine)[4].sum(), cosine)
    # d P_l / dx at ±1 is (±1)^(l−1)·l(l + 1)/2.
    np.testing.assert_allclose(slope, np.sqrt(9 / (4 * np.pi)) * np.array([-10.0, 10.0]))
