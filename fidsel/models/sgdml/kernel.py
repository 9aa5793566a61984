"""The arithmetic of sGDML: descriptor, force–force kernel, expansion.

Chmiela et al. 2018 (DOI 10.1038/s41467-018-06169-2), with the symbols

======== ==================== ===========================================================
symbol   variable             meaning
======== ==================== ===========================================================
x        x                    descriptor w/r_ij of the D = N(N − 1)/2 pairs, 1/Å
w        metric               weights of the pairs, equal where symmetries map pairs onto each other
J        jacobian             ∂x/∂R, (D, 3N)
V        basis                orthonormal basis of the motions that change x, (3N, m)
B = JV   reduced              (D, m), m = 3N − 6
σ, ν     matern               length scale in descriptor space (1/Å) and smoothness, see `Matern`
λ        lam                  regularisation
α        —                    coefficients; only v = Jα enters a prediction
======== ==================== ===========================================================

With u = x − x', d = |u| and a Matérn kernel κ(d), of ν = 5/2 as published or smoother, the kernel between
forces is

K = Σ_p Jᵀ [c₁ I − c₂ u uᵀ] J'_p,   c₁ = −κ'/d,   c₂ = −c₁'/d,

x' and J' permuted by each symmetry p. Translations and rotations do not change x, so K and the
forces live in the span of V: solving there gives the same v from a smaller, regular system.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import torch
from torch import Tensor

from fidsel.models.sgdml.cores import one_core_each, spread
from fidsel.models.sgdml.matern import Matern

PANEL_ROWS = {"cpu": 512, "cuda": 4096}
"""Rows of the matrix that are made at a time, by device: enough for matrix products at full speed."""
BLOCK_BYTES = {"cpu": 2**20, "cuda": 256 * 2**20}
"""Size of the largest temporary array of one kernel block, by device: on a CPU it should fit the cache."""
JACOBIAN_BYTES = 2**26
"""Size of the Jacobians a core decomposes at a time: of all frames at once they may exceed the memory."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """Frames of one molecule in descriptor space.

    Parameters
    ----------
    x : (n, D) w (1/r_ij − c), 1/Å, with a fixed centre c, which keeps digits in differences.
    basis : (n, 3N, m).
    reduced : (n, D, m) 1/Å².
    """

    x: Tensor
    basis: Tensor
    reduced: Tensor

    @property
    def width(self) -> int:
        """Equations per frame, m."""
        return self.reduced.shape[2]

    def equations(self, rows: Tensor) -> "Geometry":
        """Return frames with one equation each, for some of the n·m rows of the kernel."""
        frame, column = rows // self.width, rows % self.width
        basis, reduced = self.basis[frame, :, column], self.reduced[frame, :, column]
        return Geometry(self.x[frame], basis.unsqueeze(2), reduced.unsqueeze(2))

    def scaled(self, factors: Tensor) -> "Geometry":
        """Return the frames whose kernel has each of its n·m rows and columns times a factor."""
        columns = factors.view(len(self), 1, -1)
        return Geometry(self.x, self.basis * columns, self.reduced * columns)

    def rows(self, start: int, stop: int) -> "Geometry":
        """Return some of the frames."""
        return Geometry(self.x[start:stop], self.basis[start:stop], self.reduced[start:stop])

    def weighed(self, metric: Tensor) -> "Geometry":
        """Return the frames with weights (D,) in place of 1."""
        return Geometry(self.x * metric, self.basis, self.reduced * metric.unsqueeze(1))

    def __add__(self, other: "Geometry") -> "Geometry":
        """Return these frames, then others of the same centre."""
        names = ("x", "basis", "reduced")
        return Geometry(*(torch.cat([getattr(self, name), getattr(other, name)]) for name in names))

    def __len__(self) -> int:
        return len(self.x)


def describe(positions: Tensor) -> Tensor:
    """Return (n, D) the inverse pair distances of (n, N, 3) positions."""
    first, second = torch.triu_indices(positions.shape[1], positions.shape[1], 1, device=positions.device)
    distances: Tensor = torch.linalg.vector_norm(positions[:, first] - positions[:, second], dim=-1)
    return distances.reciprocal()


def geometry(positions: Tensor, centre: Tensor, metric: Tensor) -> Geometry:
    """Return what the kernel needs to know of (n, N, 3) positions.

    Parameters
    ----------
    centre : (D,) 1/Å, subtracted from the inverse distances.
    metric : (D,) positive, what they are then multiplied by. It leaves the basis as it is.
    """
    n, size, _ = positions.shape
    dim = size * (size - 1) // 2
    rank = min(dim, max(3 * size - 6, 1))
    axes, reduced = positions.new_empty(n, rank, 3 * size), positions.new_empty(n, dim, rank)
    step = max(1, JACOBIAN_BYTES // (8 * dim * 3 * size))

    def work(start: int) -> None:
        some = slice(start, start + step)
        axes[some], reduced[some] = _motions(positions[some], rank)

    with one_core_each():  # these are small matrices
        for _ in spread(work, range(0, n, step), positions.device):
            pass
    return Geometry((describe(positions) - centre) * metric, axes.mT, reduced.mul_(metric.unsqueeze(1)))


def _motions(positions: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return Vᵀ (n, rank, 3N) and, for w = 1, B = JV (n, D, rank) of (n, N, 3) positions."""
    n, size, _ = positions.shape
    first, second = torch.triu_indices(size, size, 1, device=positions.device)
    x = describe(positions)
    gradient = (positions[:, first] - positions[:, second]) * -(x**3).unsqueeze(-1)
    jacobian = positions.new_zeros(n, len(first), size, 3)
    entries = torch.arange(len(first), device=positions.device)
    jacobian[:, entries, first] = gradient
    jacobian[:, entries, second] = -gradient
    jacobian = jacobian.reshape(n, len(first), 3 * size)
    # CUDA takes one matrix of this size after the other, each slower than a processor does.
    axes = torch.linalg.svd(jacobian.cpu(), full_matrices=False).Vh[:, :rank].to(positions.device)
    return axes, jacobian @ axes.mT


