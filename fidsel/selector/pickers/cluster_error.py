"""Pickers: which frames to label next."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from fidsel.arguments import Bound, NonNegativeFloat, PositiveInt, check_arguments
from fidsel.arrays import IntArray
from fidsel.selector.cluster_error import ClusterErrors, cluster_errors
from fidsel.selector.clusters.ward import fine_clusters
from fidsel.selector.pickers.allocation import in_proportion
from fidsel.selector.pickers.distance_sampling import DistanceSampling
from fidsel.selector.pickers.farthest import FarthestPoint
from fidsel.selector.pickers.fine_grid import FineGrid
from fidsel.selector.pickers.free_rows import free_rows, known_errors, make_picks, per_cost
from fidsel.selector.pickers.greedy import Greedy
from fidsel.selector.pickers.lcmd import LCMD
from fidsel.selector.pickers.reasons import counted, milli
from fidsel.selector.pickers.stratified import Stratified
from fidsel.selector.pickers.variance import VarianceReduction
from fidsel.selector.pool import Picker, Picks, Pool, Seed

Strategy = Literal["worst", "population", "by-size", "random", "centroid"]

STEP = 0.1
"""How much the threshold is lowered at a time when it selects too few frames."""


@dataclass(frozen=True)
class Random:
    """Draws frames at random, repeated configurations only when no others are left; needs no errors."""

    needs_errors: ClassVar[bool] = False

    def pick(self, pool: Pool, n: int, rng: Seed) -> Picks:
        """Return `n` unlabelled frames in random order."""
        rng = np.random.default_rng(rng)
        free = free_rows(pool, n, np.zeros(len(pool)))
        rows = rng.permutation(free.fresh)[:n]
        why = [f"drawn at random from {(~pool.labelled).sum()} unlabelled frames"] * len(rows)
        return make_picks(pool, n, (rows, why), rng.permutation(free.repeats))


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
    Where frames cost unlike much, as those of unlike molecules do, errors count per cost of a frame at
    all levels, so that picks go where an error is largest for the money.
    Labelled frames and repeated configurations are left out.

    Parameters
    ----------
    strategy : how the picks are distributed over fine clusters; "worst" is the published rule.
    threshold : the problem set are the clusters with an RMSE above this × that of `relative_to`.
    relative_to : the "overall" RMSE (paper) or the mean of the "clusters"' RMSEs (released code).
    fine_clusters : fine clusters of the problem set (paper 200, its code 100, peptide 150).
    worst : fraction of the fine clusters that gives the first picks.
    subset : rows of the problem set clustered by Ward itself; the others join.

    References
    ----------
    G. Fonseca, I. Poltavsky, V. Vassilev-Galindo, A. Tkatchenko, J. Chem. Phys. 154, 124102 (2021),
    doi:10.1063/5.0035530.
    """

    needs_errors: ClassVar[bool] = True

    strategy: Strategy = "worst"
    threshold: NonNegativeFloat = 1.1
    relative_to: Literal["overall", "clusters"] = "overall"
    fine_clusters: PositiveInt = 200
    worst: Annotated[float, Bound(gt=0, le=1)] = 0.5
    subset: PositiveInt = 20000

    def __post_init__(self) -> None:
        check_arguments(self)

    def pick(self, pool: Pool, n: int, rng: Seed) -> Picks:
        """Return `n` unlabelled frames, best first.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled, or the error of one of them is unknown.
        """
        rng = np.random.default_rng(rng)
        free = free_rows(pool, n, pool.errors)
        if n == 0:
            return make_picks(pool, n, (free.fresh[:0], ()), free.repeats)
        known_errors(pool, "picking by cluster error")
        told, pool = pool, per_cost(pool)
        broad = cluster_errors(pool.clusters[~pool.labelled], pool.errors[~pool.labelled])
        problem, notes = self._problem_set(pool, free.fresh, broad, min(n, len(free.fresh)))
        rows, why = problem[:0], []
        if len(problem):
            fine = fine_clusters(pool.features[problem], self.fine_clusters, subset=self.subset, seed=rng)
            grid = FineGrid.of(pool, problem, fine)
            local = self._take(grid, min(n, len(problem)), rng)
            rows = problem[local]
            real = grid if told is pool else FineGrid.of(told, problem, fine)
            why = [self._reason(told, grid, real, int(i)) for i in local]
            notes += self._turn_note(grid, local)
        again = free.repeats[np.argsort(-pool.errors[free.repeats], kind="stable")]
        return make_picks(told, n, (rows, why), again, notes)

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
            f"clusters above {self.threshold:g} hold {first} distinct unlabelled frames, {need} were needed; "
            "a larger pool, or fewer picks a round, keeps it"
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
            f"clusters: these gave {len(local) - beyond}, the better ones {beyond}; fewer picks a round or "
            "more fine clusters stay with the worst"
        ]

    def _reason(self, pool: Pool, grid: FineGrid, real: FineGrid, i: int) -> str:
        """Return why a frame was picked; `grid` ranks its fine cluster, `real` has that one's own error."""
        fine, per = grid.fine[i], " per cost" if real is not grid else ""
        return (
            f"fine cluster {grid.rank[fine] + 1} of {len(grid.size)} by error{per} "
            f"(RMSE {milli(pool, real.rmse[fine])}, {counted(int(grid.size[fine]))}), {_WHICH[self.strategy]}"
        )


_REFERENCE = {"overall": "overall", "clusters": "the mean of cluster errors"}
_WHICH = {
    "worst": "by highest error",
    "population": "by highest error",
    "by-size": "by highest error",
    "random": "at random",
    "centroid": "by distance to the centroid",
}


PICKERS: dict[str, type[Picker]] = {
    "cluster-error": ClusterError,
    "random": Random,
    "stratified": Stratified,
    "farthest-point": FarthestPoint,
    "distance-sampling": DistanceSampling,
    "greedy": Greedy,
    "lcmd": LCMD,
    "variance-reduction": VarianceReduction,
}
"""Pickers by the name configurations use."""
