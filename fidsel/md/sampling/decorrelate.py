"""How far apart in a trajectory two frames must be to be worth two labels."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError


def autocorrelation_time(series: FloatArray, window: float = 5.0) -> float:
    """Return the integrated autocorrelation time of a stationary series, in samples.

    τ = 1 + 2 Σ_{t=1..W} ρ(t), with the smallest window W ≥ `window`·τ (Sokal; Madras and Sokal,
    J. Stat. Phys. 1988, 50, 109, DOI 10.1007/BF01022990). n samples are worth n/τ independent ones.

    Parameters
    ----------
    series : (n,) equally spaced samples.
    window : W/τ at which the sum ends; larger is noisier, smaller is biased.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=4000)
    >>> autocorrelation_time(noise) < 1.2 < autocorrelation_time(np.cumsum(noise)[:500])
    True
    """
    x = np.asarray(series, dtype=np.float64)
    if x.ndim != 1 or len(x) < 2 or not np.isfinite(x).all():
        raise UsageError(f"a series needs at least two finite samples in one dimension, got {x.shape}")
    if np.ptp(x) <= 4 * np.finfo(float).eps * np.abs(x).max():
        return 1.0
    x = x - x.mean()
    spectrum = np.fft.rfft(x, 2 * len(x))
    correlation = np.fft.irfft(spectrum * spectrum.conj())[: len(x)]
    tau = 2 * np.cumsum(correlation / correlation[0]) - 1
    enough = np.flatnonzero(np.arange(len(x)) >= window * tau)
    return float(max(1.0, tau[enough[0]] if enough.size else tau[-1]))


def geometry_coordinate(numbers: Sequence[int] | IntArray, positions: FloatArray) -> FloatArray:
    """Return (n,) the largest-variance collective coordinate of a trajectory, Å.

    First principal component of the pair distances, sorted within each pair of elements: turning a
    methyl group into itself moves nothing. Atoms fewer than two give zeros.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    positions : (n, N, 3) Å.
    """
    z = np.asarray(numbers)
    i, j = np.triu_indices(len(z), 1)
    if i.size == 0:
        return np.zeros(len(positions))
    distance = np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)
    for one, two in combinations_with_replacement(sorted(set(z.tolist())), 2):
        columns = np.flatnonzero((np.minimum(z[i], z[j]) == one) & (np.maximum(z[i], z[j]) == two))
        distance[:, columns] = np.sort(distance[:, columns], axis=1)
    distance -= distance.mean(axis=0)
    _, axes = np.linalg.eigh(distance.T @ distance)
    return np.asarray(distance @ axes[:, -1])
