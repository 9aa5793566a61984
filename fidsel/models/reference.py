"""Reference energies per element: the large constant part of an energy, kept in float64."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.robust import far_out


def compositions(frames: Frames) -> tuple[IntArray, FloatArray]:
    """Return the elements present, (m,), and how many atoms of each a frame has, (n_frames, m).

    >>> elements, counts = compositions(Frames.stack([8, 1, 1], np.zeros((2, 3, 3))))
    >>> elements.tolist(), counts.tolist()
    ([1, 8], [[2.0, 1.0], [2.0, 1.0]])
    """
    elements, column = np.unique(frames.numbers, return_inverse=True)
    counts = np.zeros((len(frames), len(elements)))
    row = np.repeat(np.arange(len(frames)), frames.sizes)
    np.add.at(counts, (row, column), 1.0)
    return elements, counts


@dataclass(frozen=True)
class EnergyReference:
    """E_ref = Σ_i ε(Z_i): what a float32 network need not carry.

    A total energy of −4e5 kcal/mol has no room left in float32 for the differences that matter, so
    the network predicts E − E_ref and E_ref is added in float64.

    Parameters
    ----------
    per_element : ε in eV by atomic number.
    rank : number of directions in composition space that the fitted frames determine; below the
        number of elements ε is the least-squares solution of smallest norm, which is right for the
        fitted compositions (a constant where there is one) and arbitrary between others.
    outliers : energies that were left out of the fit; not saved.

    Examples
    --------
    >>> water = Frames.stack([8, 1, 1], np.zeros((2, 3, 3)), energy=[-76.0, -78.0])
    >>> reference = EnergyReference.fit(water, water.energy)
    >>> reference.rank, np.allclose(reference.energy(water), -77.0)
    (1, True)
    """

    per_element: Mapping[int, float] = field(default_factory=dict)
    rank: int = 0
    outliers: int = field(default=0, compare=False)

    @classmethod
    def fit(cls, frames: Frames, energy: FloatArray, weights: FloatArray | None = None) -> Self:
        """Return the least-squares reference of energies (n_frames,) eV, minimum norm where undetermined.

        Energies far from the others of their composition are left out, see `far_out`.

        Parameters
        ----------
        weights : (n_frames,) of the squared deviations, ≥ 0; None = equal.

        Raises
        ------
        UsageError
            where there is no frame or an energy is missing.
        """
        if len(frames) == 0 or not np.isfinite(energy).all():
            missing = np.count_nonzero(~np.isfinite(energy))
            raise UsageError(
                f"reference energies need at least one frame and an energy for each: got {len(frames)} "
                f"frames, {missing} without energy"
            )
        elements, counts = compositions(frames)
        root = np.ones(len(frames)) if weights is None else np.sqrt(weights)
        far = far_out(energy, np.unique(counts, axis=0, return_inverse=True)[1].reshape(-1))
        matrix, right = (counts * root[:, None])[~far], (energy * root)[~far]
        solution, _, rank, _ = np.linalg.lstsq(matrix, right, rcond=None)
        fitted = {int(z): float(e) for z, e in zip(elements, solution, strict=True)}
        return cls(fitted, int(rank), int(far.sum()))

    @classmethod
    def zero(cls, frames: Frames) -> Self:
        """Return a reference of zero for the elements of some frames."""
        return cls({int(z): 0.0 for z in np.unique(frames.numbers)})

    def state(self) -> dict[str, Any]:
        """Return plain values, the inverse of `from_state`."""
        return {"per_element": {str(z): e for z, e in self.per_element.items()}, "rank": self.rank}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the reference that `state` came from."""
        return cls({int(z): float(e) for z, e in state["per_element"].items()}, int(state["rank"]))

    def energy(self, frames: Frames) -> FloatArray:
        """Return E_ref of each frame, (n_frames,) eV.

        Raises
        ------
        UsageError
            where a frame has an element the reference was not fitted to.
        """
        elements, counts = compositions(frames)
        if new := sorted(set(elements.tolist()) - set(self.per_element)):
            raise UsageError(
                f"elements {new} are not among those the model was trained on "
                f"({sorted(self.per_element)}): train on frames that contain them"
            )
        energies: FloatArray = counts @ np.array([self.per_element[int(z)] for z in elements])
        return energies

    def __add__(self, other: "EnergyReference") -> "EnergyReference":
        """Return the sum; an element that one side lacks counts as zero there."""
        keys = sorted(set(self.per_element) | set(other.per_element))
        total = {z: self.per_element.get(z, 0.0) + other.per_element.get(z, 0.0) for z in keys}
        return EnergyReference(total, max(self.rank, other.rank), self.outliers + other.outliers)

    def __neg__(self) -> "EnergyReference":
        return EnergyReference({z: -e for z, e in self.per_element.items()}, self.rank, self.outliers)
