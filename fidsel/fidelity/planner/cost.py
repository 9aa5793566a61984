"""What a label will take: a log-linear law of the size of a frame, learned from measured labels."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import LabelSource, Scaling

EXPONENT_SD = 1.0
"""How far the exponent of small molecules may lie from the formal one (which holds for large ones)."""

SCATTER = 0.25
"""Expected scatter of ln seconds between labels of one size, worth `SCATTER_WEIGHT` measurements."""
SCATTER_WEIGHT = 2.0

GUESS_SD = 1.0
"""Uncertainty of ln seconds of a person's guess: a factor 2.7 either way."""

CONFIDENCE = 0.95
SHORTEST = 1e-6
"""s: measured times below the resolution of the clock count as this."""


@dataclass(frozen=True, eq=False)
class Cost:
    """Predicted core-seconds of some labels.

    Parameters
    ----------
    mean : (n,) expected core-seconds of each label.
    upper : (n,) core-seconds that 95 % of such labels stay below; what a reservation is made with.
    """

    mean: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class Guess:
    """What a person expects a label to take where none has been measured.

    Parameters
    ----------
    seconds : core-seconds.
    size : of the frame it is meant for (see `size_of`).
    """

    seconds: float
    size: float


@dataclass(frozen=True, eq=False)
class CostModel:
    """ln seconds = a + p·(ln size − c) + ε, ε ~ N(0, σ²): conjugate Bayesian regression.

    Priors: p ~ N(exponent, `EXPONENT_SD`²), a flat (or a guess), σ² inverse-gamma around `SCATTER`².
    c is the mean of ln size, so frames of one composition teach a and σ alone and p stays at its
    prior; predictions follow Student's t.

    Parameters
    ----------
    centre : c.
    coefficients : (2,) posterior mean of (a, p).
    covariance : (2, 2) posterior covariance of (a, p) in units of σ².
    variance : posterior estimate of σ².
    freedom : degrees of freedom of the predictive distribution.
    measured : labels it was learned from.
    """

    centre: float
    coefficients: FloatArray
    covariance: FloatArray
    variance: float
    freedom: float
    measured: int

    @classmethod
    def fit(
        cls, sizes: ArrayLike, seconds: ArrayLike, exponent_prior: float, guess: Guess | None = None
    ) -> Self:
        """Return the model learned from measured labels.

        Parameters
        ----------
        sizes : (n,) sizes of the labelled frames, > 0.
        seconds : (n,) core-seconds their labels took, ≥ 0.
        exponent_prior : formal power of the cost: 1 force field, 3 HF and DFT, 7 CCSD(T).
        guess : used beside the measurements, as one vague measurement.

        Raises
        ------
        UsageError
            where nothing is known: no label measured and no guess.

        Examples
        --------
        >>> model = CostModel.fit([10, 20], [1.0, 8.0], exponent_prior=3)
        >>> model.predict([10, 40]).mean.round(1).tolist()
        [1.0, 65.3]
        """
        x, y = _logs("sizes", sizes), _logs("seconds", np.maximum(seconds, SHORTEST))
        if len(x) != len(y):
            raise UsageError(f"sizes and seconds must have the same length, got {len(x)} and {len(y)}")
        if guess is None and not len(x):
            raise UsageError(
                "the cost of this level is unknown: label a few pilot frames, or give a guess of the "
                "core-seconds per label or a price per label"
            )
        centre = float(np.mean(x)) if guess is None else float(_logs("guess", [guess.size])[0])
        start = 0.0 if guess is None else float(_logs("guess", [guess.seconds])[0])
        design = np.column_stack([np.ones(len(x)), x - centre])
        prior = np.array([start, exponent_prior])
        trust = 0.0 if guess is None else (SCATTER / GUESS_SD) ** 2
        weight = np.diag([trust, (SCATTER / EXPONENT_SD) ** 2])
        precision = weight + design.T @ design
        mean = np.linalg.solve(precision, weight @ prior + design.T @ y)
        misfit = ((y - design @ mean) ** 2).sum() + (mean - prior) @ weight @ (mean - prior)
        freedom = SCATTER_WEIGHT + len(x) - (guess is None)
        variance = (SCATTER_WEIGHT * SCATTER**2 + misfit) / freedom
        return cls(centre, mean, np.linalg.inv(precision), float(variance), float(freedom), len(x))

    @property
    def exponent(self) -> float:
        """Posterior mean of p."""
        return float(self.coefficients[1])

    def predict(self, sizes: ArrayLike) -> Cost:
        """Return expected and 95 % core-seconds of one label of each size.

        Parameters
        ----------
        sizes : (n,) sizes of the frames, > 0.
        """
        from scipy.special import stdtrit

        offset = _logs("sizes", sizes) - self.centre
        design = np.column_stack([np.ones(len(offset)), offset])
        centre = design @ self.coefficients
        spread = np.einsum("ni,ij,nj->n", design, self.covariance, design)
        width = np.sqrt(self.variance * (1 + spread)) * stdtrit(self.freedom, CONFIDENCE)
        mean = np.exp(centre + self.variance / 2)
        return Cost(mean, np.maximum(np.exp(centre + width), mean))


def size_of(source: LabelSource, atoms: Atoms) -> float:
    """Return the size the cost of a source grows with; the number of atoms where it names none."""
    return source.size(atoms) if isinstance(source, Scaling) else float(len(atoms))


def exponent_of(source: LabelSource) -> float:
    """Return the formal power of the cost of a source; 1 where it names none."""
    return source.cost_exponent if isinstance(source, Scaling) else 1.0


def _logs(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    wrong = array[~((array > 0) & np.isfinite(array))]
    if len(wrong):
        raise UsageError(f"{name} must be finite and > 0, got {wrong[0]}")
    logs: FloatArray = np.log(array)
    return logs
