"""The learning law: each link of a chain of levels has a learning curve, and their errors add in squares."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, log
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from fidsel.arrays import BoolArray, FloatArray
from fidsel.exceptions import UsageError

REFERENCE = 100.0
"""Labels at which the error of a link is quoted."""

EARLY = 2.4
"""What the error of few labels exceeds the straight line of the others by, at most, as a fraction of it."""

SCATTER = 0.15
"""Standard deviation of ln error of a measurement whose own is not given, and of a training about its law."""

DRAWS, SCORED = 400, 100
"""Draws of a law, and those of them that splits are compared with."""

INTERVAL = (0.05, 0.5, 0.95)
MOST = 1e9
"""Labels beyond which a curve is not followed."""
SLOWEST = 0.05
"""Least exponent of a learning curve: more labels never harm."""


class Interval(NamedTuple):
    """Median and 90 % interval."""

    median: float
    low: float
    high: float


class Normal(NamedTuple):
    """Mean and standard deviation of what is known of a number."""

    mean: float
    sd: float


class Link(NamedTuple):
    """What one model of a chain learns.

    Parameters
    ----------
    level : row of the level it ends at, 0 = cheapest; the last is the accurate one.
    base : row of the cheaper level whose difference to it is learnt; None = the level itself, which comes
        first in a chain.
    """

    level: int
    base: int | None = None


@dataclass(frozen=True)
class LinkPrior:
    """What is known of a learning curve e(n) = s·(n/100)^(−α)·(1 + 2.4/(1 + (n/early)²)) beforehand.

    The last factor is the steep fall of the first labels, which a model of many atoms learns its springs by.

    Parameters
    ----------
    scale : ln of s over that of the accurate level's own curve.
    exponent : α, over the exponent that the curves of a molecule share.
    early : labels up to which the curve is steeper; 0 = none.
    """

    scale: Normal
    exponent: Normal
    early: float = 0.0


@dataclass(frozen=True)
class LawPrior:
    """What is known of the law before any training.

    Parameters
    ----------
    links : of the own curve of each level and of the difference of each two.
    scale : ln of s of the accurate level's own curve, eV/Å.
    exponent : the exponent that the curves of a molecule share.
    exact : levels that are computed where the model predicts, so that nothing of them is learnt.
    """

    links: dict[Link, LinkPrior]
    scale: Normal
    exponent: Normal
    exact: frozenset[int] = frozenset()

    @property
    def levels(self) -> int:
        """Number of cheap levels."""
        return max(link.level for link in self.links)


@dataclass(frozen=True)
class CurvePoint:
    """One measured point of a learning curve.

    Parameters
    ----------
    link : whose curve.
    labels : trained on, ≥ 1.
    error : on frames that were not, > 0, in the unit of all other points.
    sd : standard deviation of its logarithm, if known.
    """

    link: Link
    labels: float
    error: float
    sd: float = SCATTER

    def __post_init__(self) -> None:
        if not (self.labels >= 1 and 0 < self.error < inf and 0 < self.sd < inf):
            raise UsageError(
                f"a curve point needs ≥ 1 labels, a positive error and a positive sd, got {self}"
            )


@dataclass(frozen=True, eq=False)
class Law:
    """The law e² = Σ_k e_k(n_k)², and how well it is known.

    The chain begins with a model of the cheapest level that has labels; each further level adds a model of
    its difference to the one before, up to the accurate level. Links were measured to err independently
    (r = 0.03), so that their errors add in squares. Without cheap labels the law is the accurate level's own
    curve, that of standard training, and no mixture is taken to be worse than this curve, since recipes keep
    the better model: that is also what many accurate labels beside few cheap ones come to.

    Parameters
    ----------
    links : of the chain, in the order of the draws.
    early : (n_links,) see `LinkPrior`.
    draws : (n_draws, n_links, 2) samples of ln s and α of each link.
    points : how many measured points it rests on.
    exact : see `LawPrior`.
    """

    links: tuple[Link, ...]
    early: FloatArray
    draws: FloatArray
    points: int
    exact: frozenset[int] = frozenset()

    @property
    def levels(self) -> int:
        """Number of cheap levels."""
        return max(link.level for link in self.links)

    @property
    def mean(self) -> Self:
        """The law with one draw, the mean of all."""
        return replace(self, draws=self.draws.mean(axis=0, keepdims=True))

    def errors(self, n_hi: float, n_lo: Sequence[float]) -> FloatArray:
        """Return the error expected of one split under each draw, (n_draws,)."""
        if n_hi < 1 or len(n_lo) != self.levels or min(n_lo, default=0) < 0:
            raise UsageError(
                f"a split needs n_hi ≥ 1 and {self.levels} cheap numbers ≥ 0, got {n_hi} and {tuple(n_lo)}"
            )
        found: FloatArray = np.exp(self._log_errors(self.draws, np.array([[*n_lo, n_hi]], float))[:, 0])
        return found

    def predict(self, n_hi: float, n_lo: Sequence[float]) -> Interval:
        """Return the error of one training with a split, with its 90 % interval."""
        errors = self.errors(n_hi, n_lo)
        scatter = np.random.default_rng(len(errors)).standard_normal(len(errors))
        return interval(errors * np.exp(SCATTER * scatter))

    def mean_log_error(self, n_hi: ArrayLike, n_lo: ArrayLike) -> FloatArray:
        """Return (m,) posterior means of ln error, the score splits are chosen by.

        Parameters
        ----------
        n_hi : (m,) accurate labels.
        n_lo : (m, levels) cheap labels.
        """
        counts = np.column_stack([np.asarray(n_lo, float), np.asarray(n_hi, float)])
        every = max(1, len(self.draws) // SCORED)
        scores: FloatArray = self._log_errors(self.draws[::every], counts).mean(axis=0)
        return scores

    def labels_at(self, error: float) -> FloatArray:
        """Return how many accurate labels alone come to an error under each draw, (n_draws,)."""
        labels = np.log(np.geomspace(1.0, MOST, 4000))
        curves = self._curve(self.draws, Link(self.levels), np.exp(labels))
        wanted, found = log(max(error, 1e-300)), np.empty(len(curves))
        for draw, curve in enumerate(curves):
            found[draw] = np.interp(-wanted, -curve, labels, right=inf)
        return np.exp(found)

    def _log_errors(self, draws: FloatArray, counts: FloatArray) -> FloatArray:
        """Return ln error, (n_draws, m), of m splits with (m, levels + 1) labels, cheapest level first."""
        used: BoolArray = counts > 0
        used[:, [*self.exact, self.levels]] = True
        out = self._curve(draws, Link(self.levels), counts[:, -1])
        for pattern in np.unique(used, axis=0):
            chain = np.flatnonzero(pattern)
            if len(chain) == 1:
                continue
            rows = (used == pattern).all(axis=1)
            squares = np.zeros((len(draws), int(rows.sum())))
            for base, level in zip([None, *chain[:-1].tolist()], chain.tolist(), strict=True):
                if base is None and level in self.exact:
                    continue
                squares += np.exp(2 * self._curve(draws, Link(level, base), counts[rows, level]))
            out[:, rows] = np.minimum(out[:, rows], np.log(squares) / 2)
        return out

    def _curve(self, draws: FloatArray, link: Link, labels: FloatArray) -> FloatArray:
        """Return ln error of a link, (n_draws, m)."""
        row = self.links.index(link)
        out: FloatArray = draws[:, row, :1] - draws[:, row, 1:] * _reach(labels)
        return out + _excess(labels, self.early[row])


def interval(values: FloatArray) -> Interval:
    """Return median and 90 % interval of draws."""
    low, median, high = np.quantile(values, INTERVAL)
    return Interval(float(median), float(low), float(high))


def _reach(labels: ArrayLike) -> FloatArray:
    """Return ln(n/100), the abscissa in which learning curves become straight."""
    found: FloatArray = np.log(np.asarray(labels, float) / REFERENCE)
    return found


def _excess(labels: ArrayLike, early: ArrayLike) -> FloatArray:
    """Return what ln error of few labels is above the straight line."""
    n1 = np.asarray(early, float)
    found: FloatArray = np.log1p(EARLY * n1**2 / (n1**2 + np.square(np.asarray(labels, float))))
    return found


def fit_law(points: Sequence[CurvePoint], prior: LawPrior, *, seed: int, draws: int = DRAWS) -> Law:
    """Return what measured points and the prior say about the law.

    ln error is linear in ln s and α of its link, so the posterior is that of Bayesian linear regression.
    The links share a scale and an exponent (those of the molecule) beside what each has of its own: so the
    curve of a cheap level, measured for little, also tells what accurate labels alone would bring.

    Parameters
    ----------
    points : measured points; with none the draws are those of the prior. Otherwise nothing is presumed of
        the scale, which has the unit of the points.
    prior : of each link.
    seed : of the draws.
    draws : how many.

    Raises
    ------
    UsageError
        where a point is of a link that the prior does not know.
    """
    links, k = tuple(prior.links), len(prior.links)
    if unknown := {point.link for point in points} - set(links):
        raise UsageError(f"points of links {sorted(map(tuple, unknown))}, the law knows {links}")
    early = np.array([one.early for one in prior.links.values()])
    known = [prior.scale._replace(sd=10.0) if points else prior.scale, prior.exponent]
    known += [one.scale for one in prior.links.values()] + [one.exponent for one in prior.links.values()]
    mean, sd = np.array(known).T
    row = np.array([links.index(point.link) for point in points], dtype=np.int64)
    labels = [point.labels for point in points]
    reach, excess = _reach(labels), _excess(labels, early[row])
    own = np.eye(k)[row]
    design = np.column_stack([np.ones(len(row)), -reach, own, -reach[:, None] * own])
    weight = np.array([point.sd**-2 for point in points])
    precision = np.diag(sd**-2.0) + (design.T * weight) @ design
    target = mean / sd**2 + (design.T * weight) @ (np.log([point.error for point in points]) - excess)
    centre = np.linalg.solve(precision, target)
    random = np.random.default_rng(seed).standard_normal((draws, len(mean)))
    theta = centre + np.linalg.solve(np.linalg.cholesky(precision).T, random.T).T
    scale, exponent = theta[:, :1] + theta[:, 2 : 2 + k], theta[:, 1:2] + theta[:, 2 + k :]
    return Law(
        links, early, np.stack([scale, np.maximum(exponent, SLOWEST)], axis=-1), len(points), prior.exact
    )
