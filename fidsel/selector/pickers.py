"""Pickers: which frames to label next."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fidsel.data.frames import IntArray
from fidsel.errors import UsageError, unknown
from fidsel.selector.allocation import in_proportion
from fidsel.selector.candidates import candidates, column, make_picks
from fidsel.selector.cluster_error import ClusterErrors, cluster_errors
from fidsel.selector.fine_grid import FineGrid
from fidsel.selector.pool import Picker, Picks, Pool
from fidsel.selector.ward import fine_clusters

Strategy = Literal["worst", "population", "by-size", "random", "centroid"]

STEP = 0.1
"""How much the threshold is lowered at a time when it selects too few frames."""


@dataclass(frozen=True)
class Random:
    """Draws frames at random, repeated configurations only when no others are left.

    Parameters
    ----------
    fidelity : column of `Pool.costs` to label at; −1 = the last, most accurate.
    """

    fidelity: int = -1

    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
        """Return `n` unlabelled frames in random order."""
        column(pool, self.fidelity)
        free = candidates(pool, n, np.zeros(len(pool)))
        rows = np.concatenate([rng.permutation(free.fresh), rng.permutation(free.repeats)])[:n]
        reason = f"drawn at random from {(~pool.labelled).sum()} unlabelled frames"
        return make_picks(pool, rows, self.fidelity, [reason] * n, _repeat_note(n - len(free.fresh)))


@dataclass(frozen=True)
class ClusterError:
    """Picks from the regions of configuration space where the model is wrong, not its worst frames.

    1. Cluster errors: RMSE of the unlabelled frames of each broad cluster.
    2. Problem set: union of the clusters with RMSE > `threshold` × overall. Where it has fewer than
       n frames the threshold is lowered by 0.1 until it has, and the picks' notes say so.
    3. Fine clusters: Ward of the problem set on the features, ranked by their RMSE.
    4. Picks, by strategy:

    ============ ============================================ =====================================
    strategy     how many from each fine cluster              which frames of it
    ============ ============================================ =====================================
    worst        one each from the worst half, in turn        highest error first (the paper's)
    random       the same                                     at random
    centroid     the same                                     nearest to its centroid first
    population   ∝ RMSE × population, largest remainder       highest error first (released code)
    by-size      ∝ population, largest remainder              highest error first (peptide variant)
    ============ ============================================ =====================================

    A single bad frame in a good cluster is a limit of the model or noise, and training on it hurts
    its neighbours: hence clusters first. Frames of equal error come nearest to the centroid first.
    Labelled frames and repeated configurations are left out.

    Parameters
    ----------
    strategy : one of the above.
    threshold : of the problem set.
    relative_to : "overall" RMSE (paper) or the mean of the "clusters"' RMSEs (released code).
    n_fine : fine clusters (paper 200, its code 100, peptide 150).
    worst : fraction of the fine clusters that gives the first picks.
    fidelity : column of `Pool.costs` to label at; −1 = the last, most accurate.
    subset : rows of the problem set clustered by Ward itself; the others join.

    References
    ----------
    G. Fonseca, I. Poltavsky, V. Vassilev-Galindo, A. Tkatchenko, J. Chem. Phys. 154, 124102 (2021),
    doi:10.1063/5.0035530.
    """

    strategy: Strategy = "worst"
    threshold: float = 1.1
    relative_to: Literal["overall", "clusters"] = "overall"
    n_fine: int = 200
    worst: float = 0.5
    fidelity: int = -1
    subset: int = 20000

    def __post_init__(self) -> None:
        if self.strategy not in get_args(Strategy):
            raise unknown("strategy", self.strategy, get_args(Strategy))
        if self.relative_to not in ("overall", "clusters"):
            raise unknown("relative_to", self.relative_to, ["overall", "clusters"])
        if not (np.isfinite(self.threshold) and self.threshold >= 0):
            raise UsageError(f"threshold must be a number ≥ 0, got {self.threshold}")
        if not 0 < self.worst <= 1:
            raise UsageError(
                f"worst must be a fraction of the fine clusters, 0 < worst ≤ 1, got {self.worst}"
            )
        if self.n_fine < 1 or self.subset < 1:
            raise UsageError(f"n_fine and subset must be ≥ 1, got {self.n_fine} and {self.subset}")

    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
        """Return `n` unlabelled frames, best first.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled, or the error of one of them is unknown.
        """
        column(pool, self.fidelity)
        free = candidates(pool, n, pool.errors)
        if n == 0:
            return make_picks(pool, np.empty(0, dtype=np.int64), self.fidelity, (), ())
        broad = _broad_errors(pool)
        problem, notes = self._problem_set(pool, free.fresh, broad, min(n, len(free.fresh)))
        rows, reasons = np.empty(0, dtype=np.int64), []
        if len(problem):
            fine = fine_clusters(pool.features[problem], self.n_fine, subset=self.subset, seed=rng)
            grid = FineGrid.of(pool, problem, fine)
            local = self._take(grid, min(n, len(problem)), rng)
            rows = problem[local]
            reasons = [self._reason(pool, broad, grid, int(i), problem) for i in local]
            notes += self._turn_note(grid, local)
        missing = n - len(rows)
        again = free.repeats[np.argsort(-pool.errors[free.repeats], kind="stable")][:missing]
        reasons += [f"repeats a configuration, error {_milli(pool, pool.errors[i])}" for i in again]
        notes += _repeat_note(missing)
        return make_picks(pool, np.concatenate([rows, again]), self.fidelity, reasons, notes)

    def _problem_set(
        self, pool: Pool, fresh: IntArray, broad: ClusterErrors, need: int
    ) -> tuple[IntArray, list[str]]:
        reference = broad.overall if self.relative_to == "overall" else float(np.mean(broad.rmse))
        names, rmse = np.array(broad.cluster), np.array(broad.rmse)
        first, factor = None, self.threshold
        while True:
            bad = names[rmse > factor * reference] if factor > 0 else names
            problem = fresh[np.isin(pool.clusters[fresh], bad)]
            first = len(problem) if first is None else first
            if len(problem) >= need:
                break
            factor = max(0.0, round(factor - STEP, 10))
        if factor == self.threshold:
            return problem, []
        return problem, [
            f"threshold lowered from {self.threshold:g} to {factor:g} × {_REFERENCE[self.relative_to]}: "
            f"clusters above {self.threshold:g} hold {first} distinct unlabelled frames, {need} were needed"
        ]

    def _take(self, grid: FineGrid, n: int, rng: np.random.Generator) -> IntArray:
        """Return the rows of the problem set to pick, best first."""
        if self.strategy == "random":
            turn = grid.turns((rng.random(len(grid.fine)),))
        elif self.strategy == "centroid":
            turn = grid.turns((-grid.errors, grid.distances))
        else:
            turn = grid.turns((grid.distances, -grid.errors))
        rank = grid.rank[grid.fine]
        if self.strategy in ("population", "by-size"):
            shares = grid.size * grid.rmse if self.strategy == "population" else grid.size.astype(np.float64)
            ranked = np.argsort(grid.rank)
            counts = np.empty_like(grid.size)
            counts[ranked] = in_proportion(n, shares[ranked], grid.size[ranked])
            order = np.lexsort((turn, rank))
            return order[(turn < counts[grid.fine])[order]]
        return np.lexsort((rank, turn, rank >= self._n_worst(grid)))[:n]

    def _n_worst(self, grid: FineGrid) -> int:
        return max(1, int(np.ceil(self.worst * len(grid.size))))

    def _turn_note(self, grid: FineGrid, local: IntArray) -> list[str]:
        worst = self._n_worst(grid)
        if self.strategy in ("population", "by-size") or len(local) <= worst:
            return []
        beyond = int((grid.rank[grid.fine[local]] >= worst).sum())
        return [
            f"{len(local)} picks are more than one from each of the worst {worst} of {len(grid.size)} fine "
            f"clusters: these gave {len(local) - beyond}, the better ones {beyond}"
        ]

    def _reason(self, pool: Pool, broad: ClusterErrors, grid: FineGrid, i: int, problem: IntArray) -> str:
        cluster, fine = int(pool.clusters[problem[i]]), grid.fine[i]
        row = broad.cluster.index(cluster)
        here, there = _milli(pool, broad.rmse[row]), _milli(pool, grid.rmse[fine])
        ratio = f"{broad.rmse[row] / broad.overall:.2f} × overall, " if broad.overall > 0 else ""
        return (
            f"cluster {cluster} (RMSE {here}, {ratio}{_frames(broad.population[row])}), "
            f"fine cluster {grid.rank[fine] + 1} of {len(grid.size)} by error "
            f"(RMSE {there}, {_frames(int(grid.size[fine]))}), {_WHICH[self.strategy]}: "
            f"error {_milli(pool, grid.errors[i])}"
        )


_REFERENCE = {"overall": "overall", "clusters": "the mean of cluster errors"}
_WHICH = {
    "worst": "by highest error",
    "population": "by highest error",
    "by-size": "by highest error",
    "random": "at random",
    "centroid": "by distance to the centroid",
}


def _broad_errors(pool: Pool) -> ClusterErrors:
    free = ~pool.labelled
    unusable = free & ~(np.isfinite(pool.errors) & (pool.errors >= 0))
    if unusable.any():
        raise UsageError(
            f"picking by cluster error needs the error of every unlabelled frame, finite and ≥ 0; "
            f"{unusable.sum()} of {free.sum()} are not: run an error source first "
            "(fidsel.selector.ERROR_SOURCES) and put its estimate in Pool.errors"
        )
    return cluster_errors(pool.clusters[free], pool.errors[free])


def _repeat_note(count: int) -> list[str]:
    if count <= 0:
        return []
    return [f"{count} picks repeat a configuration that is labelled or picked: no others are left"]


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _milli(pool: Pool, error: float) -> str:
    return f"{1000 * error:.3g} m{pool.unit}"


PICKERS: dict[str, type[Picker]] = {"cluster-error": ClusterError, "random": Random}
