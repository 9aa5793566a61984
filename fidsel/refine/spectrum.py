"""Spectra of molecular graphs: what a model's cutoff makes of a molecule, as numbers that compare sizes."""

from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray, shown
from fidsel.data import Frames

Measure = Literal["wasserstein", "published"]
"""How far apart two spectra are, see `MeanSpectrum.distance`."""

LEVELS: Final = 2520
"""Quantiles that a spectrum is compared at; a multiple of all sizes up to 10, so that these are exact."""


def laplacian_spectrum(positions: FloatArray, cutoff: float) -> FloatArray:
    """Return the eigenvalues of L = I − D^(−½) A D^(−½), ascending, (..., N), from 0 to 2.

    A_ij = 1 where ‖x_i − x_j‖ ≤ cutoff and i ≠ j, D = diag(Σ_j A_ij). The row of an atom without
    neighbours is zero, and so is its eigenvalue.

    Parameters
    ----------
    positions : (..., N, 3) Å.
    cutoff : Å.

    References
    ----------
    F. R. K. Chung, Spectral Graph Theory (1997), chapter 1.

    Examples
    --------
    >>> laplacian_spectrum(np.array([[0.0, 0, 0], [1, 0, 0], [9, 0, 0]]), 2.0).round(6).tolist()
    [0.0, 0.0, 2.0]
    """
    gap = positions[..., :, None, :] - positions[..., None, :, :]
    near = (np.einsum("...x,...x->...", gap, gap) <= cutoff**2) & ~np.eye(positions.shape[-2], dtype=bool)
    degree = near.sum(-1)
    root = 1 / np.sqrt(np.maximum(degree, 1))
    matrix = -(root[..., :, None] * near * root[..., None, :])
    matrix += np.eye(positions.shape[-2]) * (degree > 0)[..., None]
    values: FloatArray = np.linalg.eigvalsh(matrix).clip(0.0, 2.0)
    return values


def by_size(frames: Frames, cutoff: float) -> list[tuple[IntArray, FloatArray]]:
    """Return rows (k,) and spectra (k, N) of the frames of each size."""
    found = []
    for size in np.unique(frames.sizes):
        rows = np.flatnonzero(frames.sizes == size)
        atoms = frames.offsets[rows][:, None] + np.arange(size)
        found.append((rows, laplacian_spectrum(frames.positions[atoms], cutoff)))
    return found


def quantiles(spectra: FloatArray) -> FloatArray:
    """Return the quantile functions of spectra (..., N) at `LEVELS` levels, (..., LEVELS)."""
    size = spectra.shape[-1]
    return spectra[..., ((np.arange(LEVELS) + 0.5) * size / LEVELS).astype(int)]


@dataclass(frozen=True, eq=False)
class MeanSpectrum:
    """The mean spectrum of some frames at a cutoff, in two forms.

    Parameters
    ----------
    cutoff : Å.
    quantiles : (LEVELS,) mean of the quantile functions.
    padded : (largest N,) mean of the ascending eigenvalues with zeros behind them.
    """

    cutoff: float
    quantiles: FloatArray
    padded: FloatArray
    __repr__ = shown

    @classmethod
    def of(cls, frames: Frames, cutoff: float) -> Self:
        """Return the mean over frames of any sizes, at least one."""
        levels, padded = np.zeros(LEVELS), np.zeros(int(frames.sizes.max()))
        for rows, spectra in by_size(frames, cutoff):
            share, mean = len(rows) / len(frames), spectra.mean(axis=0)
            levels += share * quantiles(mean)
            padded[: len(mean)] += share * mean
        return cls(float(cutoff), levels, padded)

    def distance(self, other: "MeanSpectrum", measure: Measure = "wasserstein") -> float:
        """Return how far apart two mean spectra are.

        "wasserstein" is ∫ |Q(q) − Q'(q)| dq of the quantile functions, which compares molecules of unlike
        sizes; "published" is ‖λ − λ'‖² of the eigenvalues with zeros behind the shorter ones, which grows
        with the difference of the sizes whatever the graphs are.
        """
        if measure == "wasserstein":
            return float(np.abs(self.quantiles - other.quantiles).mean())
        size = max(len(self.padded), len(other.padded))
        one, two = (np.pad(mean.padded, (0, size - len(mean.padded))) for mean in (self, other))
        return float(((one - two) ** 2).sum())

    def distances(self, frames: Frames) -> FloatArray:
        """Return the Wasserstein distance of each frame from the mean spectrum, (n_frames,)."""
        found = np.empty(len(frames))
        for rows, spectra in by_size(frames, self.cutoff):
            for row, spectrum in zip(rows, spectra, strict=True):
                found[row] = np.abs(quantiles(spectrum) - self.quantiles).mean()
        return found
