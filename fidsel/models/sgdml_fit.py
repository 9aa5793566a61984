"""Fitting an sGDML expansion to forces: length scale and regularisation by validation error."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fidsel.models.sgdml_kernel import Expansion, Geometry, describe, geometry, solve, symmetric_kernel
from fidsel.models.sgdml_symmetry import pair_indices

SEARCH_ROWS = 10_000
"""Equations (frames × 3N − 6) up to which σ and λ are searched on all frames: some 10 s for each."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What an sGDML model has learnt.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    permutations : (P, N) symmetries, identity first.
    x, v : (n, D) centred descriptors of the training frames and their coefficients Jα.
    centre : (D,) 1/Å, invariant under the symmetries.
    sigma, lam : chosen length scale (1/Å) and regularisation.
    constant : eV, integration constant of the energy.
    """

    numbers: Tensor
    permutations: Tensor
    x: Tensor
    v: Tensor
    centre: Tensor
    sigma: float
    lam: float
    constant: float = 0.0

    def expansion(self) -> Expansion:
        """Return the energy surface, without the constant."""
        pairs = symmetric_pairs(self.permutations)
        return Expansion.unfold(self.x, self.v, pairs, self.centre, self.sigma)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name."""
        return {name: getattr(self, name) for name in ("numbers", "permutations", "x", "v", "centre")}

    def to(self, device: str) -> "Fitted":
        """Return a copy on another device."""
        moved = {name: tensor.to(device) for name, tensor in self.tensors().items()}
        return self.restore(moved, self.scalars())

    def scalars(self) -> dict[str, float]:
        """Return the numbers by name."""
        return {"sigma": self.sigma, "lam": self.lam, "constant": self.constant}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], scalars: Mapping[str, float]) -> "Fitted":
        """Return what `tensors` and `scalars` came from."""
        t = tensors
        return cls(t["numbers"], t["permutations"], t["x"], t["v"], t["centre"], **scalars)


class Labelled(NamedTuple):
    """Positions (n, N, 3) Å and forces (n, N, 3) eV/Å."""

    positions: Tensor
    forces: Tensor


def symmetric_pairs(permutations: Tensor) -> Tensor:
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
    x, pairs = describe(positions), symmetric_pairs(permutations)
    keep = torch.ones(len(x), dtype=torch.bool, device=x.device)
    norms, order = x.norm(dim=1).sort(stable=True)  # equal frames have equal norms
    for step in range(1, len(x)):
        near = norms[step:] - norms[:-step] < tolerance
        if not near.any():
            break
        first, second = order[:-step][near], order[step:][near]
        gap = (x[first][:, pairs] - x[second].unsqueeze(1)).norm(dim=2).amin(1)
        keep[torch.maximum(first, second)[gap < tolerance]] = False
    return keep


@dataclass(frozen=True, eq=False)
class System:
    """The equations (K + λ/w) c = Vᵀf of some frames, for any σ and λ.

    Parameters
    ----------
    frames : n of them, in descriptor space.
    targets : (n·m,) eV/Å, forces in the reduced bases.
    noise : (n·m,) 1/w of each equation.
    """

    frames: Geometry
    targets: Tensor
    noise: Tensor

    @classmethod
    def of(cls, labelled: Labelled, weights: Tensor, centre: Tensor, rows: Tensor) -> "System":
        """Return the equations of some rows of labelled frames; see `fit_forces`."""
        frames = geometry(labelled.positions[rows], centre)
        targets = (frames.basis.mT @ labelled.forces[rows].flatten(1).unsqueeze(2)).flatten()
        return cls(frames, targets, (1 / weights[rows]).repeat_interleave(frames.basis.shape[2]))


class Trial(NamedTuple):
    """A fit and what it is worth."""

    rmse: float
    lam: float
    jitter: float
    fitted: Fitted


