"""Solving an sGDML system too large for a factor: preconditioned conjugate gradients.

The kernel matrix is never formed. Its product with a vector c is what the expansion with coefficients
B c says of the training frames' own forces, and a partial Cholesky factor of it, from few of its columns,
makes the preconditioner (Blücher, Müller & Chmiela 2023, DOI 10.1021/acs.jctc.2c01304). The columns are
drawn with the probability of what is not explained yet (Chen, Epperly, Tropp & Webber 2022,
arXiv:2207.06503).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from fidsel.exceptions import FidselError
from fidsel.models.checkpoints import Kept
from fidsel.models.sgdml.factor import Factor, factorise
from fidsel.models.sgdml.kernel import Expansion, Geometry, kernel, kernel_diagonal
from fidsel.models.sgdml.matern import Matern

BLOCK = 128
"""Columns that are drawn at a time, at most."""
RANK_PER_ROOT = 12.0
"""Columns per square root of the rows: the preconditioner then costs about as much as its iterations."""
ROUNDING = 1e-13
"""Part of the largest diagonal element that is added to a block before it is factorised."""

Operator = Callable[[Tensor], Tensor]


def kernel_product(frames: Geometry, symmetries: Tensor, matern: Matern, vector: Tensor) -> Tensor:
    """Return K c (n·m,) for the kernel matrix of n frames, in the memory of a prediction.

    Parameters
    ----------
    frames : n of them.
    symmetries : (P, D), see `kernel`.
    matern : the falloff with distance.
    vector : c, (n·m,).
    """
    v = (frames.reduced @ vector.view(len(frames), -1, 1)).squeeze(2)
    zeros, ones = torch.zeros_like(frames.x[0]), torch.ones_like(frames.x[0])
    expansion = Expansion.unfold(frames.x, v, symmetries, zeros, ones, matern)
    slope = expansion.slope(frames.x)[1]
    return -(frames.reduced.mT @ slope.unsqueeze(2)).flatten()


def affordable_rank(rows: int, memory: float) -> int:
    """Return how many columns the preconditioner of a system of so many rows may have; 0 = none fits."""
    wanted = min(rows, int(RANK_PER_ROOT * rows**0.5) + 1)
    share = memory / (8 * rows) - 3 * BLOCK  # k columns and three k × k matrices, k ≤ share and rows
    return min(wanted, int(share / (1 + 3 * min(1.0, share / rows)))) if share > 0 else 0


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """(L Lᵀ + μ)⁻¹ for a partial factor L of a kernel matrix, by Woodbury's identity.

    Parameters
    ----------
    partial : L, (M, k).
    inner : (k, k) lower factor of LᵀL + μ.
    shift : μ, the regularisation plus the mean of what L lacks of the diagonal.
    """

    partial: Tensor
    inner: Tensor
    shift: float

    @classmethod
    def of(cls, frames: Geometry, symmetries: Tensor, matern: Matern, lam: float, rank: int) -> Self:
        """Return the preconditioner of K + λ from some of its columns."""
        partial, lacking = partial_factor(frames, symmetries, matern, rank)
        gram = partial.mT @ partial
        shift = max(lam + float(lacking.mean()), ROUNDING * float(gram.trace()))
        gram.diagonal().add_(shift)
        return cls(partial, torch.linalg.cholesky(gram), shift)

    def __call__(self, vector: Tensor) -> Tensor:
        """Return the product with a vector (M,)."""
        inside = torch.cholesky_solve((self.partial.mT @ vector).unsqueeze(1), self.inner).squeeze(1)
        return torch.addmv(vector, self.partial, inside, alpha=-1).div_(self.shift)


def partial_factor(
    frames: Geometry, symmetries: Tensor, matern: Matern, rank: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Return L (n·m, rank) with L Lᵀ near the kernel matrix, and the diagonal (n·m,) of what it lacks.

    Blocks of columns are drawn at random, each by the diagonal of what the columns before it lack.
    """
    lacking = kernel_diagonal(frames, symmetries, matern)
    partial = lacking.new_empty(len(lacking), rank)
    largest, generator = lacking.max(), torch.Generator(lacking.device).manual_seed(seed)
    step = max(1, min(BLOCK, rank // 8))
    for start in range(0, rank, step):
        stop = min(start + step, rank)
        chance = lacking.clamp(min=ROUNDING * float(largest))
        rows = torch.multinomial(chance, stop - start, generator=generator)
        columns = kernel(frames, frames.equations(rows), symmetries, matern)
        columns.addmm_(partial[:, :start], partial[rows, :start].mT, alpha=-1)
        partial[:, start:stop] = _corner_factor(columns[rows], ROUNDING * largest).divided(columns)
        lacking = (lacking - partial[:, start:stop].square().sum(1)).clamp_(min=0)
    return partial, lacking


def _corner_factor(corner: Tensor, noise: Tensor) -> Factor:
    return factorise(lambda: [corner.clone()], noise.expand(len(corner)))[0]


@dataclass(frozen=True)
class Course:
    """How conjugate gradients went: steps taken, and ‖b − A x‖ / ‖b‖ at their end."""

    iterations: int
    residual: float


@dataclass(eq=False)
class Descent:
    """Where conjugate gradients are: all that the next step depends on.

    Parameters
    ----------
    solution, residual : x and, as the recursion has it, b − A x.
    left : true ‖b − A x‖ / ‖b‖ when the recursion last started.
    steps : taken so far.
    direction, slope : of the next step; None = the recursion starts.
    """

    solution: Tensor
    residual: Tensor
    left: float
    steps: int = 0
    direction: Tensor | None = None
    slope: Tensor | None = None

    @classmethod
    def begin(cls, right: Tensor) -> Self:
        """Return the place to start from for a right-hand side b."""
        return cls(torch.zeros_like(right), right.clone(), 1.0 if float(right.norm()) > 0 else 0.0)

    def kept(self) -> Kept:
        """Return plain values and tensors, the inverse of `restore`."""
        tensors = {"solution": self.solution, "residual": self.residual}
        if self.direction is not None and self.slope is not None:
            tensors |= {"direction": self.direction, "slope": self.slope}
        return {"steps": self.steps, "left": self.left}, tensors

    @classmethod
    def restore(cls, kept: Kept, device: torch.device) -> Self:
        """Return what `kept` came from."""
        values, tensors = kept[0], {name: tensor.to(device) for name, tensor in kept[1].items()}
        here = cls(tensors["solution"], tensors["residual"], values["left"], values["steps"])
        here.direction, here.slope = tensors.get("direction"), tensors.get("slope")
        return here


def unwatched(here: Descent) -> None:
    """Do nothing after a step."""


def conjugate_gradients(
    matrix: Operator,
    right: Tensor,
    precondition: Operator,
    tolerance: float,
    iterations: int,
    *,
    start: Descent | None = None,
    after: Callable[[Descent], None] = unwatched,
) -> tuple[Tensor, Course]:
    """Return x with A x = b for a positive definite A, and how it went.

    The recursion's residual drifts from the true one: where it has converged and b − A x has not, it
    starts again from x.

    Parameters
    ----------
    matrix, precondition : products with A and with about A⁻¹.
    right : b.
    tolerance : ‖b − A x‖ / ‖b‖ to reach.
    iterations : most steps.
    start : where an earlier run was stopped; overwritten.
    after : called after each step that was not the last, with where it led; it may keep that, not change it.

    Raises
    ------
    FidselError
        where a product is not finite.
    """
    here, scale = start or Descent.begin(right), float(right.norm())
    while here.left > tolerance and here.steps < iterations:
        _descend(matrix, here, precondition, tolerance * scale, iterations, after)
        here.residual, here.direction = right - matrix(here.solution), None
        last, here.left = here.left, float(here.residual.norm()) / scale
        if not here.left < float("inf"):
            raise FidselError(f"conjugate gradients left the numbers after {here.steps} steps: raise lam")
        if here.left > last / 2:
            break
    return here.solution, Course(here.steps, here.left)


def _descend(
    matrix: Operator,
    here: Descent,
    precondition: Operator,
    target: float,
    limit: int,
    after: Callable[[Descent], None],
) -> None:
    """Go on until the norm of the recursion's residual is at the target, or the steps are at the limit."""
    if here.direction is None or here.slope is None:
        here.direction = precondition(here.residual)
        here.slope = here.residual @ here.direction
    while here.steps < limit:
        turned = matrix(here.direction)
        length = here.slope / (here.direction @ turned)
        here.solution += length * here.direction
        here.residual -= length * turned
        here.steps += 1
        if not float(here.residual.norm()) > target:
            return
        ahead = precondition(here.residual)
        slope = here.residual @ ahead
        here.direction, here.slope = ahead + slope / here.slope * here.direction, slope
        after(here)
