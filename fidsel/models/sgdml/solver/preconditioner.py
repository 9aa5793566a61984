"""An approximate inverse of a kernel matrix, from few of its columns, in the memory there is.

A partial Cholesky factor L of the matrix makes the preconditioner (Blücher, Müller & Chmiela 2023, DOI
10.1021/acs.jctc.2c01304). Its columns are drawn with the probability of what is not explained yet (Chen,
Epperly, Tropp & Webber 2022, arXiv:2207.06503).

Where L does not fit into memory otherwise, all but its first columns are kept in float32. The first ones
hold nearly all of the matrix: a rounding error of a later one is 6e-8 of what they lack, which is far less
than what all lack. Sums over rows are still made in float64: the inverse is a difference of large numbers.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from fidsel.models.sgdml.cores import slices, spread
from fidsel.models.sgdml.factor import factorise
from fidsel.models.sgdml.solver.matrix import Matrix

BLOCK = 128
"""Columns that are drawn at a time, at most."""
RANK_PER_ROOT = 12.0
"""Columns per square root of the rows: the preconditioner then costs about as much as its iterations."""
FIRST = 512
"""Columns that are always kept in float64."""
VECTORS = 16
"""Vectors of a system's length that its iteration holds."""
ROUNDING = 1e-13
"""Part of the largest diagonal element that is added to a block before it is factorised."""
PIECE_ROWS = {"cpu": 2048, "cuda": 2**15}
"""Rows of L that are made, and multiplied, at a time, by device."""
CONVERTED = {"cpu": 2**18, "cuda": 2**27}
"""Elements that are turned from float32 into float64 at a time, by device: on a CPU in the cache."""

Told = Callable[[int, int, str], None]
"""Called with what is done, of how much, of what."""


def silent(done: int, of: int, what: str) -> None:
    """Tell nobody."""


class Shape(NamedTuple):
    """How many columns L has, first in float64, then in float32."""

    double: int
    single: int

    @property
    def rank(self) -> int:
        """All columns, k."""
        return self.double + self.single

    @classmethod
    def affordable(cls, rows: int, memory: float) -> Self:
        """Return how many columns of so many rows there may be; 0 = none fits.

        As many as are worth it in float64, where these fit into memory, else as many as do fit if only the
        first are in float64. Beside them are three k × k matrices.
        """
        wanted = min(rows, int(RANK_PER_ROOT * rows**0.5) + 1)
        free = memory - 8 * VECTORS * rows
        if 8 * rows * wanted + 24 * wanted**2 <= free:
            return cls(wanted, 0)
        ranks = range(wanted + 1)
        fits = bisect_right(
            ranks, free, key=lambda k: 8 * rows * min(k, FIRST) + 4 * rows * max(k - FIRST, 0) + 24 * k**2
        )
        rank = max(fits - 1, 0)
        return cls(min(rank, FIRST), max(rank - FIRST, 0))


