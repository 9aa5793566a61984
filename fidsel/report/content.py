"""The parts of a report: plain values, made by whoever selected."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms

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
    size, others : its frames, and all others.
    rmse, measured : error over those of its frames whose error is known, and how many they are.
    energies : None where none is known, or where they cannot be compared.
    marks : distances that differ most from the rest, the most telling first.
    representative : the frame nearest to the centroid; None where frames have no common features.
    worst : the frame with the largest known error, None where none is known.
    molecules : names of its molecules and how many of its frames each has, where there are several in all.
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
    molecules: tuple[tuple[str, int], ...] = ()

    @property
    def share(self) -> float:
        """Its frames as a share of all, 0 to 1."""
        return self.size / (self.size + self.others)


@dataclass(frozen=True, eq=False)
class ClusterTable:
    """All clusters of some frames, the largest error first, those of unknown error last.

    Parameters
    ----------
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


def picked(picks: Picks, pool: Pool, *, in_round: int = -1) -> tuple[Picked, ...]:
    """Return picks as a report shows them, by their rows in the pool."""
    names = pool.levels or [""] * pool.costs.shape[1]
    return tuple(
        Picked(str(row), cluster, reason, in_round, names[level], float(pool.errors[row]))
        for row, level, cluster, reason in zip(
            picks.indices.tolist(), picks.fidelity.tolist(), picks.cluster.tolist(), picks.reason, strict=True
        )
    )
