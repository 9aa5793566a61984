"""What a report says: plain values, made by whoever selected and written by `write_report`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

from fidsel.errors import UsageError
from fidsel.selector.cluster_error import ClusterErrors
from fidsel.selector.plot import Curve
from fidsel.selector.pool import Picks, Pool

UNITS = {"eV/Å": ("meV/Å", "kcal/mol/Å"), "eV": ("meV", "kcal/mol")}
"""Units a reader may choose between, for each unit of a report's errors."""


@dataclass(frozen=True)
class Mark:
    """A distance that tells the frames of a cluster from all others.

    Parameters
    ----------
    atoms : the two atoms, counted from 0 as in the frames.
    label : for people, who count from 1: "O3–H8".
    mean, spread : Å, in the cluster; the spread is a standard deviation.
    elsewhere, elsewhere_spread : Å, in all other frames.
    shift : (mean − elsewhere) / elsewhere_spread, negative where the atoms are closer.
    """

    atoms: tuple[int, int]
    label: str
    mean: float
    spread: float
    elsewhere: float
    elsewhere_spread: float
    shift: float


@dataclass(frozen=True, eq=False)
class Structure:
    """One frame that a report draws.

    Parameters
    ----------
    row : its row in the frames that were described.
    atoms : elements and positions, Å.
    error : of the frame, in the report's unit; NaN = unknown.
    energy : eV, NaN = unknown.
    """

    row: int
    atoms: Atoms
    error: float = np.nan
    energy: float = np.nan


@dataclass(frozen=True)
class Energies:
    """Energies of a cluster, eV.

    Parameters
    ----------
    low, median, high : of the frames whose energy is known.
    rank : share of the other frames that lie below the median, 0 to 1; NaN where there are no others.
    """

    low: float
    median: float
    high: float
    rank: float


@dataclass(frozen=True, eq=False)
class ClusterDescription:
    """What is in a cluster and what marks it.

    Parameters
    ----------
    cluster : its number.
    size, others : its frames, and all others.
    rmse, measured : error over those of its frames whose error is known, and how many they are.
    energies : None where none is known, or where they cannot be compared.
    marks : distances that differ most from the rest, the most telling first.
    representative : the frame nearest to the centroid; None where frames have no common features.
    worst : the frame with the largest known error, None where none is known.
    """

    cluster: int
    size: int
    others: int
    rmse: float
    measured: int
    energies: Energies | None
    marks: tuple[Mark, ...]
    representative: Structure | None
    worst: Structure | None

    @property
    def share(self) -> float:
        """Its frames as a share of all, 0 to 1."""
        return self.size / (self.size + self.others)


@dataclass(frozen=True, eq=False)
class ClusterTable:
    """All clusters of some frames, the largest error first, those of unknown error last.

    Parameters
    ----------
    rows : one per cluster.
    overall : error over all frames whose error is known, NaN where there is none.
    lowest : eV, the lowest energy of all, NaN where none is known or comparable.
    notes : what could not be described, and why.
    """

    rows: tuple[ClusterDescription, ...]
    overall: float
    lowest: float
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Picked:
    """One picked frame; what is unknown stays empty, and columns that are empty throughout are left out.

    Parameters
    ----------
    frame : row or name.
    cluster : −1 where the picker knew none.
    reason : in words.
    round : in which it was picked, −1 = not told.
    level : it is labelled at.
    error : estimated, in the report's unit.
    cost : of its label, in words with a unit.
    at_random : whether it was drawn at random, beside what the picker chose.
    """

    frame: str
    cluster: int
    reason: str
    round: int = -1
    level: str = ""
    error: float = np.nan
    cost: str = ""
    at_random: bool = False


def picked(picks: Picks, pool: Pool, *, in_round: int = -1, levels: Sequence[str] = ()) -> tuple[Picked, ...]:
    """Return picks as a report shows them, by their rows in the pool.

    Parameters
    ----------
    levels : names of the columns of `Pool.costs`; none = not shown.
    """
    return tuple(
        Picked(str(row), cluster, reason, in_round, levels[level] if levels else "", float(pool.errors[row]))
        for row, level, cluster, reason in zip(
            picks.indices.tolist(), picks.fidelity.tolist(), picks.cluster.tolist(), picks.reason, strict=True
        )
    )


@dataclass(frozen=True, eq=False)
class Report:
    """What a report shows; parts that are empty are left out of it.

    Parameters
    ----------
    title : its heading.
    facts : name and value of what a reader asks first (molecule, model, frames, cost, ...).
    errors : errors of each cluster now.
    before : errors of the same clusters earlier, drawn behind them.
    names : of `before` and `errors`, e.g. ("round 0", "round 8").
    curves : learning curves, the control arm among them; errors in `unit`.
    spend : what the curves' spend is, for the axis.
    quantity : what the curves' error is, for the axis: "force RMSE".
    clusters : see `describe_clusters`; errors in words and table are those of `errors` where given.
    picks : in order of picking.
    bounds : of the RMSE of each cluster, in `unit`, empty = none; see `fidsel.selector.calibrate`.
    coverage : share of randomly drawn frames that the bounds hold for.
    pooled : clusters whose bound was calibrated on other clusters too, having too few frames of their own.
    notes : what a reader must know.
    unit : of all errors given: "eV/Å", or "eV" for errors of energies per frame.
    date : shown as it is, "" = none.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    errors: ClusterErrors | None = None
    before: ClusterErrors | None = None
    names: tuple[str, str] = ("before", "after")
    curves: tuple[Curve, ...] = ()
    spend: str = "labels"
    quantity: str = "force RMSE"
    clusters: ClusterTable | None = None
    picks: tuple[Picked, ...] = ()
    bounds: Mapping[int, float] = field(default_factory=dict)
    coverage: float = np.nan
    pooled: Collection[int] = ()
    notes: tuple[str, ...] = ()
    unit: str = "eV/Å"
    date: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UsageError(f"the errors of a report are in {' or '.join(UNITS)}, got {self.unit!r}")
        if self.before is not None and (
            self.errors is None or set(self.before.cluster) != set(self.errors.cluster)
        ):
            raise UsageError("errors before and after must be of the same clusters; keep the clusters fixed")
