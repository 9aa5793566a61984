"""Robust statistics of labels: what most frames say, whatever a few of them hold."""

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data.frames import Frames

FEWEST = 8
"""Labels below which nothing is said about what is usual."""

SWEEPS = 60
"""Weighted least-squares fits that approach the least absolute deviations."""


def spread(values: FloatArray) -> tuple[float, float]:
    """Return the median and the standard deviation that the median absolute deviation stands for.

    Values that are not finite are left out; NaN, NaN where none is.

    >>> spread(np.array([1.0, 2.0, 3.0, 1e9]))
    (2.5, 1.4826)
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    median = float(np.median(finite))
    return median, float(1.4826 * np.median(np.abs(finite - median)))


def kinds(frames: Frames) -> IntArray:
    """Return (n_frames,) a number for each composition and charge."""
    return np.unique(_settings(frames), axis=0, return_inverse=True)[1].reshape(-1)


def _settings(frames: Frames) -> FloatArray:
    """Return (n_frames, n_elements + 1) atoms of each element, and the charge."""
    elements, index = np.unique(frames.numbers, return_inverse=True)
    owner = np.repeat(np.arange(len(frames)), frames.sizes)
    counts = np.zeros((len(frames), len(elements) + 1))
    np.add.at(counts, (owner, index), 1.0)
    counts[:, -1] = frames.charge
    return counts


def excess_energy(frames: Frames, energy: FloatArray) -> FloatArray:
    """Return (n_frames,) eV, how far each energy lies above what is usual for its composition and charge.

    Usual is the median over the frames of the same kind where there are `FEWEST` of them, and else a sum
    of energies per element and charge, fitted to all frames by least absolute deviations. NaN where an
    energy is not finite, and everywhere where there are fewer than `FEWEST` energies.

    Parameters
    ----------
    energy : (n_frames,) eV, their energies or differences of energies at two levels.
    """
    out, rows = np.full(len(frames), np.nan), np.flatnonzero(np.isfinite(energy))
    if len(rows) < FEWEST:
        return out
    kind = kinds(frames)[rows]
    settings = _settings(frames)[rows]
    common = np.bincount(kind)[kind] >= FEWEST
    usual = np.empty(len(rows))
    if not common.all():
        usual = settings @ _least_deviations(settings, energy[rows])
    for label in np.unique(kind[common]):
        usual[kind == label] = np.median(energy[rows][kind == label])
    out[rows] = energy[rows] - usual
    return out


def _least_deviations(design: FloatArray, values: FloatArray) -> FloatArray:
    """Return the coefficients of smallest Σ|values − design·c|, by reweighted least squares."""
    # Scaled to 1, so that a weight's floor means the same for every magnitude of energies.
    scale = float(np.median(np.abs(values - np.median(values)))) or float(np.abs(values).max()) or 1.0
    weight: FloatArray = np.ones(len(values))
    found: FloatArray = np.zeros(design.shape[1])
    for _ in range(SWEEPS):
        root = np.sqrt(weight)
        found = np.asarray(np.linalg.lstsq(design * root[:, None], values / scale * root, rcond=None)[0])
        weight = np.asarray(1 / np.maximum(np.abs(values / scale - design @ found), 1e-6))
    return found * scale


def largest_forces(frames: Frames) -> FloatArray:
    """Return (n_frames,) eV/Å, norm of the largest force in each frame, NaN where forces are not labelled."""
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(frames.forces, axis=1)
    return frames.per_frame(np.maximum, norms)


def ratio(y: FloatArray, x: FloatArray) -> float:
    """Return the slope of y against x through the origin, of least absolute deviations.

    It is the median of y/x weighted by |x|, of which the largest count no more than 3 × the median, so that
    a wrong x has no more say than a wrong y. NaN where all x are zero.

    >>> ratio(np.array([2.0, 4.0, 1e6, 8.0, 2.0]), np.array([1.0, 2.0, 3.0, 4.0, 1e9]))
    2.0
    """
    used = np.isfinite(x) & np.isfinite(y) & (x != 0)
    if not used.any():
        return float("nan")
    weight = np.abs(x[used])
    weight = np.minimum(weight, 3 * np.median(weight))
    quotient = y[used] / x[used]
    order = np.argsort(quotient, kind="stable")
    heaped = np.cumsum(weight[order])
    return float(quotient[order][np.searchsorted(heaped, heaped[-1] / 2)])


def rank_correlation(x: FloatArray, y: FloatArray) -> float | None:
    """Return Spearman's correlation of ranks, None where it is undefined: one value, or either constant.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 1e9]))
    1.0
    """
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _ranks(x: FloatArray) -> FloatArray:
    """Return (n,) ranks, the mean of their places for values that are equal, NaN for NaN."""
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    return np.where(np.isnan(x), np.nan, (np.cumsum(count) - (count - 1) / 2)[place])


def net_share(frames: Frames) -> tuple[FloatArray, FloatArray]:
    """Return (n_frames,) eV/Å, norm of the net force, and its part of the norm of all forces.

    NaN where forces are not labelled; the part also where all are zero, and of single atoms.
    """
    net = np.linalg.norm(frames.sum_per_frame(frames.forces), axis=1)
    norm = np.sqrt(frames.sum_per_frame((frames.forces**2).sum(axis=1)))
    several = (frames.sizes > 1) & (norm > 0)
    return net, np.divide(net, norm, out=np.full(len(net), np.nan), where=several)
