"""Variance reduction: labels that leave a kernel model least unsure of the forces of the whole pool."""

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from fidsel.arguments import PositiveInt, check_arguments
from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.pickers.free_rows import free_rows, make_picks
from fidsel.selector.pickers.reasons import counted, milli
from fidsel.selector.pool import Picks, Pool, Seed

if TYPE_CHECKING:
    from torch import Tensor

NUMBERS = 1 << 25
"""Entries of the covariance of all candidates, in single precision (128 MiB), that are aimed at."""
DIRECTIONS = 3
"""Random directions of the forces of each frame that its variance is told by."""
NOISE = 1e-4
"""Variance of the noise of a label, in units of the mean variance: rigid motions have no variance at all."""
ROUNDING = 1e-6
"""The same at least, in units of the largest variance: what single precision leaves of differences."""
TINY = 1e-30
"""Least variance of that noise, eV²/Å²: nothing may be left to learn."""


@dataclass(frozen=True)
class VarianceReduction:
    """Picks, again and again, the frame whose label lowers the expected square error of all forces most.

    A Gaussian process knows from positions alone how unsure it would be with one more label. With its
    posterior covariance C of the forces of frames i and j, blocks (3N, 3N), the next pick is

        argmax_i Σ_j ‖C_ji (C_ii + ε)^(−½)‖²,

    the sum of what the variances of all frames j lose; C is then that with the label of i. Candidates are
    drawn at random from the pool and stand for it as frames j, too, each by a few random directions of its
    forces. Needs no errors, so no label is spent on probes; needs a kernel model (`sgdml`, also above a
    baseline or a surrogate, where the covariance is that of the correction).

    Unlike the frames that are farthest, or the most uncertain, picks lie where many frames gain. Where
    temperatures are mixed and few frames are far from the others, random draws miss these for long.

    Parameters
    ----------
    candidates : frames drawn to choose among; None = as many as make a covariance of 2²⁵ numbers (483 of 4
        atoms, 214 of 9, 91 of 21), at least twice the picks.

    References
    ----------
    D. A. Cohn, Z. Ghahramani, M. I. Jordan, J. Artif. Intell. Res. 4, 129 (1996), doi:10.1613/jair.295;
    S. Seo, M. Wallat, T. Graepel, K. Obermayer, Proc. IJCNN 2000, 241, doi:10.1109/IJCNN.2000.861310.
    """

    needs_errors: ClassVar[bool] = False
    needs_covariance: ClassVar[bool] = True

    candidates: PositiveInt | None = None

    def __post_init__(self) -> None:
        check_arguments(self)

    def pick(self, pool: Pool, n: int, rng: Seed) -> Picks:
        """Return `n` unlabelled frames, the one that gains most first.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled, or the pool tells no covariance.
        """
        rng = np.random.default_rng(rng)
        free = free_rows(pool, n, np.zeros(len(pool)))
        rows, why = free.fresh[:0], list[str]()
        if wanted := min(n, len(free.fresh)):
            rows, why = self._walk(pool, free.fresh, wanted, rng)
        return make_picks(pool, n, (rows, why), rng.permutation(free.repeats))

    def _walk(
        self, pool: Pool, fresh: IntArray, n: int, rng: np.random.Generator
    ) -> tuple[IntArray, list[str]]:
        if pool.covariance is None:
            raise UsageError(
                "picking by variance reduction needs the covariance of a kernel model's forces, got none: "
                "take model.kind = 'sgdml', or another selector.kind"
            )
        size = len(pool.covariance(fresh[:1])) if self.candidates is None else 1
        count = max(2 * n, self.candidates or int(sqrt(NUMBERS) / size))
        rows = np.sort(rng.permutation(fresh)[:count])
        steps = greedy_reduction(pool.covariance(rows), len(rows), n, rng)
        why = [
            f"takes the expected RMSE of {counted(len(rows))} from {milli(pool, step.before)} to "
            f"{milli(pool, step.after)}"
            for step in steps
        ]
        return rows[[step.row for step in steps]], why


class Reduction(NamedTuple):
    """A pick, and the root mean square variance of all candidates before and after it."""

    row: int
    before: float
    after: float


def greedy_reduction(
    covariance: FloatArray, frames: int, n: int, rng: np.random.Generator
) -> list[Reduction]:
    """Return `n` frames, each of which lowers the sum of all variances most, given those before.

    C_k = C − Σ_p U_p U_pᵀ after k picks, U_p = C_{p−1}(:, i) L⁻ᵀ with L Lᵀ = C_{p−1}(i, i) + ε; of C_k
    itself only the columns of picks, the blocks of each frame and what `DIRECTIONS` say of the others are
    ever computed.

    Parameters
    ----------
    covariance : (frames·m, frames·m) of m outputs each.
    """
    import torch

    m, each = len(covariance) // frames, torch.arange(frames)
    q = min(DIRECTIONS, m)
    full = torch.from_numpy(np.asarray(covariance, dtype=np.float32)).view(frames, m, frames, m)
    blocks = full[each, :, each].double()  # errors of single precision would add up from pick to pick
    toward = torch.from_numpy(_directions(frames, m, q, rng))
    # (frames, frames·q, m): what the directions of all others say of each
    others = torch.einsum("smtn,smq->tsqn", full, toward).reshape(frames, frames * q, m)
    variances = blocks.diagonal(dim1=1, dim2=2)
    noise = torch.maximum(NOISE * variances.mean(), ROUNDING * variances.max()).clamp(min=TINY)
    ridge = noise * torch.eye(m).double()
    columns: list[Tensor] = []
    steps, free = [], torch.ones(frames, dtype=torch.bool)
    rms = _rms(blocks)
    for _ in range(n):
        lower = torch.linalg.cholesky(blocks + ridge)
        gain = torch.linalg.solve_triangular(lower.float(), others.mT, upper=False).square().sum((1, 2))
        row = int(gain.where(free, -1.0).argmax())
        free[row] = False
        column = full[:, :, row].double() - sum(known @ known[row].mT for known in columns)
        column = torch.linalg.solve_triangular(lower[row].mT, column, upper=True, left=False)
        columns.append(column)
        blocks = blocks - column @ column.mT
        single = column.float()
        others = others - (toward.mT @ single).reshape(frames * q, m) @ single.mT
        before, rms = rms, _rms(blocks)
        steps.append(Reduction(row, before, rms))
    return steps


def _directions(frames: int, m: int, q: int, rng: np.random.Generator) -> FloatArray:
    """Return (frames, m, q) orthonormal directions, scaled so that E[P Pᵀ] = 1."""
    found, _ = np.linalg.qr(rng.normal(size=(frames, m, q)))
    return np.asarray(found * sqrt(m / q), dtype=np.float32)


def _rms(blocks: "Tensor") -> float:
    return float(blocks.diagonal(dim1=1, dim2=2).mean().clamp(min=0).sqrt())
