"""What a picker sees and what it returns: arrays in, indices out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.exceptions import UsageError

ARRAYS = ("features", "clusters", "errors", "energies", "costs", "labelled")
"""Fields of a pool that have one row per frame."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidate configurations as arrays; nothing in it is ever written to.

    ========== =================== ============ ===================================================
    field      shape               unit         meaning
    ========== =================== ============ ===================================================
    features   (n, d)              descriptor's one row per frame
    clusters   (n,)                             broad cluster of each frame, 0 .. n_clusters − 1
    errors     (n,)                `unit`       estimated force RMSE per frame, NaN = unknown
    energies   (n,)                eV           energy at any one level, NaN = unknown
    costs      (n, n_fidelities)   base unit    predicted cost of a label, cheapest fidelity first
    labelled   (n,)                             True where an accurate label is owned: never picked
    unit       text                             of `errors`: eV/Å, or eV for energy errors per frame
    ========== =================== ============ ===================================================
    """

    features: FloatArray
    clusters: IntArray
    errors: FloatArray
    energies: FloatArray
    costs: FloatArray
    labelled: BoolArray
    unit: str = "eV/Å"

    def __post_init__(self) -> None:
        n = len(self.features)
        if self.features.ndim != 2 or self.costs.ndim != 2:
            raise UsageError("features must be (n, d) and costs (n, n_fidelities)")
        for name in ARRAYS:
            array = getattr(self, name)
            if len(array) != n:
                raise UsageError(f"{name} must have one row for each of the {n} frames, got {len(array)}")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.features)

    @classmethod
    def of(
        cls,
        features: FloatArray,
        *,
        clusters: IntArray | None = None,
        errors: FloatArray | None = None,
        energies: FloatArray | None = None,
        labelled: BoolArray | None = None,
        costs: Sequence[float] = (1.0,),
        unit: str = "eV/Å",
    ) -> Self:
        """Return a pool whose missing parts are: one cluster, errors and energies unknown, nothing labelled.

        Parameters
        ----------
        costs : of a label at each fidelity, the same for every frame.

        Examples
        --------
        >>> Pool.of(np.zeros((3, 2)), labelled=np.array([True, False, False])).costs.shape
        (3, 1)
        """
        n = len(features)
        nothing = np.full(n, np.nan)
        return cls(
            features,
            np.zeros(n, dtype=np.int64) if clusters is None else clusters,
            nothing if errors is None else errors,
            nothing if energies is None else energies,
            np.broadcast_to(np.asarray(costs, dtype=np.float64), (n, len(costs))),
            np.zeros(n, dtype=np.bool_) if labelled is None else labelled,
            unit,
        )

    def __getitem__(self, rows: IntArray | BoolArray) -> Self:
        """Return the pool of some frames."""
        arrays = {name: getattr(self, name)[rows] for name in ARRAYS}
        return type(self)(**arrays, unit=self.unit)


@dataclass(frozen=True, eq=False)
class Picks:
    """Frames to label next, in order of picking.

    Parameters
    ----------
    indices : (k,) rows of the pool, unique, none labelled.
    fidelity : (k,) column of `Pool.costs` to label at.
    cluster : (k,) broad cluster of each pick, −1 where the picker knows none.
    reason : k short sentences for the report.
    notes : what the picker had to do that its caller should know (e.g. a lowered threshold).
    """

    indices: IntArray
    fidelity: IntArray
    cluster: IntArray
    reason: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)


class Picker(Protocol):
    """Chooses frames to label.

    A picker that never reads `Pool.errors` says so by an attribute `needs_errors = False`: then nobody
    has to estimate errors, or to buy labels for that; see `needs_errors`.
    """

    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
        """Return exactly `n` unique unlabelled rows of the pool, best first.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled.
        """
        ...


def needs_errors(picker: Picker) -> bool:
    """Return whether a picker reads `Pool.errors`; one that does not say is taken to."""
    return bool(getattr(picker, "needs_errors", True))
