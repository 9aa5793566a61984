"""Distances, bonds and angles of dynamics against those of a reference."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fidsel.arrays import FloatArray, IntArray, shown
from fidsel.exceptions import UsageError
from fidsel.md.physical import Bonds
from fidsel.models.ranges import distances

WIDTH = 0.05
"""Å of a bin of h(r), as wide as 20 samples of each pair of some hundred frames fill."""
DEGREES = 180 / np.pi


@dataclass(frozen=True, eq=False)
class Distribution:
    """h(r), the distribution of the distances of all pairs of atoms of a molecule.

    Parameters
    ----------
    edges : (n + 1,) Å, of the bins.
    density : (n,) 1/Å; times the width of a bin they add up to 1.
    bonds, angles : mean and standard deviation of each bond, Å, and of each angle between two bonds, degrees.
    frames : that it was taken from.
    """

    edges: FloatArray
    density: FloatArray
    bonds: FloatArray
    angles: FloatArray
    frames: int
    __repr__ = shown

    @property
    def middles(self) -> FloatArray:
        """(n,) Å, of the bins."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    def apart(self, other: "Distribution") -> float:
        """Return ∫ |h − h'| dr: 0 where they are the same, 2 where they have nothing in common.

        The measure of Fu et al. (Forces are not enough, 2022, DOI 10.48550/arXiv.2210.07237), who call it the
        mean absolute error of h(r).
        """
        n = max(len(self.density), len(other.density))
        one, two = (np.pad(d.density, (0, n - len(d.density))) for d in (self, other))
        return float(np.abs(one - two).sum() * WIDTH)

    def compared(self, reference: "Distribution") -> dict[str, float | int]:
        """Return how far this is from a reference, as plain values."""
        bonds, angles = self.bonds - reference.bonds, self.angles - reference.angles
        return {
            "h_of_r": self.apart(reference),
            "bond_mean_mae": _mean(np.abs(bonds[:, 0])),
            "bond_spread_mae": _mean(np.abs(bonds[:, 1])),
            "angle_mean_mae": _mean(np.abs(angles[:, 0])),
            "angle_spread_mae": _mean(np.abs(angles[:, 1])),
            "frames": self.frames,
            "reference_frames": reference.frames,
        }


def distribution(pieces: Iterable[FloatArray], bonds: Bonds) -> Distribution:
    """Return the distribution of the frames of one molecule.

    Raises `UsageError` where there are none.

    Parameters
    ----------
    pieces : (n, N, 3) Å each.
    bonds : of the molecule, from which its angles follow.
    """
    ends = np.array(bonds, dtype=np.int64).reshape(-1, 2)
    corners = angles_of(bonds)
    counts, frames, sums = np.zeros(0), 0, [np.zeros((len(ends), 2)), np.zeros((len(corners), 2))]
    for x in pieces:
        apart = distances(x).ravel()
        frames += len(x)
        found = np.bincount((apart / WIDTH).astype(np.int64)).astype(np.float64)
        size = max(len(found), len(counts))
        counts = np.pad(counts, (0, size - len(counts))) + np.pad(found, (0, size - len(found)))
        lengths = np.linalg.norm(x[:, ends[:, 0]] - x[:, ends[:, 1]], axis=-1)
        sums = [
            own + np.stack([values.sum(axis=0), (values**2).sum(axis=0)], axis=1)
            for own, values in zip(sums, (lengths, degrees(x, corners)), strict=True)
        ]
    if frames == 0:
        raise UsageError("a distribution needs frames, got none")
    density = counts / max(counts.sum() * WIDTH, 1e-12)
    edges = np.linspace(0.0, WIDTH * len(counts), len(counts) + 1)
    stretches, angles = (_moments(own / frames) for own in sums)
    return Distribution(edges, density.astype(np.float64), stretches, angles, frames)


def angles_of(bonds: Bonds) -> IntArray:
    """Return (n, 3) atoms i, j, k of each angle between bonds i–j and j–k, i < k.

    >>> angles_of([(0, 1), (0, 2)]).tolist()
    [[1, 0, 2]]
    """
    near: dict[int, set[int]] = {}
    for i, j in bonds:
        near.setdefault(i, set()).add(j)
        near.setdefault(j, set()).add(i)
    found = [(i, j, k) for j, around in sorted(near.items()) for i in around for k in around if i < k]
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 3)


def degrees(x: FloatArray, corners: IntArray) -> FloatArray:
    """Return (n, k) angles of (n, N, 3) positions, for the atoms (k, 3) of `angles_of`."""
    one, two = (x[:, corners[:, side]] - x[:, corners[:, 1]] for side in (0, 2))
    length = np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1)
    cosine = np.einsum("npx,npx->np", one, two) / np.maximum(length, 1e-12)
    return np.asarray(DEGREES * np.arccos(np.clip(cosine, -1, 1)))


def _moments(means: FloatArray) -> FloatArray:
    """Return (n, 2) mean and standard deviation from the means of values and of their squares."""
    return np.stack([means[:, 0], np.sqrt(np.maximum(means[:, 1] - means[:, 0] ** 2, 0))], axis=1)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else 0.0
