"""Error sources: the model's error on every frame of a pool, mostly without labels."""

from dataclasses import dataclass

import numpy as np

from fidsel.arrays import FloatArray, IntArray, shown
from fidsel.exceptions import UsageError
from fidsel.selector.error_sources.shrinkage import shrunk_rms
from fidsel.selector.pickers.allocation import in_proportion
from fidsel.selector.pool import Pool


@dataclass(frozen=True)
class Reference:
    """The error itself, where every frame of the pool has an accurate label."""

    def wants(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:  # noqa: ARG002
        """Return no rows: nothing has to be bought."""
        return np.empty(0, dtype=np.int64)

    def estimate(self, pool: Pool, known: FloatArray) -> FloatArray:
        """Return the known errors, (n,) eV/Å; NaN on labelled rows whose error is unknown (trained on).

        Raises
        ------
        UsageError
            where the error of an unlabelled row is unknown.
        """
        known = checked(pool, known)
        missing = np.isnan(known) & ~pool.labelled
        if missing.any():
            raise UsageError(
                f"the error source 'reference' needs a known error for every unlabelled frame; "
                f"{missing.sum()} of {(~pool.labelled).sum()} have none: use 'cheap' or 'probe'"
            )
        return known.copy()


@dataclass(frozen=True, eq=False)
class Cheap:
    """The error a pre-trained or surrogate model makes on cheap labels it has not seen.

    It costs no accurate label; known errors scale it, see `scaled`.

    Parameters
    ----------
    cheap_errors : (n,) eV/Å, force RMSE per frame at the cheap level; NaN where the model was trained
        on the cheap label or there is none.
    """

    cheap_errors: FloatArray
    __repr__ = shown

    def wants(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:  # noqa: ARG002
        """Return no rows: nothing has to be bought."""
        return np.empty(0, dtype=np.int64)

    def estimate(self, pool: Pool, known: FloatArray) -> FloatArray:
        """Return the scaled cheap error of each frame, or its known error, (n,) eV/Å.

        Raises
        ------
        UsageError
            where no cheap error is known, or there is not one entry per frame.
        """
        cheap = checked(pool, np.asarray(self.cheap_errors, dtype=np.float64), "cheap_errors")
        if np.isnan(cheap).all():
            raise UsageError(
                "the error source 'cheap' needs cheap labels the model has not seen, got none: "
                "leave some out of pre-training, or use 'probe'"
            )
        return scaled(pool, cheap, checked(pool, known))


@dataclass(frozen=True, eq=False)
class Committee:
    """How far the members of a committee disagree.

    It costs no label; known errors scale it, see `scaled`. Without any it is the disagreement itself, which
    ranks frames but is usually too small: members share their data and so part of their error.

    Parameters
    ----------
    disagreement : (n,) eV/Å, e.g. `Ensemble.disagreement(frames).frame_forces`; NaN where unknown.

    References
    ----------
    C. Schran, K. Brezina, O. Marsalek, J. Chem. Phys. 153, 104105 (2020), doi:10.1063/5.0016004.
    """

    disagreement: FloatArray
    __repr__ = shown

    def wants(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:  # noqa: ARG002
        """Return no rows: nothing has to be bought."""
        return np.empty(0, dtype=np.int64)

    def estimate(self, pool: Pool, known: FloatArray) -> FloatArray:
        """Return the scaled disagreement on each frame, or its known error, (n,) eV/Å.

        Raises
        ------
        UsageError
            where no disagreement is known, or there is not one entry per frame.
        """
        found = checked(pool, np.asarray(self.disagreement, dtype=np.float64), "disagreement")
        if np.isnan(found).all():
            raise UsageError("the error source 'committee' needs the disagreement of a committee, got none")
        return scaled(pool, found, checked(pool, known))


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


@dataclass(frozen=True)
class Probe:
    """The error of a few frames of each cluster, labelled first and drawn at random.

    Each frame gets its cluster's RMSE, shrunk towards the overall one the more the fewer probes the
    cluster has (`shrunk_rms` has the formula); a known frame keeps its own.

    Parameters
    ----------
    minimum : probes per cluster before the rest is shared in proportion to population; lowered
        evenly where `n` does not reach.
    """

    minimum: int = 2

    def __post_init__(self) -> None:
        if self.minimum < 0:
            raise UsageError(f"minimum must be ≥ 0 probes per cluster, got {self.minimum}")

    def wants(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:
        """Return at most `n` unlabelled rows, drawn at random in each cluster, in random order."""
        free = random_rows(pool, len(pool), rng)
        n = min(_number(n), len(free))
        names, inverse = np.unique(pool.clusters[free], return_inverse=True)
        if n == 0:
            return np.empty(0, dtype=np.int64)
        size = np.bincount(inverse)
        floor = np.minimum(min(self.minimum, n // len(names)), size)
        counts = floor + in_proportion(n - int(floor.sum()), size.astype(np.float64), size - floor)
        chosen = [free[inverse == c][: counts[c]] for c in range(len(names))]
        return rng.permutation(np.concatenate(chosen))

    def estimate(self, pool: Pool, known: FloatArray) -> FloatArray:
        """Return the shrunk RMSE of each frame's cluster, or its known error, (n,) eV/Å.

        Raises
        ------
        UsageError
            where no error is known.
        """
        known = checked(pool, known)
        has = ~np.isnan(known)
        if not has.any():
            raise UsageError(
                "the error source 'probe' needs known errors, got none: label the rows of wants()"
            )
        _, inverse = np.unique(pool.clusters, return_inverse=True)
        rms = shrunk_rms(known[has], inverse[has], np.bincount(inverse))
        return np.where(has, known, rms[inverse])


def random_rows(pool: Pool, n: int, rng: np.random.Generator) -> IntArray:
    """Return at most `n` unlabelled rows drawn at random, in random order."""
    return rng.permutation(np.flatnonzero(~pool.labelled))[: _number(n)]


def _number(n: int) -> int:
    if n < 0:
        raise UsageError(f"the number of probes must be ≥ 0, got {n}")
    return n


def checked(pool: Pool, errors: FloatArray, name: str = "known") -> FloatArray:
    """Return errors (n,), NaN where unknown, or raise a `UsageError` where they cannot be such."""
    if errors.shape != (len(pool),):
        raise UsageError(f"{name} must have shape ({len(pool)},), one entry per frame, got {errors.shape}")
    if np.isinf(errors).any() or (errors < 0).any():
        raise UsageError(f"{name} must be finite errors ≥ 0 in eV/Å, or NaN where unknown")
    return errors
