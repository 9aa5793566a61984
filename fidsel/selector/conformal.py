"""Split-conformal calibration of estimated errors, and how good the estimates were afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.data.checks.robust import rank_correlation
from fidsel.exceptions import UsageError
from fidsel.selector.cluster_error import cluster_errors
from fidsel.selector.grouping import Group, groups_with_enough

ROUNDING = 1e-9
"""9 of 10 frames are 0.9, rounding or not."""


@dataclass(frozen=True)
class Calibration:
    """Factors that turn estimated errors into upper bounds which hold for a fraction of frames.

    Parameters
    ----------
    coverage : fraction of frames whose error the bound should exceed.
    pooled : factor from all calibration frames.
    per_cluster : factors of the clusters with enough calibration frames, of their own or as a group.
    frames : calibration frames used.
    merged : groups of clusters that share a factor, since one of them has too few frames for its own.
    """

    coverage: float
    pooled: float
    per_cluster: Mapping[int, float] = field(default_factory=dict)
    frames: int = 0
    merged: tuple[tuple[int, ...], ...] = ()

    def bound(self, estimates: FloatArray, clusters: IntArray) -> FloatArray:
        """Return the bound of each frame, (n,) eV/Å: its estimate × its cluster's factor, else the pooled."""
        factors = np.full(len(estimates), self.pooled)
        for cluster, factor in self.per_cluster.items():
            factors[clusters == cluster] = factor
        return np.asarray(factors * estimates)


def calibrate(
    estimates: FloatArray,
    known: FloatArray,
    clusters: IntArray,
    calibration: BoolArray,
    *,
    coverage: float = 0.9,
    minimum: int = 20,
    stratified: bool = False,
    merges: IntArray | None = None,
) -> Calibration:
    """Return factors q such that error ≤ q × estimate for at least `coverage` of frames.

    Split conformal: of m ratios r_i = error / estimate on the calibration frames, q is the
    ⌈(m + 1)·coverage⌉-th smallest. Frames drawn so many per cluster stand for N_c/m_c frames each:
    with these weights w_i, q is the smallest ratio with Σ_{r_i ≤ q} w_i ≥ coverage·(Σ w_i + max w_i),
    which is the same where all are equal. The promise is about frames drawn as the calibration frames were:
    at random, never picked nor trained on, and unknown to the error source when it made
    `estimates` (see `hold_out`). It holds within each cluster that has a factor of its own, and within each
    group of merged ones as a whole (a small member unlike the others can be covered less or more): to decide
    who shares, calibration frames are counted, their errors not looked at. Where all frames of a cluster have
    the same estimate, factor × estimate bounds the errors of the cluster.

    Parameters
    ----------
    estimates : (n,) eV/Å, from an error source.
    known : (n,) eV/Å, measured; only the calibration rows are read.
    clusters : (n,) broad cluster of each frame.
    calibration : (n,) True for the randomly drawn frames to calibrate on.
    minimum : calibration frames that a cluster, or a group of merged ones, needs for a factor.
    stratified : whether the calibration frames were drawn so many per cluster (as `Probe` does) rather
        than from all frames alike; clusters without any are then left out of the factors they share.
    merges : (k − 1, 2) how clusters with fewer than `minimum` merge, as `BroadClusters.merges`: energies of a
        geometry first, then geometries up Ward's tree (`groups_with_enough`). None = they get the pooled
        factor.

    Raises
    ------
    UsageError
        where too few calibration frames are given (0.9 needs at least 9), or one has no error.

    References
    ----------
    J. Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018), doi:10.1080/01621459.2017.1307116;
    weights as in R. J. Tibshirani et al., NeurIPS 2019.

    Examples
    --------
    >>> known = np.linspace(0.1, 1.0, 10)
    >>> calibrate(np.ones(10), known, np.zeros(10, int), np.ones(10, bool)).pooled
    1.0
    """
    rows = np.flatnonzero(calibration)
    _check_frames(len(rows), coverage)
    ratios = _ratios(known[rows], estimates[rows])
    places = clusters[rows]
    weights = _weights(places, clusters) if stratified else np.ones(len(rows))

    def factor(group: Group) -> float:
        inside = np.isin(places, group)
        return _quantile(ratios[inside], weights[inside], coverage)

    def enough(group: Group) -> bool:
        inside = np.isin(places, group)
        return bool(inside.sum() >= minimum) and _suffice(weights[inside], coverage)

    groups: tuple[Group, ...] = tuple((int(c),) for c in np.unique(places))
    if merges is not None:
        k = len(merges) + 1
        if not ((clusters >= 0) & (clusters < k)).all():
            raise UsageError(f"merges are of {k} clusters, 0 to {k - 1}; got clusters {np.unique(clusters)}")
        groups = groups_with_enough(merges, np.bincount(places, minlength=k), enough)
    groups = tuple(group for group in groups if enough(group))
    return Calibration(
        coverage, _quantile(ratios, weights, coverage),
        {c: q for group in groups for q in [factor(group)] for c in group}, len(rows),
        tuple(group for group in groups if len(group) > 1),
    )  # fmt: skip


