"""A kernel matrix that is never formed: parts of it, and its products in the memory of a prediction.

K c is what the expansion with coefficients v = B c says of the training frames' own forces: with
u = x_i − p x_j, frame i gets Bᵢᵀ Σ_jp [c₁ p v_j − c₂ u (u·p v_j)]. Two things make it less work than as
many predictions.

- Distances are the same from both sides. A pair of frames is visited once, and c₁, c₂ serve what j says
  of i and, turned back by p⁻¹, what i says of j.
- Permutations of atoms move few of the descriptor's entries: of aspirin's 210 pairs 57, under any of its
  six. Scalar products over entries that stay, and sums of c₁ p v_j there, are those of all p at once.

Everything is in float64. Sums over frames cancel: the rounding of single precision leaves an error as large
as the right-hand side at the solution (0.9 of it with 1000 frames of malonaldehyde, σ = 20, λ = 1e-10), from
which neither conjugate gradients nor iterative refinement recover.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from fidsel.models.sgdml.cores import slices, spread
from fidsel.models.sgdml.kernel import Geometry, kernel, kernel_diagonal
from fidsel.models.sgdml.matern import Matern

TILE_FRAMES = {"cpu": 256, "cuda": 4096}
"""Frames on each side of a block, by device: on a CPU its ten arrays should fit the caches."""
WORTHWHILE = 0.25
"""Part of the entries that stay from which on they are treated apart: thin matrices multiply slowly."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """The kernel matrix of n frames, its rows and columns scaled.

    Parameters
    ----------
    frames : n of them.
    symmetries : (P, D), see `kernel`; a group.
    matern : the falloff with distance.
    root : (n·m,) what each row and column is multiplied by.
    """

    frames: Geometry
    symmetries: Tensor
    matern: Matern
    root: Tensor

    @classmethod
    def plain(cls, frames: Geometry, symmetries: Tensor, matern: Matern) -> Self:
        """Return the matrix as it is, not scaled."""
        root = torch.ones_like(frames.x[:, :1]).expand(-1, frames.width).flatten()
        return cls(frames, symmetries, matern, root)

    def __len__(self) -> int:
        return len(self.root)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.root.device

    def diagonal(self) -> Tensor:
        """Return (n·m,)."""
        return kernel_diagonal(self.frames, self.symmetries, self.matern).mul_(self.root.square())

    def pivots(self, rows: Tensor) -> Geometry:
        """Return frames with one equation each, for some of the rows."""
        return self.frames.equations(rows).scaled(self.root[rows])

    def part(self, rows: slice, pivots: Geometry) -> Tensor:
        """Return some rows, those of whole frames, of the columns that belong to pivots."""
        m = self.frames.width
        frames = self.frames.rows(rows.start // m, rows.stop // m).scaled(self.root[rows])
        return kernel(frames, pivots, self.symmetries, self.matern)

    def corner(self, pivots: Geometry) -> Tensor:
        """Return the rows and columns that belong to pivots."""
        return kernel(pivots, pivots, self.symmetries, self.matern)

    def __matmul__(self, vector: Tensor) -> Tensor:
        """Return K c (n·m,) for a vector c, without the matrix."""
        turned = (self.root * vector).view(len(self.frames), -1, 1)
        v = self._by_frames(lambda some: (self.frames.reduced[some] @ turned[some]).squeeze(2))
        slope = _slopes(self.frames.x, v, self.symmetries, self.matern).neg_().unsqueeze(1)
        product = self._by_frames(lambda some: (slope[some] @ self.frames.reduced[some]).squeeze(1))
        return product.flatten().mul_(self.root)

    def _by_frames(self, work: Callable[[slice], Tensor]) -> Tensor:
        """Return together what is made of some frames at a time."""
        pieces = slices(len(self.frames), TILE_FRAMES[self.device.type])
        return torch.cat(list(spread(work, pieces, self.device)))


def _slopes(x: Tensor, v: Tensor, symmetries: Tensor, matern: Matern) -> Tensor:
    """Return (n, D) ∂E/∂x of the expansion with coefficients v at its own frames x."""
    group, step = _Group.of(symmetries), TILE_FRAMES[x.device.type]
    # as in `Expansion`, the constants of c₁ and c₂ are put into x and v
    frames = _Frames.of(matern.scale * x, matern.scale**2 / (2 * matern.order - 1) * v, group)
    starts = range(0, len(x), step)

    def work(start: int) -> Tensor:
        return _stripe(frames, start, min(start + step, len(x)), group, matern)

    sums = torch.zeros_like(frames.x)
    for start, part in zip(starts, spread(work, starts, x.device), strict=True):
        sums[:, start:] += part
    return sums[group.order.argsort()].T.contiguous()


class _Group(NamedTuple):
    """Permutations of a descriptor whose entries are sorted into those that stay and those that move.

    Parameters
    ----------
    order : (D,) the entries, first those that stay.
    still : how many these are, 0 where they are few.
    moves, back : (P, D − still) of the moving entries: where each comes from, and the inverse.
    """

    order: Tensor
    still: int
    moves: Tensor
    back: Tensor

    @classmethod
    def of(cls, symmetries: Tensor) -> Self:
        dim = symmetries.shape[1]
        moving = (symmetries != torch.arange(dim, device=symmetries.device)).any(0)
        order, still = moving.sort(stable=True).indices, dim - int(moving.sum())
        if still < WORTHWHILE * dim:
            order, still = order.sort().values, 0
        moves = order.argsort()[symmetries[:, order[still:]]] - still
        return cls(order, still, moves, moves.argsort(1))


@dataclass(frozen=True, eq=False)
class _Frames:
    """What a block needs of its frames: columns, with one row for each entry, sorted.

    Parameters
    ----------
    x, v : (D, n) descriptors and coefficients.
    moved_x, moved_v : (P, D − still, n) their moving entries under each permutation.
    squares, shifts : (n,) x·x and −x·v, which no permutation changes.
    """

    x: Tensor
    v: Tensor
    moved_x: Tensor
    moved_v: Tensor
    squares: Tensor
    shifts: Tensor

    @classmethod
    def of(cls, x: Tensor, v: Tensor, group: _Group) -> Self:
        x, v = x.T[group.order], v.T[group.order]
        moved_x, moved_v = (part[group.still :][group.moves] for part in (x, v))
        return cls(x, v, moved_x, moved_v, (x * x).sum(0), -(x * v).sum(0))

    def columns(self, start: int, stop: int) -> Self:
        names = ("x", "v", "moved_x", "moved_v", "squares", "shifts")
        return type(self)(*(getattr(self, name)[..., start:stop] for name in names))


def _stripe(frames: _Frames, start: int, stop: int, group: _Group, matern: Matern) -> Tensor:
    """Return (D, n − start) what frames from start on get from their pairs with those before stop."""
    slope, step = torch.zeros_like(frames.x[:, start:]), stop - start
    here, ours = frames.columns(start, stop), slope[:, :step]
    _add_tile(here, here, group, matern, ours, None)
    for i in range(step, slope.shape[1], step):
        there = frames.columns(start + i, start + i + step)
        _add_tile(here, there, group, matern, ours, slope[:, i : i + step])
    return slope


def _add_tile(
    here: _Frames, there: _Frames, group: _Group, matern: Matern, ours: Tensor, theirs: Tensor | None
) -> None:
    """Add to slopes (D, r) what k frames there say of r here and, unless None, to (D, k) the reverse."""
    still, x, v = group.still, here.x, here.v
    apart = torch.addmm(there.squares, x[:still].T, there.x[:still], alpha=-2)
    apart.add_(here.squares.unsqueeze(1))
    from_there = torch.addmm(there.shifts, x[:still].T, there.v[:still])
    near, along = torch.zeros_like(apart), torch.zeros_like(apart)  # Σ_p of c₁ and c₂ u·v_j
    if theirs is not None:
        from_here = torch.addmm(here.shifts.unsqueeze(1), v[:still].T, there.x[:still])
        back = torch.zeros_like(apart)  # Σ_p of −c₂ u·v_i
    for other_x, other_v, turn in zip(there.moved_x, there.moved_v, group.back, strict=True):
        distance = torch.addmm(apart, x[still:].T, other_x, alpha=-2).clamp_(min=0).sqrt_()
        c1, c2 = matern.falloff(distance)
        near += c1
        said = torch.addmm(from_there, x[still:].T, other_v).mul_(c2)
        along += said
        ours[still:].addmm_(other_v, c1.T, alpha=-1).addmm_(other_x, said.T, alpha=-1)
        if theirs is not None:
            said = torch.addmm(from_here, v[still:].T, other_x).mul_(c2)
            back += said
            theirs[still:] -= torch.addmm(v[still:] @ c1, x[still:], said)[turn]
    ours[:still].addmm_(there.v[:still], near.T, alpha=-1).addmm_(there.x[:still], along.T, alpha=-1)
    ours.addcmul_(x, along.sum(1))
    if theirs is not None:
        theirs[:still].addmm_(v[:still], near, alpha=-1).addmm_(x[:still], back, alpha=-1)
        theirs.addcmul_(there.x, back.sum(0))