@dataclass(frozen=True, eq=False)
class Columns:
    """L (M, k), the first columns in float64, the others in float32.

    Parameters
    ----------
    double : (M, a) float64.
    single : (M, k − a) float32.
    """

    double: Tensor
    single: Tensor

    @classmethod
    def empty(cls, like: Tensor, shape: Shape) -> Self:
        """Return columns as long as a vector, to be filled."""
        rows = len(like)
        return cls(
            like.new_empty(rows, shape.double), like.new_empty(rows, shape.single, dtype=torch.float32)
        )

    def fill(self, rows: slice, start: int, values: Tensor) -> None:
        """Put values into some rows of some columns from one on, all of one precision."""
        place = start - self.double.shape[1]
        part, place = (self.double, start) if place < 0 else (self.single, place)
        part[rows, place : place + values.shape[1]] = values

    def rows(self, some: slice | Tensor, stop: int | None = None) -> Self:
        """Return some rows of the columns before one."""
        first = self.double.shape[1]
        rest = None if stop is None else max(stop - first, 0)
        return type(self)(self.double[some, :stop], self.single[some, :rest])

    def off(self, values: Tensor, others: Self) -> Tensor:
        """Return values (r, b) less these rows times the transpose of others, in place.

        Products of the later columns are made in float32: they are as small as these.
        """
        values.addmm_(self.double, others.double.mT, alpha=-1)
        return values.sub_(self.single @ others.single.mT)

    def dense(self, start: int = 0) -> Tensor:
        """Return those from one on in float64, (M, k − start)."""
        rest = max(start - self.double.shape[1], 0)
        return torch.cat([self.double[:, start:], self.single[:, rest:].to(self.double)], 1)

    def gram(self, told: Told) -> Tensor:
        """Return LᵀL (k, k); only its lower half is filled."""
        rank = self.double.shape[1] + self.single.shape[1]
        gram = self.double.new_zeros(rank, rank)
        starts = range(0, rank, 4 * BLOCK)

        def work(start: int) -> int:
            stop = min(start + 4 * BLOCK, rank)
            for some in self._slices:
                part = self.rows(some).dense(start)
                gram[start:, start:stop].addmm_(part.mT, part[:, : stop - start])
            return stop

        for done in spread(work, starts, self.double.device):
            told(done, rank, "column products")
        return gram

    def sums(self, vector: Tensor) -> Tensor:
        """Return Lᵀ y (k,) of y (M,)."""
        parts = spread(lambda some: self.rows(some)._sums(vector[some]), self._slices, vector.device)
        return sum(parts, start=vector.new_zeros(()))

    def combined(self, weights: Tensor) -> Tensor:
        """Return L w (M,) of w (k,)."""
        made = spread(lambda some: self.rows(some)._combined(weights), self._slices, weights.device)
        return torch.cat(list(made))

    def _sums(self, vector: Tensor) -> Tensor:
        single, step = vector.new_zeros(self.single.shape[1]), self._step
        for piece, part in zip(torch.split(self.single, step), torch.split(vector, step), strict=True):
            single.addmv_(piece.to(vector).mT, part)
        return torch.cat([self.double.mT @ vector, single])

    def _combined(self, weights: Tensor) -> Tensor:
        first = self.double.shape[1]
        single = [piece.to(weights) @ weights[first:] for piece in torch.split(self.single, self._step)]
        return torch.cat(single).addmv_(self.double, weights[:first])

    @property
    def _step(self) -> int:
        return max(1, CONVERTED[self.double.device.type] // max(self.single.shape[1], 1))

    @property
    def _slices(self) -> list[slice]:
        return slices(len(self.double), PIECE_ROWS[self.double.device.type])


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """(L Lᵀ + μ)⁻¹ for a partial factor L of a kernel matrix, by Woodbury's identity.

    Parameters
    ----------
    partial : L, (M, k).
    inner : (k, k) lower factor of LᵀL + μ.
    shift : μ, the regularisation plus the mean of what L lacks of the diagonal.
    """

    partial: Columns
    inner: Tensor
    shift: float

    @classmethod
    def of(cls, matrix: Matrix, lam: float, shape: Shape, told: Told = silent) -> Self:
        """Return the preconditioner of K + λ from some of its columns; see `partial_factor`."""
        partial, lacking = partial_factor(matrix, shape, told=told)
        gram = partial.gram(told)
        shift = max(lam + float(lacking.mean()), ROUNDING * float(gram.trace()))
        gram.diagonal().add_(shift)
        return cls(partial, torch.linalg.cholesky(gram), shift)

    def __call__(self, vector: Tensor) -> Tensor:
        """Return the product with a vector (M,)."""
        inside = torch.cholesky_solve(self.partial.sums(vector).unsqueeze(1), self.inner).squeeze(1)
        return vector.sub(self.partial.combined(inside)).div_(self.shift)


def partial_factor(
    matrix: Matrix, shape: Shape, seed: int = 0, told: Told = silent
) -> tuple[Columns, Tensor]:
    """Return L (M, k) with L Lᵀ near a kernel matrix, and the diagonal (M,) of what it lacks.

    Blocks of columns are drawn at random, each by the diagonal of what the columns before it lack.

    Parameters
    ----------
    matrix : of M rows.
    shape : how many columns.
    seed : of the draws.
    told : hears how many columns there are.
    """
    lacking = matrix.diagonal()
    columns = Columns.empty(lacking, shape)
    largest, generator = float(lacking.max()), torch.Generator(lacking.device).manual_seed(seed)
    for start, stop in _blocks(shape):
        chance = lacking.clamp(min=ROUNDING * largest)
        rows = torch.multinomial(chance, stop - start, generator=generator)
        _fill(columns, lacking, matrix, rows, start, ROUNDING * largest)
        told(stop, shape.rank, "columns")
    return columns, lacking


def _fill(columns: Columns, lacking: Tensor, matrix: Matrix, rows: Tensor, start: int, noise: float) -> None:
    """Fill the columns from one on with those that belong to some rows, and take them off what is lacking."""
    pivots, before = matrix.pivots(rows), columns.rows(rows, start)
    corner = before.off(matrix.corner(pivots), before)
    lower, _ = factorise(lambda: [corner.clone()], corner.new_full((len(rows),), noise))

    def work(some: slice) -> None:
        left = columns.rows(some, start).off(matrix.part(some, pivots), before)
        found = lower.divided(left)
        columns.fill(some, start, found)
        lacking[some] = (lacking[some] - found.square().sum(1)).clamp_(min=0)

    width = matrix.frames.width
    step = max(1, PIECE_ROWS[matrix.device.type] // width) * width
    for _ in spread(work, slices(len(matrix), step), matrix.device):
        pass


def _blocks(shape: Shape) -> Iterator[tuple[int, int]]:
    """Yield first column and end of each block, all of one precision."""
    step = max(1, min(BLOCK, shape.rank // 8))
    for start in [*range(0, shape.double, step), *range(shape.double, shape.rank, step)]:
        yield start, min(start + step, shape.double if start < shape.double else shape.rank)
