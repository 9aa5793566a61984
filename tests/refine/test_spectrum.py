import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from springs import shaken

from fidsel.data import Frames
from fidsel.refine.spectrum import LEVELS, MeanSpectrum, by_size, laplacian_spectrum, quantiles


def line(n: int) -> np.ndarray:
    return np.stack([np.arange(n), np.zeros(n), np.zeros(n)], axis=1).astype(float)


def circle(n: int) -> np.ndarray:
    """Return points of a ring whose neighbours are 1 Å apart."""
    turn = 2 * np.pi * np.arange(n) / n
    return np.asarray(np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1) / (2 * np.sin(np.pi / n)))


@pytest.mark.parametrize("n", [2, 3, 7])
def test_a_complete_graph_has_zero_and_n_over_n_minus_one(n: int) -> None:
    expected = [0.0, *[n / (n - 1)] * (n - 1)]
    np.testing.assert_allclose(laplacian_spectrum(line(n), 100.0), expected, atol=1e-12)


@pytest.mark.parametrize("n", [2, 5, 8])
def test_a_path(n: int) -> None:
    expected = 1 - np.cos(np.pi * np.arange(n) / (n - 1))
    np.testing.assert_allclose(laplacian_spectrum(line(n), 1.0), expected, atol=1e-12)


@pytest.mark.parametrize("n", [3, 6, 9])
def test_a_ring(n: int) -> None:
    expected = np.sort(1 - np.cos(2 * np.pi * np.arange(n) / n))
    np.testing.assert_allclose(laplacian_spectrum(circle(n), 1.0 + 1e-9), expected, atol=1e-12)


def test_isolated_atoms_and_fragments_have_zeros() -> None:
    apart = np.concatenate([line(3), line(2) + 50.0, line(1) + 99.0])
    found = laplacian_spectrum(apart, 1.0)
    np.testing.assert_allclose(found, [0, 0, 0, 1, 2, 2], atol=1e-12)
    assert laplacian_spectrum(line(1), 5.0).tolist() == [0.0]


@given(seed=st.integers(0, 10**6), n=st.integers(1, 9), cutoff=st.floats(0.1, 5.0))
@settings(max_examples=40, deadline=None)
def test_eigenvalues_lie_in_zero_to_two_and_see_no_frame_of_reference(
    seed: int, n: int, cutoff: float
) -> None:
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=(n, 3))
    found = laplacian_spectrum(x, cutoff)
    assert found.shape == (n,)
    assert (np.diff(found) >= -1e-12).all()
    assert found.min() >= 0
    assert found.max() <= 2
    assert found[0] == pytest.approx(0, abs=1e-10)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    other = (x @ turn.T + 7.0)[rng.permutation(n)]
    gap = np.linalg.norm(x[:, None] - x, axis=-1)
    if np.abs(gap - cutoff).min() > 1e-9:  # rounding must not move a pair over the cutoff
        np.testing.assert_allclose(laplacian_spectrum(other, cutoff), found, atol=1e-10)


def test_frames_of_several_sizes_are_averaged_by_their_number() -> None:
    both = shaken("H2O", 3) + shaken("CH4", 2)
    assert [(rows.tolist(), x.shape) for rows, x in by_size(both, 2.0)] == [
        ([0, 1, 2], (3, 3)),
        ([3, 4], (2, 5)),
    ]
    mean = MeanSpectrum.of(both, 100.0)
    water, methane = quantiles(np.array([0, 1.5, 1.5])), quantiles(np.array([0, *[1.25] * 4]))
    np.testing.assert_allclose(mean.quantiles, 0.6 * water + 0.4 * methane, atol=1e-12)
    padded = 0.6 * np.array([0, 1.5, 1.5, 0, 0]) + 0.4 * np.array([0, *[1.25] * 4])
    np.testing.assert_allclose(mean.padded, padded, atol=1e-12)


def test_distances_are_those_of_quantile_functions() -> None:
    two, three = (MeanSpectrum.of(Frames.stack([1] * n, line(n)[None]), 9.0) for n in (2, 3))
    # {0, 2} against {0, 3/2, 3/2}: 0 up to 1/3, then 3/2 up to 1/2, then 1/2
    assert two.distance(three) == pytest.approx(1.5 * (1 / 2 - 1 / 3) + 0.5 / 2)
    assert two.distance(three, "published") == pytest.approx(0.5**2 + 1.5**2)
    assert two.distance(two) == two.distance(two, "published") == 0
    assert LEVELS % 6 == 0


def test_padding_tells_sizes_where_quantiles_tell_graphs() -> None:
    rings = [MeanSpectrum.of(Frames.stack([6] * n, circle(n)[None]), 1.0 + 1e-9) for n in (6, 12, 24)]
    near, far = rings[0].distance(rings[1]), rings[0].distance(rings[2])
    assert far < 1.5 * near
    assert rings[0].distance(rings[2], "published") > 1.9 * rings[0].distance(rings[1], "published")


def test_distances_of_frames_from_the_mean() -> None:
    both = shaken("H2O", 3) + shaken("CH4", 2)
    mean = MeanSpectrum.of(shaken("H2O", 4, seed=9), 100.0)
    expected = [0, 0, 0, *[MeanSpectrum.of(shaken("CH4", 1), 100.0).distance(mean)] * 2]
    np.testing.assert_allclose(mean.distances(both), expected, atol=1e-12)
