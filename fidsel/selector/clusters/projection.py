"""Principal components of a descriptor of many features."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from fidsel.arrays import FloatArray, shown
from fidsel.data import Frames
from fidsel.exceptions import UsageError

LIMIT = 500
"""Features above which distances lose their meaning."""

VARIANCE = 0.99
"""Fraction of the variance that `Projection.above` keeps."""

EXACT = 2000
"""Features up to which the covariance is diagonalised whole."""

OVERSAMPLING, POWERS = 20, 4
"""Directions of the sketch beyond those wanted, and how often the covariance is applied to it."""

BLOCK = 1024
"""Frames described at once."""

CHUNK = 1 << 22
"""Numbers held at once (32 MiB)."""


@dataclass(frozen=True, eq=False)
class Projection:
    """Principal components of a descriptor: fitted once, then the same map for every frame.

    Recommended above 500 features, where distances lose their meaning.

    Parameters
    ----------
    mean : (d,) of the fitted features.
    components : (k, d) orthonormal rows, largest variance first.
    explained : fraction of the variance kept, 0 to 1.
    """

    mean: FloatArray
    components: FloatArray
    explained: float
    __repr__ = shown

    def __len__(self) -> int:
        """Return the number of components."""
        return len(self.components)

    @classmethod
    def fit(cls, features: FloatArray, variance: float = VARIANCE, *, most: int = LIMIT) -> Self:
        """Return the projection on the directions of largest variance.

        Of few rows by the products of rows. Else above 2000 features from a random sketch (Halko, Martinsson
        and Tropp), in memory for `most` directions beside the features; the seed is fixed, so that a fit is
        reproducible.

        Parameters
        ----------
        features : (n, d), n ≥ 1.
        variance : fraction between 0 and 1: the fewest components that hold it, though not more than `most`.

        References
        ----------
        N. Halko, P. G. Martinsson, J. A. Tropp, SIAM Rev. 53, 217 (2011), doi:10.1137/090771806.

        Examples
        --------
        >>> line = np.outer(np.arange(5.0), [3.0, 4.0])
        >>> project = Projection.fit(line, 0.99)
        >>> len(project), round(project.explained, 6)
        (1, 1.0)
        """
        if features.ndim != 2 or 0 in features.shape:
            raise UsageError(f"a projection needs at least one row and one feature, got {features.shape}")
        if not 0 < variance < 1:
            raise UsageError(f"a fraction of the variance must lie between 0 and 1, got {variance}")
        mean = features.mean(axis=0)
        if not np.isfinite(mean).all():
            raise UsageError("features must be finite numbers; leave out the frames whose features are not")
        n, d = features.shape
        wanted = min(most, n, d)
        if d > EXACT and wanted <= n <= EXACT:
            variances, directions = _of_rows(features, mean, wanted)
        elif d <= EXACT or wanted > d // 4:
            variances, directions = _whole(features, mean)
        else:
            variances, directions = _sketched(features, mean, wanted)
        total = float(sum((block**2).sum() for block in _centred(features, mean)))
        shares = np.cumsum(variances) / total if total > 0 else np.ones(len(variances))
        wanted = min(wanted, 1 + int(np.searchsorted(shares, variance - 1e-12)))
        return cls(mean, directions[:wanted].copy(), min(1.0, float(shares[wanted - 1])))

    @classmethod
    def above(cls, features: FloatArray, limit: int = LIMIT) -> Self | None:
        """Return what a descriptor of many features needs: None up to `limit` of them, else components."""
        return None if features.shape[1] <= limit else cls.fit(features, most=limit)

    def __call__(self, features: FloatArray) -> FloatArray:
        """Return the projected features, (n, k)."""
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise UsageError(
                f"this projection is of {len(self.mean)} features per frame, got features of shape "
                f"{features.shape}: use the same descriptor"
            )
        return np.asarray(features @ self.components.T - self.mean @ self.components.T)

    def describe(self) -> str:
        """Return what was chosen, as a sentence.

        >>> Projection(np.zeros(861), np.zeros((57, 861)), 0.9904).describe()
        '861 features are projected on 57 principal components, 99.0 % of the variance'
        """
        return (
            f"{len(self.mean)} features are projected on {len(self)} principal components, "
            f"{100 * self.explained:.1f} % of the variance"
        )


@dataclass(frozen=True, eq=False)
class Reduced:
    """A descriptor followed by a projection, some frames at a time: a large pool in little memory.

    Parameters
    ----------
    descriptor : of many features.
    projection : fitted to it.
    """

    descriptor: Callable[[Frames], FloatArray]
    projection: Projection
    __repr__ = shown

    @classmethod
    def fit(
        cls,
        descriptor: Callable[[Frames], FloatArray],
        pool: Frames,
        variance: float = VARIANCE,
        *,
        sample: int = 5000,
        seed: int = 0,
    ) -> Self:
        """Return the descriptor on the components of a random sample of the pool."""
        rows = np.random.default_rng(seed).permutation(len(pool))[:sample]
        return cls(descriptor, Projection.fit(descriptor(pool[np.sort(rows)]), variance))

    def __call__(self, frames: Frames) -> FloatArray:
        """Return the projected features of frames, (n, k)."""
        out = np.empty((len(frames), len(self.projection)))
        for start in range(0, len(frames), BLOCK):
            rows = slice(start, start + BLOCK)
            out[rows] = self.projection(self.descriptor(frames[rows]))
        return out


def _centred(features: FloatArray, mean: FloatArray) -> Iterator[FloatArray]:
    """Yield blocks of rows less the mean."""
    step = max(1, CHUNK // features.shape[1])
    for start in range(0, len(features), step):
        yield features[start : start + step] - mean


def _whole(features: FloatArray, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return all summed squares, largest first, and their directions as rows."""
    covariance = np.zeros((features.shape[1],) * 2)
    for block in _centred(features, mean):
        covariance += block.T @ block
    squares, directions = np.linalg.eigh(covariance)
    return squares[::-1].clip(min=0), directions.T[::-1]


def _of_rows(features: FloatArray, mean: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """Return the k largest summed squares and their directions, from the products of all pairs of rows."""
    n, d = features.shape
    products, step = np.zeros((n, n)), max(1, CHUNK // n)
    for start in range(0, d, step):
        block = features[:, start : start + step] - mean[start : start + step]
        products += block @ block.T
    squares, turn = np.linalg.eigh(products)
    squares, turn = squares[::-1][:k].clip(min=0), turn[:, ::-1][:, :k]
    scale = np.where(squares > 0, np.sqrt(squares), 1.0)
    directions = np.empty((k, d))
    for start in range(0, d, step):
        block = features[:, start : start + step] - mean[start : start + step]
        directions[:, start : start + step] = (turn / scale).T @ block
    return squares, directions


def _sketched(features: FloatArray, mean: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
    """Return about the k largest summed squares, largest first, and their directions as rows."""
    width = min(k + OVERSAMPLING, features.shape[1])
    image = np.random.default_rng(0).normal(size=(features.shape[1], width))
    for _ in range(POWERS):
        basis, _ = np.linalg.qr(image)
        image = np.zeros_like(basis)
        for block in _centred(features, mean):
            image += block.T @ (block @ basis)
    squares, turn = np.linalg.eigh(basis.T @ image)
    return squares[::-1].clip(min=0), (basis @ turn).T[::-1]
