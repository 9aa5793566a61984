"""k-means of energies: in one dimension, on sorted values, it takes O(k log n) per iteration."""

import numpy as np

from fidsel.arrays import FloatArray, IntArray


def energy_centers(energies: FloatArray, k: int, rng: np.random.Generator, restarts: int = 8) -> FloatArray:
    """Return at most `k` rising cluster centres of finite energies (k-means++ start, then Lloyd).

    Fewer where there are fewer distinct energies. Of `restarts` runs the one with the smallest sum
    of squared distances is kept.

    References
    ----------
    D. Arthur and S. Vassilvitskii, Proc. SODA 2007, 1027: k-means++.

    Examples
    --------
    >>> energy_centers(np.array([1.0, 1.2, 9.0, 9.2]), 2, np.random.default_rng(0)).tolist()
    [1.1, 9.1]
    """
    values = np.sort(energies)
    k = min(k, len(np.unique(values)))
    if k == 0:
        return values
    shift = values.mean()
    values = values - shift
    runs = [_lloyd(values, _plus_plus(values, k, rng)) for _ in range(restarts if k > 1 else 1)]
    centers = min(runs, key=lambda run: run[0])[1] + shift
    while len(used := np.unique(nearest_center(energies, centers))) < len(centers):
        centers = centers[used]  # rounding can empty a cluster of energies that differ in the last digit
    return np.asarray(centers)


def nearest_center(energies: FloatArray, centers: FloatArray) -> IntArray:
    """Return the index of the nearest of some rising centres, (n,); halfway goes to the upper one."""
    return np.searchsorted((centers[1:] + centers[:-1]) / 2, energies, side="right")


def _plus_plus(values: FloatArray, k: int, rng: np.random.Generator) -> FloatArray:
    """Draw k distinct values, each with probability proportional to its squared distance to those drawn."""
    drawn = [values[rng.integers(len(values))]]
    squares = (values - drawn[0]) ** 2
    for _ in range(1, k):
        total = squares.cumsum()
        row = np.searchsorted(total, rng.random() * total[-1], side="right")
        drawn.append(values[min(row, len(values) - 1)])
        squares = np.minimum(squares, (values - drawn[-1]) ** 2)
    return np.unique(drawn)


def _lloyd(values: FloatArray, centers: FloatArray) -> tuple[float, FloatArray]:
    """Return the sum of squared distances and the centres at convergence."""
    sums = np.concatenate([[0.0], values.cumsum()])
    previous: FloatArray | None = None
    while previous is None or not np.array_equal(previous, centers):
        previous = centers
        edges = np.searchsorted(values, (centers[1:] + centers[:-1]) / 2)
        bounds = np.unique(np.concatenate([[0], edges, [len(values)]]))
        centers = np.diff(sums[bounds]) / np.diff(bounds)
    return float(((values - centers[nearest_center(values, centers)]) ** 2).sum()), centers
