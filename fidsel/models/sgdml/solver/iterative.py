"""Solving an sGDML system too large for a factor: preconditioned conjugate gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from fidsel.exceptions import FidselError
from fidsel.models.checkpoints import Kept

Operator = Callable[[Tensor], Tensor]


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