def kernel(left: Geometry, right: Geometry, symmetries: Tensor, matern: Matern) -> Tensor:
    """Return (n_left·m, n_right·w) the force–force kernel in the reduced bases.

    Parameters
    ----------
    left, right : frames of the same molecule, with m and w equations each.
    symmetries : (P, D) descriptor entries after each symmetry, see `pair_indices`.
    matern : the falloff with distance.
    """
    count, m, w = len(symmetries), left.width, right.width
    matrix = left.x.new_empty(len(left), m, len(right), w)
    n, k = _steps(left, right, count)
    parts = [(i, _Rows.of(left.rows(i, i + n))) for i in range(0, len(left), n)]
    for j in range(0, len(right), k):
        columns = _Columns.of(right.rows(j, j + k), symmetries)
        for i, rows in parts:
            matrix[i : i + n, :, j : j + k] = _block(rows, columns, matern)
    return matrix.reshape(len(left) * m, len(right) * w)


def kernel_diagonal(frames: Geometry, symmetries: Tensor, matern: Matern) -> Tensor:
    """Return (n·m,) the diagonal of `kernel(frames, frames, symmetries, matern)`."""
    step = max(1, BLOCK_BYTES[frames.x.device.type] // (8 * frames.reduced[0].numel() * len(symmetries)))
    parts = (frames.rows(i, min(i + step, len(frames))) for i in range(0, len(frames), step))
    return torch.cat([_diagonal(part, symmetries, matern) for part in parts])


def _diagonal(frames: Geometry, symmetries: Tensor, matern: Matern) -> Tensor:
    u = frames.x.unsqueeze(1) - frames.x[:, symmetries]
    c1, c2 = matern.coefficients(u.norm(dim=2))
    permuted = frames.reduced[:, symmetries]  # (n, P, D, m)
    along = torch.einsum("npd,ndm->npm", u, frames.reduced) * torch.einsum("npd,npdm->npm", u, permuted)
    overlap = torch.einsum("ndm,npdm->npm", frames.reduced, permuted)
    return (c1.unsqueeze(2) * overlap - c2.unsqueeze(2) * along).sum(1).flatten()


@dataclass(frozen=True, eq=False)
class Expansion:
    """The fitted energy surface E(x) = −Σ_j c₁(d_j) u_j·v_j, sums over training frames and symmetries.

    Parameters
    ----------
    x : (n·P, D) descriptors of the training frames under every symmetry, centred.
    v : (n·P, D) their coefficients Jα.
    centre, metric : (D,) of the descriptor, see `geometry`.
    matern : the falloff with distance.
    """

    x: Tensor
    v: Tensor
    centre: Tensor
    metric: Tensor
    matern: Matern

    @classmethod
    def unfold(
        cls, x: Tensor, v: Tensor, symmetries: Tensor, centre: Tensor, metric: Tensor, matern: Matern
    ) -> "Expansion":
        """Return the expansion over all symmetric copies of (n, D) descriptors and coefficients."""
        x, v = (part[:, symmetries].flatten(0, 1).contiguous() for part in (x, v))
        return cls(x, v, centre, metric, matern)

    def __call__(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (n,) without constant, and forces (n, N, 3), of (n, N, 3) positions."""
        size = positions.shape[1]
        first, second = torch.triu_indices(size, size, 1, device=positions.device)
        bond = positions[:, first] - positions[:, second]
        inverse = 1 / torch.linalg.vector_norm(bond, dim=-1)
        energy, slope = self.slope((inverse - self.centre) * self.metric)
        # F_i = Σ_j w_ij (R_i − R_j) by products: CUDA adds at indices in an order that changes.
        weights = positions.new_zeros(len(positions), size, size)
        weights[:, first, second] = weights[:, second, first] = slope * self.metric * inverse**3
        near = positions - positions[:, :1]
        return energy, weights.sum(2, keepdim=True) * near - weights @ near

    def slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies (n,) and ∂E/∂x (n, D) at descriptors (n, D)."""
        energy, slope = x.new_zeros(len(x)), torch.zeros_like(x)
        cells = BLOCK_BYTES[x.device.type] // 8
        rows = max(1, min(len(x), int(cells**0.5)))
        known = [torch.split(part, max(1, cells // rows)) for part in self._scaled]

        def work(i: int) -> None:
            for parts in zip(*known, strict=True):
                self._add(x[i : i + rows], parts, energy[i : i + rows], slope[i : i + rows])

        if len(x) <= rows:  # all cores share the one block
            work(0)
            return energy, slope
        with one_core_each():
            for _ in spread(work, range(0, len(x), rows), x.device):
                pass
        return energy, slope

    def _add(self, x: Tensor, known: tuple[Tensor, ...], energy: Tensor, slope: Tensor) -> None:
        """Add what some of the training frames say to energies and slopes."""
        other, v, squares, shifts = known
        a = self.matern.scale
        x = a * x
        distance = torch.addmm(squares, x, other.T, alpha=-2).add_((x * x).sum(1, keepdim=True))
        distance.clamp_(min=0).sqrt_()
        c1, c2 = self.matern.falloff(distance)
        along = torch.addmm(shifts, x, v.T)  # u·v
        energy.sub_(torch.linalg.vecdot(c1, along), alpha=1 / a)
        c2.mul_(along)
        slope.addcmul_(c2.sum(1, keepdim=True), x).addmm_(c2, other, alpha=-1).addmm_(c1, v, alpha=-1)

    @cached_property
    def _scaled(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The constants of c₁ and c₂ put into x and v once: a x, a²/(2p − 1) v, and their sums over D."""
        a = self.matern.scale
        x, v = a * self.x, a**2 / (2 * self.matern.order - 1) * self.v
        return x, v, (x * x).sum(1), -(x * v).sum(1)


def _distance(x: Tensor, y: Tensor) -> Tensor:
    """Return (n, k) Euclidean distances; good to about 1e-8 near zero, where the kernel is flat."""
    squared = torch.addmm((y * y).sum(1), x, y.T, alpha=-2).add_((x * x).sum(1, keepdim=True))
    return squared.clamp_(min=0).sqrt_()


class _Rows(NamedTuple):
    """What a block needs of its n rows of frames: x (n, D), Bᵀ (n, m, D) and Bᵀx (n, m, 1)."""

    x: Tensor
    reduced: Tensor
    along: Tensor

    @classmethod
    def of(cls, frames: Geometry) -> Self:
        reduced = frames.reduced.mT.contiguous()
        return cls(frames.x, reduced, reduced @ frames.x.unsqueeze(2))


class _Columns(NamedTuple):
    """The same of its k columns of frames under every symmetry: (k, P, D), (k, P, w, D), (k, P, w, 1)."""

    x: Tensor
    reduced: Tensor
    along: Tensor

    @classmethod
    def of(cls, frames: Geometry, symmetries: Tensor) -> Self:
        x, reduced = frames.x[:, symmetries].contiguous(), frames.reduced[:, symmetries].mT.contiguous()
        return cls(x, reduced, reduced @ x.unsqueeze(3))


def _block(rows: _Rows, columns: _Columns, matern: Matern) -> Tensor:
    """Return (n, m, k, w) of the kernel between n frames with m equations each and k with w."""
    (n, m, dim), (k, count, w, _) = rows.reduced.shape, columns.reduced.shape
    x = columns.x.view(k * count, dim)
    c1, c2 = matern.coefficients(_distance(rows.x, x))
    own = rows.along - (rows.reduced.view(n * m, dim) @ x.T).view(n, m, k * count)  # Bᵀu
    own = (own * c2.unsqueeze(1)).view(n, m, k, count).transpose(1, 2)
    other = (columns.reduced.view(-1, dim) @ rows.x.T).view(k, count, w, n) - columns.along  # B'ᵀu
    mixed = c1.view(n, k, count).transpose(0, 1) @ columns.reduced.view(k, count, w * dim)  # Σ_p c₁ B'_p
    mixed = mixed.view(k, n, w, dim).transpose(0, 1).reshape(n, k * w, dim)
    out = (rows.reduced @ mixed.mT).view(n, m, k, w)
    return out.sub_((own @ other.permute(3, 0, 1, 2)).transpose(1, 2))


def _steps(left: Geometry, right: Geometry, count: int) -> tuple[int, int]:
    """Return how many frames of either side make a block: as many rows as a panel has, few columns."""
    device, dim, m, w = left.x.device.type, left.x.shape[1], left.width, right.width
    n = max(1, min(len(left), PANEL_ROWS[device] // m))
    cells = 2 * BLOCK_BYTES[device] // 8
    return n, max(1, cells // (n * max(w * dim, m * w, m * count, w * count)))
