"""Picking so that the energies of the training set follow those of the pool."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.selector.pickers.free_rows import free_rows, make_picks
from fidsel.selector.pickers.reasons import counted
from fidsel.selector.pool import Picks, Pool, Seed


@dataclass(frozen=True)
class Stratified:
    """Draws frames so that they and the labelled ones follow the energies of the pool; needs no errors.

    The strata are the bins of the histogram (Freedman–Diaconis), and one of all frames of unknown energy.
    Each next frame comes from the stratum with the largest N_s / (2 c_s + 1) (Sainte-Laguë), drawn at
    random in it:

    ==== ================================================================
    N_s  frames of the pool in stratum s, labelled ones included
    c_s  frames of s that are labelled or picked so far
    ==== ================================================================

    so the picks follow the histogram from the first one on, and strata with too many labels wait.

    References
    ----------
    S. Chmiela et al., Comput. Phys. Commun. 240, 38 (2019), doi:10.1016/j.cpc.2019.02.007: training sets
    drawn so; D. Freedman, P. Diaconis, Z. Wahrscheinlichkeitstheorie 57, 453 (1981),
    doi:10.1007/BF01025868: width of the bins.
    """

    needs_errors: ClassVar[bool] = False

    def pick(self, pool: Pool, n: int, rng: Seed) -> Picks:
        """Return `n` unlabelled frames, the stratum that lacks most first.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled.
        """
        rng = np.random.default_rng(rng)
        free = free_rows(pool, n, np.zeros(len(pool)))
        strata = energy_strata(pool.energies)
        size, have = (
            np.bincount(strata[rows], minlength=strata.max() + 1) for rows in (slice(None), pool.labelled)
        )
        fresh = rng.permutation(free.fresh)
        own = strata[fresh]
        quotient = size[own] / (2 * (have[own] + _places(own)) + 1)
        rows = fresh[np.lexsort((own, -quotient))[:n]]
        text = _texts(pool, strata, have)
        why = [text[s] for s in strata[rows].tolist()]
        return make_picks(pool, n, (rows, why), rng.permutation(free.repeats))


def energy_strata(energies: FloatArray) -> IntArray:
    """Return the stratum of each frame, (n,), numbered from low to high energy; unknown energies last.

    Bins of width 2·IQR·n^(−1/3) (Freedman–Diaconis) from the lowest energy on, empty ones left out. Where
    the quartiles coincide, ⌈log₂ n⌉ + 1 bins (Sturges).

    Parameters
    ----------
    energies : (n,) eV, NaN = unknown.

    Examples
    --------
    >>> energy_strata(np.array([-1.0, 0.0, -0.9, np.nan, -1.1, 9.0])).tolist()
    [0, 0, 0, 2, 0, 1]
    """
    known = np.isfinite(energies)
    bins = np.full(len(energies), np.inf)
    values = energies[known]
    if len(values):
        low, span = values.min(), np.ptp(values)
        width = 2 * np.subtract(*np.quantile(values, (0.75, 0.25))) * len(values) ** (-1 / 3)
        if width <= 1e-12 * span:
            width = span / (np.ceil(np.log2(len(values))) + 1)
        bins[known] = (values - low) // width if span > 0 else 0.0
    return np.asarray(np.unique(bins, return_inverse=True)[1])


def _places(strata: IntArray) -> IntArray:
    """Return how many earlier entries have the same stratum, (n,)."""
    order = np.argsort(strata, kind="stable")
    ranked = strata[order]
    out = np.empty(len(strata), dtype=np.int64)
    out[order] = np.arange(len(strata)) - np.searchsorted(ranked, ranked)
    return out


def _texts(pool: Pool, strata: IntArray, have: IntArray) -> list[str]:
    """Return what is to be said of each stratum."""
    found = []
    for s in range(strata.max() + 1):
        energies = pool.energies[strata == s]
        low, high = energies.min(), energies.max()
        where = f"{low:.4f} to {high:.4f} eV" if np.isfinite(low) else "unknown"
        of = f"{counted(len(energies))} of {len(pool)}, {have[s]} labelled"
        found.append(f"drawn at random from those of energy {where} ({of})")
    return found
