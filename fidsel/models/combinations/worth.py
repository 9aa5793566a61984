"""Whether a baseline helps: how well a quick kernel learns labels with and without it."""

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.sgdml.force_field import SGDML

FOLDS: Final = 5
FEWEST: Final = 10
"""Frames with forces below which nothing can be said."""
EQUATIONS: Final = 1500
"""Force components that are learnt from at most: 70 frames of 9 atoms, 26 of 21."""
SIGMAS: Final = (0.4, 1.0, 2.5, 6.0, 15.0, 40.0, 100.0)
NUS: Final = (2.5, 4.5)
"""Length scales (1/Å) and smoothnesses tried with the baseline and without it, the best of each counts."""


@dataclass(frozen=True, eq=False)
class Worth:
    """What a kernel errs by on labels it has not seen, with a baseline and without.

    Parameters
    ----------
    without, with_baseline : (folds,) eV/Å, mean absolute force error on each part that was left out.
    frames : how many there were.
    """

    without: FloatArray
    with_baseline: FloatArray
    frames: int

    @property
    def gain(self) -> tuple[float, float]:
        """Mean of ln(error without / error with the baseline) over the parts, and its standard error."""
        gains = np.log(self.without / self.with_baseline)
        return float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))

    @property
    def helps(self) -> bool:
        """Whether the error is lower with the baseline, by more than a standard error."""
        mean, error = self.gain
        return mean > error

    def told(self) -> str:
        """Return both errors and the decision in a sentence."""
        (mean, error), (a, b) = self.gain, (self._spread(self.without), self._spread(self.with_baseline))
        low, high = np.exp([-mean - error, -mean + error])
        verdict = "helps" if self.helps else "does not help"
        return (
            f"cross-validated force MAE of a kernel on {self.frames} frames: {a} eV/Å alone, {b} with the "
            f"baseline ({low:.2f} to {high:.2f} of it): the baseline {verdict}"
        )

    @staticmethod
    def _spread(errors: FloatArray) -> str:
        return f"{errors.mean():.3g} ± {errors.std(ddof=1) / np.sqrt(len(errors)):.1g}"


def worth_it(frames: Frames, baseline: SourceLabels, *, folds: int = FOLDS, seed: int = 0) -> Worth:
    """Return whether a baseline makes accurate labels easier to learn.

    An sGDML kernel is fitted to all parts of the frames but one and tested on that one, to the labels and to
    the labels minus the baseline's, for several length scales and smoothnesses. What counts is how smooth the
    difference is: the error of the baseline itself says little, and a rough one does harm however accurate.

    Parameters
    ----------
    frames : accurate labels; those with forces count, and of several molecules those of the most frequent.
    baseline : what may be subtracted.
    folds : parts.
    seed : draws the parts, and which frames count where there are more than a minute's worth.

    Raises
    ------
    UsageError
        for fewer than 10 frames with forces, periodic frames, and a baseline that cannot treat them.
    BaselineError
        where it fails for some.
    """
    own = _sample(frames, np.random.default_rng(seed))
    parts = np.array_split(np.random.default_rng(seed).permutation(len(own)), folds)
    without, difference = (_errors(labels, parts) for labels in (own, baseline.subtract(own)))
    return Worth(without, difference, len(own))


def _sample(frames: Frames, rng: np.random.Generator) -> Frames:
    """Return the frames to learn from: of one molecule, and no more than are quick."""
    known = frames[frames.has_forces]
    if len(known):
        # by the order of atoms, so that isomers are not taken for one molecule where they differ in it
        spans = pairwise(known.offsets)
        atoms = np.array([known.numbers[begin:end].tobytes().hex() for begin, end in spans])
        names, counts = np.unique(atoms, return_counts=True)
        known = known[atoms == names[counts.argmax()]]
    if len(known) < FEWEST:
        raise UsageError(
            f"to tell whether a baseline helps takes at least {FEWEST} frames of one molecule with accurate "
            f"forces, got {len(known)}"
        )
    most = max(FEWEST, EQUATIONS // max(1, 3 * int(known.offsets[1]) - 6))
    return known if len(known) <= most else known[np.sort(rng.choice(len(known), most, replace=False))]


def _errors(labels: Frames, parts: list[IntArray]) -> FloatArray:
    """Return the force MAE on each part that was left out, (folds,) eV/Å, with the best σ and ν."""
    each = np.array([[_error(labels, part, *one) for part in parts] for one in product(SIGMAS, NUS)])
    best: FloatArray = each[each.mean(1).argmin()]
    return best


def _error(labels: Frames, part: IntArray, sigma: float, nu: float) -> float:
    rest = labels[np.setdiff1d(np.arange(len(labels)), part)]
    kernel, _ = SGDML([sigma], nus=[nu]).fit(rest, rest[:0])
    return float(np.abs(kernel.predict(labels[part]).forces - labels[part].forces).mean())
