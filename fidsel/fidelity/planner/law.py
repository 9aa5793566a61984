"""The learning law: how the error falls with accurate and with cheap labels, and what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError

SCATTER = 0.1
"""Relative standard deviation of a measured error whose own is not given: a training's seed noise."""

PUBLISHED_MOTIONS = 21
"""Internal motions 3N − 6 of the smallest molecule (9 atoms) behind the published rows."""

DRAWS = 400
INTERVAL = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class LogNormal:
    """A positive quantity known to a factor.

    Parameters
    ----------
    median : its median.
    sd : standard deviation of its natural logarithm, > 0.
    """

    median: float
    sd: float

    def __post_init__(self) -> None:
        if not (0 < self.median < np.inf and 0 < self.sd < np.inf):
            raise UsageError(f"a log-normal needs median > 0 and sd > 0, got {self.median} and {self.sd}")


@dataclass(frozen=True)
class LevelPrior:
    """What is known of a cheap level before any training with it.

    Parameters
    ----------
    gamma : γ, bias floor; unlimited cheap labels leave γ/(1 + γ) of the error.
    alpha : α, exponent with which cheap labels help before the floor.
    saturation : n₀, cheap labels from which on they help.
    """

    gamma: LogNormal
    alpha: LogNormal
    saturation: LogNormal

    def of_molecule(self, n_atoms: int) -> "LevelPrior":
        """Return the prior for a molecule of n atoms.

        The published rows are of molecules with 9 to 21 atoms. A smaller one has fewer internal motions
        f = 3n − 6 to learn and takes fewer cheap labels: n₀ is multiplied by min(1, (f/21)²), which
        brings 500 at 9 atoms to 41 at 4 (H2CO as measured by `benchmarks/cheap_labels.py`).

        >>> DFT_PRIOR.of_molecule(4).saturation.median.__round__(), DFT_PRIOR.of_molecule(21) == DFT_PRIOR
        (41, True)
        """
        motions = max(3 * n_atoms - 6, 1)
        scale = min(1.0, (motions / PUBLISHED_MOTIONS) ** 2)
        return replace(self, saturation=replace(self.saturation, median=scale * self.saturation.median))


BETA_PRIOR = LogNormal(0.75, 0.3)
"""β: 1 (ASTEROID, fig. 1a), 0.72 and 0.75 (its −39 % error ≡ 2× the labels of GemNet, −56 % ≡ 3× of
EGNN; doi:10.48550/arXiv.2306.03109), 0.69 (sGDML on H2CO, 10–100 labels), 0.42 (SchNet on a peptide,
0.89 → 0.80 worth 6000 → 7750; doi:10.1063/5.0035530)."""

DFT_PRIOR = LevelPrior(LogNormal(0.25, 1.3), LogNormal(0.55, 0.5), LogNormal(500.0, 1.5))
"""A cheap level close to the accurate one. ASTEROID's force error with 200 CCSD(T) + 2000 DFT labels
over that with 200 alone is 0.58, 0.71, 0.42, 0.52, 0.51 on five molecules; so, with that paper's
β = 1, they are worth 280–470 CCSD(T) labels, 1.9 times their number on average. The widths cover those
rows, and kernels on H2CO (600 B3LYP labels leave 0.16–0.26 of the error)."""

FORCE_FIELD_PRIOR = LevelPrior(LogNormal(1.7, 0.9), LogNormal(0.55, 0.5), LogNormal(500.0, 1.5))
"""A cheap level with a large bias. The same paper's ratio with many empirical force-field labels is
0.54, 0.58, 0.64, 0.57, 0.86."""


