"""One step of a selection, on arrays: estimate the errors of a pool, bound them, propose what to label."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.selector.bounds import Bounds, error_bounds
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence
from fidsel.selector.pickers.cluster_error import Random
from fidsel.selector.pool import Picker, Picks, Pool, needs_errors

Draw = Callable[[str], np.random.Generator]
"""Gives the random numbers of a purpose: "probe", "calibration" or "picks"."""


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

    def draw_probes(self, pool: Pool, n: int, draw: Draw) -> IntArray:
        """Return at most `n` rows to label first: none where none are needed."""
        return self.source.draw(pool, n, draw("probe")) if self.probes else np.empty(0, dtype=np.int64)

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
    ) -> Proposal:
        """Return at most `n` frames to label, drawn at random where the source learns and nothing is known.

        Raises a `UsageError` where the source lacks what it needs, or the picker refuses the pool.

        Parameters
        ----------
        pool : the candidates; errors in it are not looked at, probes and whatever cannot be picked are
            `labelled`.
        known : (n,) errors measured on labels that the model has not seen, NaN elsewhere.
        able : (n,) True for frames that can be labelled, None = all. The picker sees no others; their
            errors help to estimate those of the rest.
        merges : of the clusters, see `fidsel.selector.calibrate`.
        """
        if not self.estimates:
            return Proposal(_picks(self.picker, pool, able, n, draw))
        if self.source.needs_probes and np.isnan(known).all():
            return Proposal(_picks(Random(), pool, able, n, draw))
        errors, bounds = self.source.estimate(pool, known, evidence), None
        if self.coverage is not None:
            bounds = error_bounds(
                self.source, pool, known, self.coverage, draw("calibration"), evidence=evidence, merges=merges
            )
        return Proposal(_picks(self.picker, replace(pool, errors=errors), able, n, draw), errors, bounds)


def _picks(picker: Picker, pool: Pool, able: BoolArray | None, n: int, draw: Draw) -> Picks:
    """Return at most n picks among the frames that can be labelled."""
    rows = np.arange(len(pool)) if able is None else np.flatnonzero(able)
    part = pool if len(rows) == len(pool) else pool[rows]
    picks = picker.pick(part, min(n, int((~part.labelled).sum())), draw("picks"))
    return replace(picks, indices=rows[picks.indices])
