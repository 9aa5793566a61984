"""Robust statistics: right values although some of the numbers are wrong."""

import numpy as np
import pytest

from fidsel.data import Frames
from fidsel.data.checks.robust import (
    excess_energy,
    largest_forces,
    net_share,
    rank_correlation,
    ratio,
    spread,
)


def test_spread_is_that_of_a_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 20001)
    values[:100] = [1e300, np.nan] * 50
    assert spread(values) == pytest.approx((3.0, 2.0), abs=0.06)
    assert np.isnan(spread(np.array([np.nan]))).all()


def test_slope_survives_a_fifth_of_wrong_numbers() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=100)
    y = 1.7 * x + rng.normal(scale=0.01, size=100)
    y[:10], x[10:20] = 1e6, -1e9
    assert ratio(y, x) == pytest.approx(1.7, rel=0.01)
    assert np.isnan(ratio(y, np.zeros(100)))


def test_correlation_is_of_ranks() -> None:
    x = np.arange(10.0)
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1.0)
    assert rank_correlation(x, -(x**3)) == pytest.approx(-1.0)
    assert rank_correlation(np.array([1.0, 2.0, 2.0, 3.0]), x[:4]) == pytest.approx(np.sqrt(0.9))
    assert rank_correlation(x, np.zeros(10)) is None
    assert rank_correlation(x[:1], x[:1]) is None


def test_excess_is_against_the_median_of_the_composition() -> None:
    energy = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 1e6])
    frames = Frames.stack([1, 1], np.zeros((9, 2, 3)), energy=energy)
    np.testing.assert_allclose(excess_energy(frames, energy), energy - 5.0)
    assert np.isnan(excess_energy(frames[:7], energy[:7])).all()
    energy[0] = np.nan
    assert np.isnan(excess_energy(frames, energy)).tolist() == [True] + [False] * 8


def test_excess_of_rare_compositions_is_against_energies_per_element() -> None:
    carbon, hydrogen = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9]), np.array([4, 6, 8, 4, 6, 6, 8, 2, 10])
    numbers = np.concatenate([[6] * c + [1] * h for c, h in zip(carbon, hydrogen, strict=True)])
    offsets = np.concatenate([[0], np.cumsum(carbon + hydrogen)])
    energy = -1000.0 * carbon - 15.0 * hydrogen
    energy[4] += 500.0
    excess = excess_energy(Frames.pack(numbers, np.zeros((len(numbers), 3)), offsets), energy)
    np.testing.assert_allclose(excess, np.where(np.arange(9) == 4, 500.0, 0.0), atol=1e-3)


def test_largest_and_net_forces() -> None:
    forces = np.array([[[3.0, 4, 0], [0, 0, 1]], [[1.0, 0, 0], [-1, 0, 0]], [[0.0, 0, 0], [0, 0, 0]]])
    frames = Frames.stack([1, 1], np.zeros((3, 2, 3)), forces=forces)
    np.testing.assert_allclose(largest_forces(frames), [5, 1, 0])
    net, share = net_share(frames)
    np.testing.assert_allclose(net, [np.sqrt(26), 0, 0])
    np.testing.assert_allclose(share, [1.0, 0.0, np.nan])
