"""One step of a selection, on arrays: estimate the errors of a pool, bound them, propose what to label."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import floor
from typing import Final

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.selector.ask import ask
from fidsel.selector.bounds import Bounds, error_bounds
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence, drawn, estimated
from fidsel.selector.grouping import joined
from fidsel.selector.pickers.cluster_error import Random
from fidsel.selector.pool import Picker, Picks, Pool, needs_covariance, needs_errors

Draw = Callable[[str], np.random.Generator]
"""Gives the random numbers of a purpose, always the same: "probe", "calibration" or "picks"."""

TRIES: Final = 4
"""How often picks are made anew, with another number of them, until they cost what may be spent."""


LEAST: Final = 3
"""Known errors that a cluster needs for an error of its own."""


ALIKE: Final = (
    f"the picks are drawn at random: too few errors are known to tell clusters apart, {LEAST} in each of "
    "two; more selector.probes do, or selector.kind = 'variance-reduction', which needs none"
)
"""Said where errors of clusters would be noise."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """What to label next, and why.

    Parameters
    ----------
    picks : rows of the pool.
    errors : (n,) estimated errors behind the picks; None where none were estimated.
    bounds : of these errors; None where no coverage was asked for.
    """

    picks: Picks
    errors: FloatArray | None = None
    bounds: Bounds | None = None


@dataclass(frozen=True)
class Step:
    """How each round of a selection decides.

    Parameters
    ----------
    source : tells the errors of the candidates; not asked where the picker looks at none.
    coverage : fraction of frames whose errors are to stay below bounds; None = no bounds.
    """

    picker: Picker
    source: ErrorSource
    coverage: float | None = None

    @property
    def estimates(self) -> bool:
        """Whether errors are estimated at all."""
        return needs_errors(self.picker)

    @property
    def probes(self) -> bool:
        """Whether frames are drawn at random and labelled first, to learn or to bound errors from them."""
        return self.estimates and (self.source.needs_probes or self.coverage is not None)

    @property
    def joins(self) -> bool:
        """Whether clusters are joined up their tree, for errors or bounds that few frames tell of."""
        return self.estimates and (self.source.by_cluster or self.coverage is not None)

    def draw_probes(self, pool: Pool, n: int, draw: Draw) -> IntArray:
        """Return at most `n` rows to label first: none where none are needed."""
        return drawn(self.source, pool, n, draw("probe")) if self.probes else np.empty(0, dtype=np.int64)

    def propose(
        self,
        pool: Pool,
        known: FloatArray,
        n: int,
        draw: Draw,
        *,
        evidence: Evidence = NOTHING,
        able: BoolArray | None = None,
        merges: IntArray | None = None,
        money: float | None = None,
        more: bool = True,
    ) -> Proposal:
        """Return `n` frames to label or all there are, drawn at random where a source that learns knows none.

        Raises a `UsageError` where the source lacks what it needs, or the picker refuses the pool.

        Parameters
        ----------
        pool : the candidates; errors in it are not looked at, probes and whatever cannot be picked are
            `labelled`.
        known : (n,) errors measured on labels that the model has not seen, NaN elsewhere.
        able : (n,) True for frames that can be labelled, None = all. The picker sees no others; their
            errors help to estimate those of the rest.
        merges : of the clusters, see `fidsel.selector.calibrate`; sources that go by cluster see them joined
            until each has `LEAST` known errors.
        money : what the picks may cost, base units: where frames cost unlike much, this and not `n` says how
            many are picked, one at least. None = `n` says it.
        more : whether these may be more than `n`, where the picks are cheap.
        """
        if needs_covariance(self.picker) and evidence.covariance is not None:
            pool = replace(pool, covariance=evidence.covariance())
        picks = partial(_picks, able=able, n=n, draw=draw, money=money, more=more)
        if not self.estimates:
            return Proposal(picks(self.picker, pool))
        if self.source.needs_probes and np.isnan(known).all():
            return Proposal(picks(Random(), pool))
        told = pool
        if self.source.by_cluster and merges is not None:
            # one frame cannot tell a good cluster from a bad one, nor from those without any
            told = replace(pool, clusters=joined(pool.clusters, np.isfinite(known), merges, LEAST))
        errors, bounds = estimated(self.source, told, known, evidence), None
        if self.coverage is not None:
            bounds = error_bounds(
                self.source, pool, known, self.coverage, draw("calibration"), evidence=evidence, merges=merges
            )
        if self.source.by_cluster and len(np.unique(told.clusters)) == 1 < len(np.unique(pool.clusters)):
            random = picks(Random(), pool)
            return Proposal(replace(random, notes=(*random.notes, ALIKE)), errors, bounds)
        return Proposal(picks(self.picker, replace(pool, errors=errors)), errors, bounds)


def _picks(
    picker: Picker, pool: Pool, able: BoolArray | None, n: int, draw: Draw, money: float | None, more: bool
) -> Picks:
    """Return n picks among the frames that can be labelled, or what some money pays for."""
    rows = np.arange(len(pool)) if able is None else np.flatnonzero(able)
    part = pool if len(rows) == len(pool) else pool[rows]
    free = int((~part.labelled).sum())
    picks = ask(picker, part, min(n, free), draw("picks"))
    most = free if more else len(picks)
    if money is not None and part.unlike_costs and len(picks):
        each = part.costs.sum(axis=1)
        for _ in range(TRIES):
            count = floor(len(picks) * money / each[picks.indices].sum() + 1e-9)
            if (count := max(1, min(count, most))) == len(picks):
                break
            picks = ask(picker, part, count, draw("picks"))
        picks = paid_by(each, picks, money)
    return replace(picks, indices=rows[picks.indices])


def paid_by(each: FloatArray, picks: Picks, money: float) -> Picks:
    """Return the first picks that some money pays for, one at least.

    Parameters
    ----------
    each : (n,) cost of each frame of the pool.
    """
    kept = slice(max(1, int((np.cumsum(each[picks.indices]) <= money * (1 + 1e-9)).sum())))
    return Picks(
        picks.indices[kept], picks.fidelity[kept], picks.cluster[kept], picks.reason[kept], picks.notes
    )
