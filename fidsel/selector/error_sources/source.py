"""`ErrorSource`: what all estimates of a model's errors have in common, and what they may ask for."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from fidsel.arrays import FloatArray, IntArray, numbers_of
from fidsel.exceptions import UsageError
from fidsel.selector.pool import Covariance, Pool


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a model tells of the n frames of a pool; computed once, and only where a source asks for it.

    Parameters
    ----------
    cheap_errors : gives (n,) eV/Å, force RMSE of each frame at the cheap level, of a pre-trained or surrogate
        model; NaN where that was trained on the cheap label or there is none.
    disagreement : gives (n,) eV/Å, how far the members of a committee disagree on each frame; NaN = unknown.
    latent : gives latent features (n, d) of the frames, and (m, d) of those the model was trained on.
    covariance : gives what takes rows and returns the covariance of the model's forces, see `Pool`.
    """

    cheap_errors: Callable[[], FloatArray] | None = None
    disagreement: Callable[[], FloatArray] | None = None
    latent: Callable[[], tuple[FloatArray, FloatArray]] | None = None
    covariance: Callable[[], Covariance] | None = None

    def __post_init__(self) -> None:
        for name, tell in vars(self).items():
            if tell is not None:
                object.__setattr__(self, name, cache(tell))


NOTHING = Evidence()
"""No model has told anything: known errors are all there is."""


class ErrorSource(ABC):
    """Estimates the model's error on every frame of a pool, mostly without labels: a frozen value.

    Its fields are its settings; what others must know of it stands in the class:

    =============== =================================================================================
    attribute       meaning
    =============== =================================================================================
    name            of the source, in settings and messages
    knows_truth     reads the accurate label of every frame
    needs_probes    learns from the errors of some frames drawn at random, which are labelled first
    by_cluster      draws so many of these per cluster, rather than from all frames alike
    needs_cheap     reads `Evidence.cheap_errors`
    needs_committee reads `Evidence.disagreement`
    needs_network   reads `Evidence.latent`
    =============== =================================================================================
    """

    name: ClassVar[str]
    knows_truth: ClassVar[bool] = False
    needs_probes: ClassVar[bool] = False
    by_cluster: ClassVar[bool] = False
    needs_cheap: ClassVar[bool] = False
    needs_committee: ClassVar[bool] = False
    needs_network: ClassVar[bool] = False

    def draw(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:
        """Return at most `n` unlabelled rows drawn at random, in random order."""
        return random_rows(pool, n, rng)

    def wants(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:
        """Return at most `n` rows to label first, in order of drawing: none where no errors are needed."""
        return self.draw(pool, n, rng) if self.needs_probes else np.empty(0, dtype=np.int64)

    @abstractmethod
    def estimate(self, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:
        """Return (n,) estimated force RMSE per frame in `pool.unit`; a known error is its own estimate.

        Parameters
        ----------
        pool : the candidates.
        known : (n,) measured error where there is a label that the model was not trained on, else NaN.
        evidence : what the model tells.

        Raises
        ------
        UsageError
            where it lacks what the source needs.
        """


def random_rows(pool: Pool, n: int, rng: np.random.Generator) -> IntArray:
    """Return at most `n` unlabelled rows drawn at random, in random order."""
    return rng.permutation(np.flatnonzero(~pool.labelled))[: number(n)]


def number(n: int) -> int:
    """Return a number of probes, or raise a `UsageError` where it cannot be one."""
    if n < 0:
        raise UsageError(f"the number of probes must be ≥ 0, got {n}")
    return n


def checked(pool: Pool, errors: FloatArray, name: str = "known") -> FloatArray:
    """Return errors (n,), NaN where unknown, or raise a `UsageError` where they cannot be such."""
    errors = np.asarray(errors, dtype=np.float64)
    if errors.shape != (len(pool),):
        raise UsageError(f"{name} must have shape ({len(pool)},), one entry per frame, got {errors.shape}")
    if np.isinf(errors).any() or (errors < 0).any():
        raise UsageError(f"{name} must be finite errors ≥ 0 in {pool.unit}, or NaN where unknown")
    return errors


def drawn(source: ErrorSource, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:
    """Return the rows that a source draws, which may be a user's own: at most `n`, unlabelled, each once.

    Raises a `UsageError` where it draws others.
    """
    rows = np.asarray(source.draw(pool, n, rng))
    right = rows.ndim == 1 and (rows.dtype.kind in "iu" or rows.size == 0) and len(rows) <= n
    rows = rows.astype(np.int64) if right else rows
    if right:
        inside = ((rows >= 0) & (rows < len(pool))).all() and len(np.unique(rows)) == len(rows)
        right = bool(inside and not pool.labelled[rows].any())
    if not right:
        raise UsageError(
            f"{type(source).__name__}.draw must return at most {n} unlabelled rows of the pool, each once, "
            f"as an array of whole numbers, got {str(rows)[:60]}"
        )
    return rows


def estimated(source: ErrorSource, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:
    """Return the errors (n,) that a source estimates, which may be a user's own.

    Raises a `UsageError` where they are none.
    """
    name = f"{type(source).__name__}.estimate"
    return checked(pool, numbers_of(name, source.estimate(pool, known, evidence), np.float64), name)


def scaled(pool: Pool, guess: FloatArray, known: FloatArray) -> FloatArray:
    """Return guessed errors on the scale of known ones, which replace them, (n,).

    With known errors e_i and guesses g_i the scale is s = sqrt(Σ e_i² / Σ g_i²) over the frames that have
    both, 1 without any. Frames without a guess get the RMS of their cluster's, or of all.

    Parameters
    ----------
    guess : (n,) NaN where there is none; at least one is.
    known : (n,) NaN where unknown.
    """
    has = ~np.isnan(guess)
    both = has & ~np.isnan(known)
    square = float((guess[both] ** 2).sum())
    out = guess * (np.sqrt((known[both] ** 2).sum() / square) if square > 0 else 1.0)
    for c in np.unique(pool.clusters[~has]):
        members = pool.clusters == c
        basis = out[members & has] if (members & has).any() else out[has]
        out[members & ~has] = np.sqrt(np.mean(basis**2))
    return np.where(np.isnan(known), out, known)
