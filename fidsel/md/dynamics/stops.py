"""When a replica ends: out of the physical range, too hot, its energy lost, or its model unsure of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Self

import numpy as np
from ase.units import kB

from fidsel.arguments import PositiveInt, check_arguments
from fidsel.arrays import FloatArray, IntArray, shown
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.md.physical import NOT_FINITE, PhysicalRange

if TYPE_CHECKING:
    from fidsel.md.langevin import Replicas
    from fidsel.models.contract import ForceField

HOT, LOST_ENERGY, UNCERTAIN = "temperature", "energy drift", "uncertain"
MARGIN = 3.0
"""By how many times the disagreement may exceed the largest of the starting frames, by default."""


@dataclass(frozen=True, eq=False)
class Exit:
    """A replica that has ended.

    Parameters
    ----------
    replica : which of the run.
    cause : "overlap", "torn bond", "new bond", "fragments apart", "not finite", "temperature", "energy drift"
        or "uncertain".
    detail : the value that passed a limit, in words; "" where the cause says it all.
    positions : (N, 3) Å, where it ended.
    """

    replica: int
    cause: str
    detail: str
    positions: FloatArray
    __repr__ = shown


@dataclass(frozen=True, eq=False)
class ClusterBounds:
    """What the errors of a model are bound by, cluster by cluster, as held-out labels told.

    Parameters
    ----------
    values : (k,) eV/Å, that a fraction of the frames of each cluster stay below, see
        `fidsel.selector.calibrate`.
    clusters : returns the cluster (n,) of each of some frames.
    """

    values: FloatArray
    clusters: Callable[[Frames], IntArray]
    __repr__ = shown

    def of(self, frames: Frames) -> FloatArray:
        """Return (n,) eV/Å, the bound of the cluster that each frame belongs to."""
        return np.asarray(self.values[self.clusters(frames)])


@dataclass(frozen=True)
class Doubt:
    """Where a model is unsure of itself.

    Parameters
    ----------
    disagreement : eV/Å, largest RMS over a frame of how far the forces of a committee are apart.
    outside : Å, how far a distance may be outside of the range that it had in training.
    far : whether a distance that is far outside, as the calculator warns of, ends a replica.
    every : steps between two looks.
    bound : eV/Å, largest bound of the errors in the cluster that a frame belongs to.
    bounds : those of the model's clusters.
    """

    disagreement: float = inf
    outside: float = inf
    far: bool = False
    every: PositiveInt = 10
    bound: float = inf
    bounds: ClusterBounds | None = None

    def __post_init__(self) -> None:
        check_arguments(self, " of uncertainty")
        if not (self.disagreement > 0 and self.outside >= 0 and self.bound > 0):
            raise UsageError(
                "limits of uncertainty need disagreement > 0 eV/Å, outside ≥ 0 Å and bound > 0 eV/Å, got "
                f"{self.disagreement}, {self.outside} and {self.bound}"
            )

    def completed(self, model: "ForceField", starts: Frames) -> Self:
        """Return the same limits with the usual ones for a model where none are given.

        A distance far outside of training ends a replica where the model knows its training frames, and a
        committee that is `MARGIN` times as far apart as on any of the starting frames.
        """
        largest, limit = 0.0, self.disagreement
        if limit == inf and model.disagrees:
            largest = float(model.disagreement(starts).frame_forces.max())
            limit = MARGIN * largest if largest > 0 else inf
        return replace(self, disagreement=limit, far=self.far or (self.outside == inf and bool(model.seen)))

    def require(self, model: "ForceField") -> None:
        """Raise a `UsageError` where the model has nothing that a limit could be compared with."""
        if self.disagreement < inf and not model.disagrees:
            raise UsageError(
                f"a limit of disagreement needs a committee, got a {model.kind} model: train an ensemble, or "
                "limit the distance outside of training"
            )
        if (self.far or self.outside < inf) and not model.seen:
            raise UsageError(
                f"this {model.kind} model does not know the distances of its training frames, so none can be "
                "outside: limit the disagreement of a committee"
            )

        if self.bound < inf and self.bounds is None:
            raise UsageError(
                f"a limit of the bound of errors needs a model of a campaign, got a {model.kind} model "
                "alone: give the folder of the campaign or of one of its rounds"
            )

    def of(self, model: "ForceField", frames: Frames) -> Iterator[tuple[int, str]]:
        """Yield the frames that pass a limit, and which one, in words."""
        from fidsel.models.ranges import furthest

        said: dict[int, str] = {}
        if self.far or self.outside < inf:
            for i, found in enumerate(furthest(model.seen, frames)):
                if found.by > self.outside or (self.far and found.far):
                    a, b = found.atoms
                    said[i] = (
                        f"atoms {a}, {b} at {found.distance:.2f} Å, {found.by:.2f} Å outside of training"
                    )
        if self.disagreement < inf:
            apart = model.disagreement(frames).frame_forces
            for i in np.flatnonzero(apart > self.disagreement).tolist():
                said.setdefault(i, f"forces of the committee {apart[i]:.3f} eV/Å apart")
        if self.bound < inf and self.bounds is not None:
            bounds = self.bounds.of(frames)
            for i in np.flatnonzero(bounds > self.bound).tolist():
                said.setdefault(i, f"in a cluster of errors up to {bounds[i]:.3f} eV/Å")
        yield from sorted(said.items())


NO_DOUBT = Doubt()


@dataclass(frozen=True)
class Stops:
    """What ends a replica.

    Parameters
    ----------
    limits : of positions.
    hot : a molecule hotter than this multiple of the temperature asked for has blown up. An instantaneous
        temperature of few atoms varies by √(2/3N) of itself.
    loss : eV per atom that the integrator may add to the energy or take from it, in error.
    doubt : of the model.
    """

    limits: PhysicalRange = field(default_factory=PhysicalRange)
    hot: float = 10.0
    loss: float = 0.1
    doubt: Doubt = NO_DOUBT

    def __post_init__(self) -> None:
        check_arguments(self)
        if not (self.hot > 1 and self.loss > 0):
            raise UsageError(f"a stop needs hot > 1 and loss > 0 eV/atom, got {self.hot} and {self.loss}")

    def sure(self) -> Self:
        """Return the same without those of the model's own doubt."""
        return replace(self, doubt=NO_DOUBT)

    def blown_up(self, state: "Replicas", masses: FloatArray, kT: FloatArray) -> dict[int, tuple[str, str]]:
        """Return which rows of a state are too hot or have lost energy, each with cause and detail.

        Parameters
        ----------
        masses : (N,) u.
        kT : (k,) eV, asked for.
        """
        ratio = 2 * state.kinetic(masses) / (3 * len(masses) * kT)
        change = state.loss(masses) / len(masses)
        lost = np.flatnonzero(np.abs(change) >= self.loss).tolist()
        found = {i: (LOST_ENERGY, f"{change[i]:+.3g} eV/atom") for i in lost}
        hot = np.flatnonzero(ratio > self.hot).tolist()
        found |= {i: (HOT, f"{ratio[i] * kT[i] / kB:.0f} K") for i in hot}
        return found | dict.fromkeys(np.flatnonzero(~np.isfinite(change)).tolist(), (NOT_FINITE, ""))


def exits(state: "Replicas", found: dict[int, tuple[str, str]]) -> tuple[Exit, ...]:
    """Return the replicas of some rows of a state as ended, each for a cause and with a detail."""
    rows: IntArray = state.rows
    return tuple(
        Exit(int(rows[i]), cause, detail, state.positions[i]) for i, (cause, detail) in sorted(found.items())
    )