def least_frames(coverage: float) -> int:
    """Return the fewest frames that a bound for a fraction of frames can be had from.

    It is the smallest m with ⌈(m + 1)·coverage⌉ ≤ m.

    >>> least_frames(0.9)
    9
    """
    return ceil(round(coverage / (1 - coverage), 9))


def _check_frames(frames: int, coverage: float) -> None:
    if not 0 < coverage < 1:
        raise UsageError(f"coverage must be a fraction between 0 and 1, got {coverage}")
    needed = least_frames(coverage)
    if frames < needed:
        raise UsageError(
            f"a coverage of {coverage:g} needs at least {needed} calibration frames, got {frames}: "
            "label more at random, or ask for less"
        )


def _ratios(errors: FloatArray, estimates: FloatArray) -> FloatArray:
    """Return error / estimate; 0 / 0 = 0."""
    both = np.stack([errors, estimates])
    if not (np.isfinite(both) & (both >= 0)).all():
        raise UsageError("every calibration frame needs a known error and an estimate, both finite and ≥ 0")
    ratios = np.full(len(errors), np.inf)
    np.divide(errors, estimates, out=ratios, where=estimates > 0)
    ratios[errors == 0] = 0.0
    return ratios


def _weights(places: IntArray, clusters: IntArray) -> FloatArray:
    """Return (m,) how many frames each calibration frame stands for, of its cluster alone."""
    names, inverse, counts = np.unique(places, return_inverse=True, return_counts=True)
    population = np.array([(clusters == c).sum() for c in names])
    return np.asarray((population / counts)[inverse])


def hold_out(known: FloatArray, fraction: float, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    """Split random labels into those an error source may see and those that calibrate it.

    Parameters
    ----------
    known : (n,) errors of randomly labelled frames, NaN elsewhere.
    fraction : of them to keep for calibration, 0 to 1.

    Returns
    -------
    seen : (n,) `known` with the calibration frames set to NaN.
    calibration : (n,) True for the calibration frames.
    """
    if not 0 <= fraction <= 1:
        raise UsageError(f"fraction must lie between 0 and 1, got {fraction}")
    rows = rng.permutation(np.flatnonzero(~np.isnan(known)))
    calibration = np.zeros(len(known), dtype=bool)
    calibration[rows[: round(fraction * len(rows))]] = True
    return np.where(calibration, np.nan, known), calibration


@dataclass(frozen=True)
class Score:
    """How good estimated errors were, known afterwards.

    Parameters
    ----------
    cluster_rank : Spearman correlation of estimated and true RMSE over clusters; None where undefined
        (fewer than two clusters, or all equal).
    frame_rank : the same over frames.
    coverage : fraction of frames whose error stayed within its bound; None without bounds.
    frames : frames compared.
    """

    cluster_rank: float | None
    frame_rank: float | None
    coverage: float | None
    frames: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dict(vars(self))


def score(
    estimates: FloatArray, truth: FloatArray, clusters: IntArray, bounds: FloatArray | None = None
) -> Score:
    """Return how well estimates ranked clusters and frames, and how often the bounds held.

    Parameters
    ----------
    estimates : (n,) eV/Å.
    truth : (n,) measured errors the source had not seen; rows with NaN are left out.
    clusters : (n,) broad clusters.
    bounds : (n,) from `Calibration.bound`; its promise is about random frames, not about picks.
    """
    rows = ~(np.isnan(truth) | np.isnan(estimates))
    if not rows.any():
        return Score(None, None, None, 0)
    ours = cluster_errors(clusters[rows], estimates[rows])
    real = cluster_errors(clusters[rows], truth[rows])
    names = sorted(real.cluster)
    return Score(
        spearman(np.array([ours.rmse_of(c) for c in names]), np.array([real.rmse_of(c) for c in names])),
        spearman(estimates[rows], truth[rows]),
        None if bounds is None else float((truth[rows] <= bounds[rows]).mean()),
        int(rows.sum()),
    )


def _suffice(weights: FloatArray, coverage: float) -> bool:
    """Return whether frames of these weights can promise a coverage."""
    if len(weights) == 0:
        return False
    return bool(weights.sum() / (weights.sum() + weights.max()) >= coverage - ROUNDING)


def _quantile(ratios: FloatArray, weights: FloatArray, coverage: float) -> float:
    """Return the conformal quantile; one more frame of the largest weight stands for the one predicted."""
    order = np.argsort(ratios)
    share = weights[order].cumsum() / (weights.sum() + weights.max())
    place = int(np.searchsorted(share, coverage - ROUNDING))
    if place == len(ratios):
        raise UsageError(
            f"a coverage of {coverage:g} needs more calibration frames in the populous clusters: label more "
            "at random, or ask for less"
        )
    return float(ratios[order[place]])


def spearman(a: FloatArray, b: FloatArray) -> float | None:
    """Return the rank correlation of two sets of errors or distances (n,); None where it is not defined."""
    # what differs by rounding alone is a tie
    return rank_correlation(*(np.round(x / max(x.max(), np.finfo(float).tiny), 9) for x in (a, b)))
