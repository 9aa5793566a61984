"""What sGDML learns from and what it has learnt."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from fidsel.models.ranges import MoleculeRanges, distances
from fidsel.models.require import Electrons
from fidsel.models.robust import far_out
from fidsel.models.sgdml.factor import Factor
from fidsel.models.sgdml.kernel import Expansion, Geometry, describe, geometry
from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.symmetry import pair_indices


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled frames of one molecule, as tensors.

    Parameters
    ----------
    positions : (n, N, 3) Å.
    forces : (n, N, 3) eV/Å.
    energy : (n,) eV, NaN where unknown.
    weights : (n,) positive; the noise of a frame's forces is λ / weight.
    """

    positions: Tensor
    forces: Tensor
    energy: Tensor
    weights: Tensor

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: Tensor) -> Self:
        return type(self)(*(tensor[rows] for tensor in self.tensors().values()))

    def __add__(self, other: Self) -> Self:
        both = zip(self.tensors().values(), other.tensors().values(), strict=True)
        return type(self)(*(torch.cat(pair) for pair in both))

    def spaced(self, most: int) -> Self:
        """Return evenly spaced ones of the frames where there are more than some number."""
        chosen = np.linspace(0, len(self) - 1, min(len(self), most)).round().astype(np.int64)
        return self[torch.from_numpy(chosen)]

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name."""
        return {name: getattr(self, name) for name in ("positions", "forces", "energy", "weights")}


@dataclass(frozen=True, eq=False)
class Solved:
    """The kernel matrix of an exact fit: its frames, in their bases, and its factor."""

    frames: Geometry
    lower: Factor


@dataclass(frozen=True, eq=False)
class Fitted:
    """What an sGDML model has learnt.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    permutations : (P, N) symmetries, identity first.
    train : the n training frames.
    v : (n, D) their coefficients Jα.
    centre, metric : (D,) of the descriptor, see `geometry`; invariant under the symmetries.
    matern : length scale and smoothness.
    lam : regularisation.
    constant : eV, integration constant of the energy.
    electrons : charge and spin of the training frames; None = unknown.
    outliers : energies that were left out of the constant; not saved.
    solved : the factorised matrix, where there is one; neither saved nor taken to another device, whose
        memory it may not fit into.
    """

    numbers: Tensor
    permutations: Tensor
    train: Examples
    v: Tensor
    centre: Tensor
    metric: Tensor
    matern: Matern
    lam: float
    constant: float = 0.0
    electrons: Electrons | None = None
    outliers: int = 0
    solved: Solved | None = None

    def expansion(self) -> Expansion:
        """Return the energy surface, without the constant."""
        x = (describe(self.train.positions) - self.centre) * self.metric
        symmetries = descriptor_symmetries(self.permutations)
        return Expansion.unfold(x, self.v, symmetries, self.centre, self.metric, self.matern)

    def geometry(self, positions: Tensor) -> Geometry:
        """Return what the kernel needs to know of (n, N, 3) positions."""
        return geometry(positions, self.centre, self.metric)

    @property
    def weighed(self) -> bool:
        """Whether the metric is another than the identity."""
        return bool((self.metric != 1).any())

    @property
    def equations(self) -> int:
        """Of each frame."""
        return min(self.v.shape[1], max(3 * len(self.numbers) - 6, 1))

    def counts(self) -> dict[str, int]:
        """Return how many frames and energies it was fitted to, for a record."""
        energies = int(self.train.energy.isfinite().sum()) - self.outliers
        return {"frames": len(self.train), "energies": energies, "energy_outliers": self.outliers}

    def ranges(self) -> MoleculeRanges:
        """Return the range of each distance in the training frames and their symmetric copies."""
        apart = distances(self.train.positions.cpu().numpy())
        symmetries = descriptor_symmetries(self.permutations).cpu().numpy()
        return MoleculeRanges(apart.min(0)[symmetries].min(0), apart.max(0)[symmetries].max(0))

    def with_constant(self) -> Self:
        """Return a copy whose weighted mean energy is that of the training frames that have one.

        Energies that are far from what the others say are left out, see `far_out`.
        """
        known = self.train.energy.isfinite()
        if not known.any():
            return self
        train = self.train[known]
        gap, weights = train.energy - self.expansion()(train.positions)[0], train.weights
        far = torch.from_numpy(far_out(gap.cpu().numpy())).to(gap.device)
        near, trusted = gap[~far], weights[~far]
        constant = float(near @ trusted / trusted.sum())
        return replace(self, constant=constant, outliers=int(far.sum()))

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name."""
        own = {name: getattr(self, name) for name in ("numbers", "permutations", "v", "centre", "metric")}
        return own | self.train.tensors()

    def to(self, device: str) -> Self:
        """Return the same on a device, named as `fidsel.models.device.resolve` does."""
        if self.v.device == torch.device(device):
            return self
        moved = {name: tensor.to(device) for name, tensor in self.tensors().items()}
        return self.restore(moved, self.scalars())

    def scalars(self) -> dict[str, float]:
        """Return the numbers by name."""
        known = {} if self.electrons is None else self.electrons._asdict()
        return asdict(self.matern) | {"lam": self.lam, "constant": self.constant} | known

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], scalars: Mapping[str, float]) -> Self:
        """Return what `tensors` and `scalars` came from."""
        t = tensors
        train = Examples(t["positions"], t["forces"], t["energy"], t["weights"])
        lam, constant = scalars["lam"], scalars["constant"]
        electrons = Electrons(int(scalars["charge"]), int(scalars["spin"])) if "charge" in scalars else None
        known = (t["numbers"], t["permutations"], train, t["v"], t["centre"], t["metric"])
        return cls(*known, Matern(scalars["sigma"], scalars["nu"]), lam, constant, electrons)


def descriptor_symmetries(permutations: Tensor) -> Tensor:
    """Return (P, D) descriptor entries under each permutation, on the permutations' device."""
    return torch.from_numpy(pair_indices(permutations.cpu().numpy())).to(permutations.device)


def distinct(positions: Tensor, permutations: Tensor, tolerance: float = 1e-6) -> Tensor:
    """Return (n,) False for frames equal to an earlier one up to motion and symmetry.

    Parameters
    ----------
    positions : (n, N, 3) Å.
    permutations : (P, N).
    tolerance : largest descriptor distance, 1/Å, at which frames count as equal.
    """
    x, symmetries = describe(positions), descriptor_symmetries(permutations)
    keep = torch.ones(len(x), dtype=torch.bool, device=x.device)
    norms, order = x.norm(dim=1).sort(stable=True)  # equal frames have equal norms
    for step in range(1, len(x)):
        near = norms[step:] - norms[:-step] < tolerance
        if not near.any():
            break
        first, second = order[:-step][near], order[step:][near]
        gap = (x[first][:, symmetries] - x[second].unsqueeze(1)).norm(dim=2).amin(1)
        keep[torch.maximum(first, second)[gap < tolerance]] = False
    return keep
