"""The Cholesky factor of a kernel matrix, grown by panels of rows that models share."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from fidsel.exceptions import UsageError
from fidsel.models.sgdml.kernel import PANEL_ROWS, Geometry, kernel
from fidsel.models.sgdml.matern import Matern

JITTER_FACTORS = (1.0, 10.0, 100.0, 1000.0)
"""λ is multiplied by these in turn until the factorisation succeeds."""


class IndefiniteError(UsageError):
    """A kernel matrix has no factor, however much noise is added."""


@dataclass(frozen=True, eq=False)
class Factor:
    """The lower factor L of a positive definite matrix L Lᵀ, by panels of rows.

    Adding rows leaves the present panels as they are, so that a factor and those that grew from it
    share them: nothing is copied, and only the lower half is stored.

    Parameters
    ----------
    panels : (b, M') rows of L up to their last column that is not zero, M' = rows up to and with them.
    """

    panels: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return self.panels[-1].shape[1] if self.panels else 0

    def grown(self, panel: Tensor, noise: Tensor) -> Self | None:
        """Return the factor with rows added, or None where the matrix is not safely positive definite.

        With L₁₁ the present factor, L₂₁ = K₂₁ L₁₁⁻ᵀ and L₂₂ L₂₂ᵀ = K₂₂ + noise − L₂₁ L₂₁ᵀ. No squared
        diagonal element of L₂₂ can be less than the noise: where one is, rounding errors decide it.

        Parameters
        ----------
        panel : (b, M + b) new rows [K₂₁, K₂₂] of the matrix; overwritten, becomes part of the factor.
        noise : (b,) positive, added to the diagonal of K₂₂.
        """
        left, corner = panel[:, : len(self)], panel[:, len(self) :]
        self._divide(left)
        corner.diagonal().add_(noise)
        lower, failed = torch.linalg.cholesky_ex(corner.addmm_(left, left.mT, alpha=-1))
        # CUDA does not say that a matrix with NaN failed: its diagonal has to be at least something.
        if failed.item() or not (lower.diagonal().square() >= noise / 2).all():
            return None
        corner.copy_(lower)
        return type(self)((*self.panels, panel))

    def divided(self, rows: Tensor) -> Tensor:
        """Return rows (k, M) times L⁻ᵀ."""
        out = rows.clone(memory_format=torch.contiguous_format)
        self._divide(out)
        return out

    def solve(self, right: Tensor) -> Tensor:
        """Return (L Lᵀ)⁻¹ of a right-hand side (M, k)."""
        out = self.divided(right.mT).mT
        for start, stop, panel in reversed(list(self._placed())):
            out[start:stop] = torch.linalg.solve_triangular(panel[:, start:].mT, out[start:stop], upper=True)
            out[:start].addmm_(panel[:, :start].mT, out[start:stop], alpha=-1)
        return out

    def inverse(self) -> Tensor:
        """Return (L Lᵀ)⁻¹, (M, M)."""
        lower = self.panels[0].new_zeros(len(self), len(self))
        for start, stop, panel in self._placed():
            lower[start:stop, :stop] = panel
        return torch.cholesky_inverse(lower)

    def _divide(self, rows: Tensor) -> None:
        """Multiply rows (k, M) by L⁻ᵀ from the right, in place."""
        for start, stop, panel in self._placed():
            part = rows[:, start:stop].addmm_(rows[:, :start], panel[:, :start].mT, alpha=-1)
            part.copy_(torch.linalg.solve_triangular(panel[:, start:].mT, part, upper=True, left=False))

    def _placed(self) -> Iterator[tuple[int, int, Tensor]]:
        """Yield each panel behind the first row it holds and the row after its last."""
        stops = [panel.shape[1] for panel in self.panels]
        return zip([0, *stops], stops, self.panels, strict=False)


def kernel_panels(frames: Geometry, symmetries: Tensor, matern: Matern, start: int = 0) -> Iterator[Tensor]:
    """Yield the rows of the lower half of `kernel(frames, frames)` from a frame on, as `Factor.grown` wants.

    Parameters
    ----------
    frames : n of them; the rows of frame i are its m equations.
    symmetries : (P, D), see `kernel`.
    matern : the falloff with distance.
    start : first frame.
    """
    step = max(1, PANEL_ROWS[frames.x.device.type] // frames.reduced.shape[2])
    for first in range(start, len(frames), step):
        stop = min(first + step, len(frames))
        yield kernel(frames.rows(first, stop), frames.rows(0, stop), symmetries, matern)


def factorise(panels: Callable[[], Iterable[Tensor]], noise: Tensor) -> tuple[Factor, float]:
    """Return the factor of K + f·diag(noise) for the first f of `JITTER_FACTORS` it exists for, and f.

    Parameters
    ----------
    panels : called for each f: the rows of the lower half of K, which are overwritten.
    noise : (M,) positive.

    Raises
    ------
    IndefiniteError
        where even 1000 times the noise leaves the matrix indefinite.
    """
    for factor in JITTER_FACTORS:
        lower = extend(Factor(), panels(), factor * noise)
        if lower is not None:
            return lower, factor
    raise IndefiniteError(
        f"the kernel matrix is not positive definite even with λ × {JITTER_FACTORS[-1]:g}: raise lam, "
        "use a smaller sigma, or look for nearly equal frames in the training set"
    )


def extend(lower: Factor, panels: Iterable[Tensor], noise: Tensor) -> Factor | None:
    """Return a factor grown by panels, or None where one of them fails; noise (M,) is of all rows."""
    for panel in panels:
        grown = lower.grown(panel, noise[len(lower) : panel.shape[1]])
        if grown is None:
            return None
        lower = grown
    return lower


def factor_bytes(rows: int) -> int:
    """Return the memory that a factor of so many rows needs while it grows, without a last panel's few.

    On a CUDA device its longer panels and the blocks of the kernel take 1 to 2 GiB more meanwhile.
    """
    return 4 * rows * (rows + 6 * PANEL_ROWS["cpu"])