@dataclass(frozen=True)
class LawPrior:
    """What is known of the law before any training.

    Parameters
    ----------
    levels : one prior for each cheap level, cheapest first; may be empty.
    beta : β, exponent of the accurate labels.
    """

    levels: tuple[LevelPrior, ...] = (DFT_PRIOR,)
    beta: LogNormal = BETA_PRIOR

    @property
    def quantities(self) -> tuple[LogNormal, ...]:
        """β, then γ, α, n₀ of each cheap level."""
        return self.beta, *(q for level in self.levels for q in (level.gamma, level.alpha, level.saturation))


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve.

    Parameters
    ----------
    n_hi : accurate labels trained on, ≥ 1.
    n_lo : labels of each cheap level, cheapest first.
    error : measured on held-out accurate labels, > 0, in any unit.
    sd : its standard deviation, if known.
    """

    n_hi: float
    n_lo: tuple[float, ...]
    error: float
    sd: float | None = None

    def __post_init__(self) -> None:
        if not (self.n_hi >= 1 and all(n >= 0 for n in self.n_lo) and 0 < self.error < np.inf):
            raise UsageError(f"a curve point needs n_hi ≥ 1, n_lo ≥ 0 and a positive error, got {self}")


class Interval(NamedTuple):
    """Median and 90 % interval."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Posterior:
    """The law error = δ·n_hi^(−β)·∏ₗ (γₗ + (1 + nₗ/n₀ₗ)^(−αₗ))/(1 + γₗ), and how well it is known.

    δ·n_hi^(−β) is the learning curve of accurate labels alone (all nₗ = 0), so δ is that curve's value
    at one label. The factor of a cheap level falls from 1 at nₗ = 0 to γₗ/(1 + γₗ): γ → ∞ is a
    useless level, γ = 0 one without bias. Several cheap levels multiply, as if each helped
    independently of the others; that is optimistic where they teach the same thing.

    Parameters
    ----------
    draws : (n_draws, 2 + 3·levels) samples of ln δ, ln β, then ln γ, ln α, ln n₀ of each cheap level.
    points : how many measured points it rests on; with none δ is set to 1 and only ratios mean something.
    """

    draws: FloatArray
    points: int

    @property
    def levels(self) -> int:
        """Number of cheap levels."""
        return int(self.draws.shape[1] - 2) // 3

    def errors(self, n_hi: float, n_lo: Sequence[float]) -> FloatArray:
        """Return the error of one split under each draw, (n_draws,)."""
        self._check(n_hi, n_lo)
        out: FloatArray = np.exp(_log_error(self.draws, np.array([n_hi]), np.array([n_lo], float))[:, 0])
        return out

    def predict(self, n_hi: float, n_lo: Sequence[float]) -> Interval:
        """Return the error expected of one split, with its 90 % interval."""
        return interval(self.errors(n_hi, n_lo))

    def mean_log_error(self, n_hi: ArrayLike, n_lo: ArrayLike) -> FloatArray:
        """Return (m,) posterior means of ln error, the score splits are chosen by.

        Parameters
        ----------
        n_hi : (m,) accurate labels.
        n_lo : (m, levels) cheap labels.
        """
        n_lo = np.asarray(n_lo, float)
        score = self.draws[:, 0].mean() - np.exp(self.draws[:, 1]).mean() * np.log(np.asarray(n_hi, float))
        for level in range(self.levels):
            numbers, rows = np.unique(n_lo[:, level], return_inverse=True)
            score = score + _log_factor(self.draws, level, numbers).mean(axis=0)[rows]
        out: FloatArray = score
        return out

    def _check(self, n_hi: float, n_lo: Sequence[float]) -> None:
        if n_hi < 1 or len(n_lo) != self.levels or min(n_lo, default=0) < 0:
            raise UsageError(
                f"a split needs n_hi ≥ 1 and {self.levels} cheap numbers ≥ 0, got {n_hi} and {tuple(n_lo)}"
            )


def interval(values: FloatArray) -> Interval:
    """Return the median and the 90 % interval of some draws."""
    low, median, high = np.quantile(values, INTERVAL)
    return Interval(float(median), float(low), float(high))


