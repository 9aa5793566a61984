"""Solving an sGDML system: exactly, by the Cholesky factor of the kernel matrix."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from fidsel.errors import UsageError
from fidsel.models.sgdml_factor import Factor, factor_bytes, factorise, kernel_panels
from fidsel.models.sgdml_fitted import Labelled, Solved
from fidsel.models.sgdml_kernel import Geometry


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
    def of(cls, frames: Geometry, labelled: Labelled) -> Self:
        """Return the equations of labelled frames."""
        targets = (frames.basis.mT @ labelled.forces.flatten(1).unsqueeze(2)).flatten()
        return cls(frames, targets, (1 / labelled.weights).repeat_interleave(frames.basis.shape[2]))

    def coefficients(self, solution: Tensor) -> Tensor:
        """Return (n, D) v = B c of a solution c (n·m,)."""
        return (self.frames.reduced @ solution.view(len(self.frames), -1, 1)).squeeze(2)


class Solution(NamedTuple):
    """Coefficients v (n, D), what λ was raised by, the factorised matrix where there is one, a record."""

    v: Tensor
    jitter: float
    solved: Solved | None
    record: dict[str, Any]


@dataclass(frozen=True)
class Solver:
    """How large systems are solved.

    Parameters
    ----------
    memory : bytes a solution may use.
    """

    memory: float

    def exact(self, rows: int) -> bool:
        """Return whether a system of so many equations is solved exactly."""
        if factor_bytes(rows) <= self.memory:
            return True
        raise UsageError(
            f"an exact fit to {rows} equations needs {factor_bytes(rows) / 2**30:.1f} GiB, "
            f"{self.memory / 2**30:.1f} may be used: use fewer frames, or a network (kind = 'painn')"
        )

    def solve(self, system: System, pairs: Tensor, sigma: float, lam: float) -> Solution:
        """Return the solution of (K + λ/w) c = Vᵀf."""
        self.exact(len(system.targets))
        return solve_exact(system, lambda: kernel_panels(system.frames, pairs, sigma), lam)


def solve_exact(system: System, panels: Callable[[], Iterable[Tensor]], lam: float) -> Solution:
    """Return the solution by a new factor; panels: rows of the kernel's lower half, see `factorise`."""
    lower, jitter = factorise(panels, lam * system.noise)
    return solution_of(system, lower, jitter)


def solution_of(system: System, lower: Factor, jitter: float) -> Solution:
    """Return the solution by the factor of all equations."""
    v = system.coefficients(lower.solve(system.targets.unsqueeze(1)))
    return Solution(v, jitter, Solved(system.frames, lower), {"kind": "exact"})


def device_memory(device: str) -> int:
    """Return the bytes of memory a device has."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(torch.device(device))[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