def fit_forces(
    train: Labelled,
    validation: Labelled,
    *,
    numbers: Tensor,
    permutations: Tensor,
    weights: Tensor,
    sigmas: Sequence[float],
    lams: Sequence[float],
    refine: int,
) -> tuple[Fitted, dict[str, Any]]:
    """Return the fit with the lowest force RMSE on validation frames, and a record of the search.

    More frames than `SEARCH_ROWS` allows are searched on evenly spaced ones of them; then all are fitted
    with what was found.

    Parameters
    ----------
    weights : (n,) positive; the noise of a frame's forces is λ / weight.
    sigmas, lams : length scales (1/Å) and regularisations to try; one of each means no search.
    refine : times the interval around the best σ is halved.
    """
    pairs, n = symmetric_pairs(permutations), len(train.positions)
    centre = describe(train.positions)[:, pairs].mean((0, 1))
    tried: list[dict[str, Any]] = []

    def attempt(system: System, sigma: float, lams: Sequence[float]) -> Trial:
        trials, frames = [], system.frames
        matrix = symmetric_kernel(frames, pairs, sigma)
        for lam in lams:
            solution, factor = solve(matrix, lam * system.noise, system.targets)
            v = _coefficients(frames, solution)
            fitted = Fitted(numbers, permutations, frames.x, v, centre, sigma, lam * factor)
            trials.append(Trial(_force_rmse(fitted.expansion(), validation), lam, factor, fitted))
            tried.append({"sigma": sigma, "lam": lam, "jitter": factor, "force_rmse": trials[-1].rmse})
        return min(trials, key=lambda trial: trial.rmse)

    searching = len(sigmas) * len(lams) > 1
    rows = _searched(n, min(pairs.shape[1], max(3 * len(numbers) - 6, 1))) if searching else torch.arange(n)
    system = System.of(train, weights, centre, rows)
    best: dict[float, Trial] = {}

    def error(sigma: float) -> float:
        best[sigma] = attempt(system, sigma, lams)
        return best[sigma].rmse

    sigma = minimise(error, sigmas, refine)
    found = best[sigma]
    if len(rows) < n:
        best.clear()
        found = attempt(System.of(train, weights, centre, torch.arange(n)), sigma, [found.lam])
    return found.fitted, {
        "sigma": sigma,
        "lam": found.fitted.lam,
        "validation_force_rmse": found.rmse,
        "sigma_at_edge": len(sigmas) > 1 and sigma in (min(sigmas), max(sigmas)),
        "jitter": found.jitter,
        "searched": len(rows) if searching else 0,
        "tried": tried,
    }


def _searched(n: int, equations: int) -> Tensor:
    """Return evenly spaced rows of n frames, as many as `SEARCH_ROWS` allows."""
    count = min(n, max(1, SEARCH_ROWS // equations))
    return torch.from_numpy(np.linspace(0, n - 1, count).round().astype(np.int64))


def minimise(error: Callable[[float], float], grid: Sequence[float], refine: int) -> float:
    """Return where an error with one minimum is lowest: downhill on a grid, then between its points.

    Parameters
    ----------
    error : called once per point.
    grid : positive points; the walk starts in the middle.
    refine : times the two (geometric) midpoints beside the best point are tried.

    Examples
    --------
    >>> minimise(lambda s: (s - 11) ** 2, [5, 10, 20, 40, 80], refine=0)
    10.0
    """
    points = sorted({float(point) for point in grid})
    known: dict[float, float] = {}

    def lowest(candidates: Sequence[float]) -> float:
        known.update({point: error(point) for point in candidates if point not in known})
        return min(candidates, key=lambda point: (known[point], point))

    best = points[len(points) // 2]
    while True:
        i = points.index(best)
        lower = lowest(points[max(i - 1, 0) : i + 2])
        if lower == best:
            break
        best = lower
    for _ in range(refine):
        i = points.index(best)
        near = points[max(i - 1, 0) : i + 2]
        between = [float(np.sqrt(a * b)) for a, b in pairwise(near)]
        points = sorted(points + between)
        best = lowest([best, *between])
    return best


def _coefficients(frames: Geometry, solution: Tensor) -> Tensor:
    """Return (n, D) v = Jα from the solution in the reduced bases."""
    return (frames.reduced @ solution.view(len(frames), -1, 1)).squeeze(2)


def _force_rmse(expansion: Expansion, labelled: Labelled) -> float:
    """Return the root mean square force error in eV/Å; NaN without frames."""
    if not len(labelled.positions):
        return float("nan")
    return float((expansion(labelled.positions)[1] - labelled.forces).square().mean().sqrt())
