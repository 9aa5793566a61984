"""What a picker sees and what it returns: arrays in, indices out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.exceptions import UsageError


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
    levels     n_fidelities texts               names of the levels of theory, () = not told
    cost_unit  text                             of `costs`, e.g. "core-second", "" = not told
    ========== =================== ============ ===================================================
    """

    features: FloatArray
    clusters: IntArray
    errors: FloatArray
    energies: FloatArray
    costs: FloatArray
    labelled: BoolArray
    unit: str = "eV/Å"
    levels: tuple[str, ...] = ()
    cost_unit: str = ""

    def __post_init__(self) -> None:
        n = len(self.features)
        if self.features.ndim != 2 or self.costs.ndim != 2:
            raise UsageError("features must be (n, d) and costs (n, n_fidelities)")
        if len(self.levels) not in (0, self.costs.shape[1]):
            raise UsageError(f"levels must name {self.costs.shape[1]} fidelities or none, got {self.levels}")
        for name in ("features", "clusters", "errors", "energies", "costs", "labelled"):
            array = getattr(self, name)
            if len(array) != n:
                raise UsageError(f"{name} must have one row for each of the {n} frames, got {len(array)}")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.features)


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


class ErrorSource(Protocol):
    """Estimates the model's error on every frame of the pool, in two phases."""

    def wants(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:
        """Return at most `n` rows to label first, in order of drawing (may be none)."""
        ...

    def estimate(self, pool: Pool, known: FloatArray) -> FloatArray:
        """Return (n,) estimated force RMSE per frame, eV/Å.

        Parameters
        ----------
        pool : the candidates.
        known : (n,) measured force RMSE where a label exists that the model was not trained on, else NaN.
        """
        ...