def fit_law(
    points: Sequence[CurvePoint], prior: LawPrior | None = None, *, seed: int, draws: int = DRAWS
) -> Posterior:
    """Return what measured points and the prior say about the law.

    Randomised maximum a posteriori: every draw perturbs the measured ln errors and the prior medians
    by their standard deviations and minimises

        Σ_i (ln error_i − ln law_i)²/s_i² + Σ_q (q − median_q)²/sd_q²,   s_i = sd_i/error_i,

    which is exact sampling where ln law is linear. What the points do not determine stays at its
    prior: a few points settle δ and narrow γ, learning curves of both levels settle the rest.

    Parameters
    ----------
    points : measured points; with none the draws are those of the prior.
    prior : one level prior for each cheap level.
    seed : of the perturbations.
    draws : how many.

    Examples
    --------
    >>> law = fit_law([CurvePoint(100, (0,), 1.0), CurvePoint(100, (2000,), 0.5)], seed=0)
    >>> 0.2 < law.predict(200, (2000,)).median < 0.4
    True
    """
    prior = prior or LawPrior()
    for point in points:
        if len(point.n_lo) != len(prior.levels):
            raise UsageError(
                f"every point needs one n_lo for each of {len(prior.levels)} cheap levels, got {point}"
            )
    centre = np.log([q.median for q in prior.quantities])
    width = np.array([q.sd for q in prior.quantities])
    rng = np.random.default_rng(seed)
    starts = centre + width * rng.standard_normal((draws, len(centre)))
    if not points:
        return Posterior(np.column_stack([np.zeros(draws), starts]), 0)
    n_hi, n_lo = np.array([p.n_hi for p in points], float), np.array([p.n_lo for p in points], float)
    logs = np.log([p.error for p in points])
    scatter = np.array([SCATTER if p.sd is None else p.sd / p.error for p in points])
    if not (scatter > 0).all():
        raise UsageError("the standard deviation of a point must be > 0; leave it out if it is unknown")
    shaken = logs + scatter * rng.standard_normal((draws, len(logs)))

    def jacobian(theta: FloatArray) -> FloatArray:
        return np.vstack([_gradient(theta, n_hi, n_lo) / scatter[:, None], selector])

    def optimum(target: FloatArray, around: FloatArray) -> FloatArray:
        def residuals(theta: FloatArray) -> FloatArray:
            misfit = (_log_error(theta[None], n_hi, n_lo)[0] - target) / scatter
            return np.concatenate([misfit, (theta[1:] - around) / width])

        first = np.concatenate([[target[0] + np.exp(around[0]) * np.log(n_hi[0])], around])
        found: FloatArray = least_squares(residuals, first, jac=jacobian, method="lm").x
        return found

    selector = np.hstack([np.zeros((len(width), 1)), np.diag(1 / width)])
    return Posterior(np.array([optimum(t, a) for t, a in zip(shaken, starts, strict=True)]), len(points))


def _log_factor(draws: FloatArray, level: int, n: FloatArray) -> FloatArray:
    """Return ln of what cheap labels leave of the error, (n_draws, m)."""
    gamma, alpha, n0 = np.exp(draws[:, 2 + 3 * level : 5 + 3 * level]).T[:, :, None]
    out: FloatArray = np.log(gamma + (1 + n / n0) ** -alpha) - np.log1p(gamma)
    return out


def _log_error(draws: FloatArray, n_hi: FloatArray, n_lo: FloatArray) -> FloatArray:
    """Return ln error of m splits under each draw, (n_draws, m)."""
    out: FloatArray = draws[:, :1] - np.exp(draws[:, 1:2]) * np.log(n_hi)
    for level in range(n_lo.shape[1]):
        out = out + _log_factor(draws, level, n_lo[:, level])
    return out


def _gradient(theta: FloatArray, n_hi: FloatArray, n_lo: FloatArray) -> FloatArray:
    """∂ ln error/∂θ at m splits, (m, n_parameters)."""
    columns = [np.ones(len(n_hi)), -np.exp(theta[1]) * np.log(n_hi)]
    for level in range(n_lo.shape[1]):
        gamma, alpha, n0 = np.exp(theta[2 + 3 * level : 5 + 3 * level])
        ratio = n_lo[:, level] / n0
        term = (1 + ratio) ** -alpha
        share = alpha * term / (gamma + term)
        columns += [
            gamma / (gamma + term) - gamma / (1 + gamma),
            -share * np.log1p(ratio),
            share * ratio / (1 + ratio),
        ]
    return np.column_stack(columns)
