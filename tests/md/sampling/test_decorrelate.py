"""Autocorrelation times against processes whose answer is known."""

import numpy as np
import pytest
from scipy.signal import lfilter

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.md.sampling.decorrelate import autocorrelation_time, geometry_coordinate


def autoregressive(phi: float, n: int, seed: int = 0) -> FloatArray:
    """x_t = φ·x_{t−1} + ξ_t, whose τ is (1 + φ)/(1 − φ)."""
    return np.asarray(lfilter([1.0], [1.0, -phi], np.random.default_rng(seed).normal(size=n)))


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_time_of_an_autoregressive_process(phi: float) -> None:
    tau = autocorrelation_time(autoregressive(phi, 200_000))
    assert tau == pytest.approx((1 + phi) / (1 - phi), rel=0.08)


def test_thinned_by_its_time_a_series_is_nearly_independent() -> None:
    series = autoregressive(0.9, 100_000)
    assert autocorrelation_time(series[:: int(np.ceil(autocorrelation_time(series)))]) < 1.5


def test_a_constant_needs_no_thinning() -> None:
    assert autocorrelation_time(np.full(50, 3.0)) == 1.0


def test_units_and_offset_do_not_matter() -> None:
    series = autoregressive(0.8, 5000)
    assert autocorrelation_time(1e-9 * series - 400.0) == pytest.approx(
        autocorrelation_time(series), rel=1e-3
    )


@pytest.mark.parametrize("series", [np.array([1.0]), np.array([1.0, np.nan]), np.zeros((3, 2))])
def test_what_is_no_series_is_refused(series: FloatArray) -> None:
    with pytest.raises(UsageError, match="at least two finite samples"):
        autocorrelation_time(series)


def test_geometry_coordinate_is_blind_to_rotation_and_equal_atoms() -> None:
    rng = np.random.default_rng(2)
    numbers = np.array([6, 1, 1, 1])
    frames = rng.normal(size=(20, 4, 3))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    q = geometry_coordinate(numbers, frames)
    for same in (frames @ rotation + 3.0, frames[:, [0, 2, 3, 1]]):
        other = geometry_coordinate(numbers, same)
        np.testing.assert_allclose(other * np.sign(other @ q), q, atol=1e-9)


def test_geometry_coordinate_follows_the_motion() -> None:
    length = np.linspace(1.0, 1.4, 30)
    frames = np.zeros((30, 2, 3))
    frames[:, 1, 2] = length
    q = geometry_coordinate([7, 7], frames)
    np.testing.assert_allclose(np.abs(q), np.abs(length - length.mean()), atol=1e-12)
    assert geometry_coordinate([7], frames[:, :1]).tolist() == [0.0] * 30
