"""What a picker sees and what it returns: arrays in, indices out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from fidsel.arrays import BoolArray, FloatArray, IntArray, counted, html_table, numbers_of, read_only
from fidsel.exceptions import UsageError
from fidsel.selector.clusters.broad import BroadClusters

Covariance = Callable[[IntArray], FloatArray]
"""Takes k rows of a pool and returns the covariance of the forces of these frames, (k·m, k·m)."""

Seed = np.random.Generator | int
"""What a picker draws from: a generator, or the seed of a new one."""

FEW, SHOWN = 8, 50
"""Picks that one line and a notebook show."""

ARRAYS = ("features", "clusters", "errors", "energies", "costs", "labelled")
"""Fields of a pool that have one row per frame."""


@dataclass(frozen=True, eq=False, repr=False)
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
    covariance rows → (k·m, k·m)   eV²/Å²       of the model's forces at k frames, None = not told
    ========== =================== ============ ===================================================

    Examples
    --------
    >>> pool = Pool.of([[0.0], [1.0], [2.0], [9.0]], labelled=[0])
    >>> pool
    Pool(4 frames, 1 feature, 1 labelled, no errors)
    >>> from fidsel.selector import FarthestPoint
    >>> FarthestPoint().pick(pool, 2).indices.tolist()
    [3, 2]
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
    covariance: Covariance | None = None

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.costs.ndim != 2:
            raise UsageError("features must be (n, d) and costs (n, n_fidelities)")
        n = len(self.features)
        if len(self.levels) not in (0, self.costs.shape[1]):
            raise UsageError(f"levels must name {self.costs.shape[1]} fidelities or none, got {self.levels}")
        for name in ARRAYS:
            shape = getattr(self, name).shape
            if len(shape) != (2 if name in ("features", "costs") else 1):
                raise UsageError(f"{name} must have shape ({n},), one value for each frame, got {shape}")
            if shape[0] != n:
                raise UsageError(f"{name} must have one row for each of the {n} frames, got {shape[0]}")
        if self.labelled.dtype != np.bool_:
            raise UsageError(f"labelled must be truth values, got {self.labelled.dtype}: see Pool.of")
        read_only(self, *ARRAYS)

    def __setstate__(self, state: Mapping[str, Any]) -> None:  # Any: any field
        """Take what a copy is made of; its arrays are as read-only as those of the pool itself."""
        vars(self).update(state)
        read_only(self, *ARRAYS)

    @classmethod
    def of(
        cls,
        features: ArrayLike,
        errors: ArrayLike | None = None,
        *,
        clusters: ArrayLike | int = 1,
        energies: ArrayLike | None = None,
        costs: ArrayLike = 1.0,
        labelled: ArrayLike = (),
        unit: str = "eV/Å",
        levels: tuple[str, ...] = (),
        cost_unit: str = "",
        covariance: Covariance | None = None,
    ) -> Self:
        """Return the pool of some features; what is not given takes a value that favours no frame.

        Parameters
        ----------
        features : (n, d) one row per frame.
        errors, energies : (n,), see `Pool`; None = unknown.
        clusters : (n,) broad cluster of each frame, or how many to make of the features.
        costs : (n, n_fidelities), (n,) for one fidelity, or a number for all frames.
        labelled : rows that are never picked, each once, or (n,) truth values, True where a frame is one of
            them.
        unit : of the errors.
        levels, cost_unit, covariance : see `Pool`.

        Raises
        ------
        UsageError
            where shapes do not fit.
        """
        rows = numbers_of("features", features, np.float64)
        if rows.ndim != 2:
            raise UsageError(f"features must be (n, d), one row per frame, got shape {rows.shape}")
        n, cost = len(rows), numbers_of("costs", costs, np.float64)
        made = numbers_of("clusters", clusters, np.int64)
        if made.ndim == 0:
            made = BroadClusters.fit(rows, n_geometry=int(made)).labels if made != 1 else np.zeros(n, int)
        return cls(
            rows,
            made,
            _values("errors", errors, n),
            _values("energies", energies, n),
            np.full((n, 1), cost) if cost.ndim == 0 else cost[:, None] if cost.ndim == 1 else cost,
            _mask(labelled, n),
            unit,
            levels,
            cost_unit,
            covariance,
        )

    def __len__(self) -> int:
        return len(self.features)

    @property
    def unlike_costs(self) -> bool:
        """Whether a frame costs more at all levels than another; False where a cost is unknown or 0."""
        cost = self.costs.sum(axis=1)
        return bool(len(cost) and np.isfinite(cost).all() and 0 < cost.min() < cost.max())

    def __getitem__(self, rows: IntArray | BoolArray) -> Self:
        """Return the pool of some frames."""
        arrays = {name: getattr(self, name)[rows] for name in ARRAYS}
        covariance, kept = self.covariance, np.arange(len(self))[rows]
        some = None if covariance is None else lambda chosen: covariance(kept[chosen])
        return replace(self, **arrays, covariance=some)

    def __repr__(self) -> str:
        (n, d), clusters, levels = self.features.shape, len(np.unique(self.clusters)), self.costs.shape[1]
        known = int(np.isfinite(self.errors).sum())
        told = [
            f"{n} frame{'s' * (n != 1)}",
            f"{d} feature{'s' * (d != 1)}",
            f"{int(self.labelled.sum())} labelled",
        ]
        told.append(f"{known if known < n else 'all'} errors known" if known else "no errors")
        told += [f"{clusters} clusters"] * (clusters > 1) + [f"{levels} fidelities"] * (levels > 1)
        return f"Pool({', '.join(told)})"


def _values(name: str, given: ArrayLike | None, n: int) -> FloatArray:
    return np.full(n, np.nan) if given is None else numbers_of(name, given, np.float64)


def _mask(given: ArrayLike, n: int) -> BoolArray:
    """Return (n,) True for the rows that are given, as a mask or by their numbers."""
    rows, mask = np.array(given), np.zeros(n, dtype=bool)
    if rows.dtype == bool:
        return rows
    if rows.size and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n):
        raise UsageError(f"labelled must be whole numbers from 0 to {n - 1}, or a mask, got {given!r}")
    if len(np.unique(rows)) < rows.size:
        # of three frames and more, a mask of zeros and ones always repeats one of them
        mended = "np.asarray(labelled, dtype=bool)" if rows.size == n and rows.max() <= 1 else "np.unique"
        raise UsageError(
            f"labelled must be rows, each of them once, or a mask of {n} truth values, got {rows.size} whole "
            f"numbers that repeat: {mended} makes them one"
        )
    mask[rows.astype(np.int64)] = True
    return mask


@dataclass(frozen=True, eq=False, repr=False)
class Picks:
    """Frames to label next, in order of picking.

    Parameters
    ----------
    indices : (k,) rows of the pool, unique, none labelled.
    fidelity : (k,) column of `Pool.costs` to label at.
    cluster : (k,) broad cluster of each pick, −1 where the picker knows none.
    reason : k short sentences for the report.
    notes : what the picker had to do that its caller should know (e.g. a lowered threshold).

    Examples
    --------
    >>> picks = Picks(np.array([4, 1]), np.array([0, 0]), np.array([2, 0]), ("far away", "far away too"))
    >>> picks
    Picks(2 frames: 4, 1)
    """

    indices: IntArray
    fidelity: IntArray
    cluster: IntArray
    reason: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        shown = f": {', '.join(map(str, self.indices[:FEW].tolist()))}" if len(self) else ""
        shown += f"{', ...' * (len(self) > FEW)}{counted(self.notes)}"
        return f"Picks({len(self)} frame{'s' * (len(self) != 1)}{shown})"

    def _repr_html_(self) -> str:
        """Return a table for a notebook, in order of picking."""
        rows = zip(self.indices.tolist(), self.fidelity.tolist(), self.reason, strict=True)
        return html_table(repr(self), ("frame", "fidelity", "reason"), list(rows)[:SHOWN], self.notes)


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


def needs_covariance(picker: Picker | type[Picker]) -> bool:
    """Return whether a picker reads `Pool.covariance`; one that does not say is taken not to."""
    return bool(getattr(picker, "needs_covariance", False))


def needs_errors(picker: Picker) -> bool:
    """Return whether a picker reads `Pool.errors`; one that does not say is taken to."""
    return bool(getattr(picker, "needs_errors", True))
