"""Where a model is wrong on labelled frames: clusters, and frames that stand out of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray, StrArray, shown
from fidsel.campaign.rounds.measure import error_unit
from fidsel.campaign.selection.settings import has_labels
from fidsel.data import Frames, leaks
from fidsel.exceptions import UsageError
from fidsel.models.contract import ForceField
from fidsel.report import ClusterTable, Report, describe_clusters
from fidsel.selector.cluster_error import ClusterErrors, cluster_errors
from fidsel.selector.clusters.broad import ENERGY, GEOMETRY, BroadClusters
from fidsel.training.evaluate import Errors, Metrics, errors
from fidsel.training.evaluation import dominates, energy_constants

TRAIN, POOL, HELD_OUT = "training", "pool", "held out"


@dataclass(frozen=True, eq=False)
class Outliers:
    """Errors of a model by cluster and by frame.

    ========= ========= ====== =================================================================
    field     shape     unit   meaning
    ========= ========= ====== =================================================================
    sides     (n,) text        "training" (left out), "pool" or "held out"
    clusters  (n,)             broad cluster of each frame
    seen      (m,)             labelled frames that were not trained on
    found     (m,)             their errors
    unit      text             "eV/Å", or "eV" where labels are energies alone
    constant            eV     taken out of errors of energies, None where there is none
    ========= ========= ====== =================================================================
    """

    frames: Frames
    features: FloatArray
    sides: StrArray
    clusters: IntArray
    seen: IntArray
    found: Errors
    unit: str
    constant: float | None = None
    __repr__ = shown

    @cached_property
    def errors(self) -> FloatArray:
        """(n,) force RMSE of each frame, or |ΔE|; NaN where not `seen`."""
        return self._placed(self.found.per_frame)

    @cached_property
    def maes(self) -> FloatArray:
        """(n,) force MAE of each frame, or |ΔE|, the same way."""
        forces = self.unit == "eV/Å"
        return self._placed(self.found.per_frame_force_mae if forces else self.found.per_frame_energy)

    @cached_property
    def ratio(self) -> FloatArray:
        """(n,) error of a frame over the RMSE of its cluster, on all sides."""
        by_cluster, count = cluster_errors(self.clusters, self.errors), int(self.clusters.max()) + 1
        typical = np.array([by_cluster.rmse_of(c) for c in range(count)])[self.clusters]
        ratio = np.full(len(self.frames), np.nan)
        np.divide(self.errors, typical, out=ratio, where=typical > 0)
        return ratio

    def _placed(self, values: FloatArray) -> FloatArray:
        out = np.full(len(self.frames), np.nan)
        out[self.seen] = values
        return out

    @property
    def weights(self) -> FloatArray:
        """(n,) components of each frame's error: its atoms, or 1 for energies."""
        sizes = self.frames.sizes if self.unit == "eV/Å" else np.ones(len(self.frames))
        return np.asarray(sizes, dtype=np.float64)

    def rows(self, side: str) -> IntArray:
        """Return the frames of a side."""
        return np.flatnonzero(self.sides == side)

    def by_side(self) -> Mapping[str, tuple[Metrics, ClusterErrors]]:
        """Return the errors of each side that has frames, held-out ones apart from those of the pool."""
        found = {}
        for side in (POOL, HELD_OUT):
            rows = self.rows(side)
            if len(rows):
                clusters, maes = self.clusters[rows], self.maes[rows]
                by_cluster = cluster_errors(clusters, self.errors[rows], self.weights[rows], maes)
                known = np.flatnonzero(np.isin(self.seen, rows))
                found[side] = self.found[known].metrics(self.clusters[self.seen[known]]), by_cluster
        return found

    @cached_property
    def described(self) -> ClusterTable:
        """What marks each cluster of the frames that were not trained on."""
        seen = np.flatnonzero(self.sides != TRAIN)
        return describe_clusters(
            self.frames[seen],
            self.clusters[seen],
            self.errors[seen],
            features=self.features[seen],
            weights=self.weights[seen],
            rows=seen,
        )

    def worst(self, count: int) -> IntArray:
        """Return the frames with the largest errors, worst first."""
        known = np.flatnonzero(~np.isnan(self.errors))
        return known[np.argsort(-self.errors[known], kind="stable")][:count]

    def report(self, title: str, notes: tuple[str, ...] = ()) -> Report:
        """Return the report: errors by cluster, of held-out frames where there are some."""
        found = self.by_side()
        shown = HELD_OUT if HELD_OUT in found else POOL
        facts = [
            (
                f"RMSE and MAE, {side}",
                f"{1000 * errors.error('rmse'):.4g} and {1000 * errors.error():.4g} m{self.unit} "
                f"({errors.frames} frames)",
            )
            for side, (errors, _) in found.items()
        ]
        trained = len(self.rows(TRAIN))
        return Report(
            title,
            facts=(*facts, ("training frames left out", str(trained))),
            errors=found[shown][1],
            clusters=self.described,
            notes=notes,
            unit=self.unit,
        )


def find_outliers(
    model: ForceField,
    frames: Frames,
    features: FloatArray,
    sides: StrArray,
    *,
    clusters: int = GEOMETRY,
    energy_clusters: int = ENERGY,
    seed: int = 0,
) -> Outliers:
    """Return where a model is wrong.

    Clusters are made of all frames, by geometry and the energy of their labels; training frames have no
    error, since what a model says of them is no prediction. Raises a `UsageError` where every frame was
    trained on, or has no label.

    Parameters
    ----------
    features : (n, d) descriptor of each.
    sides : (n,) "training", "pool" or "held out", see `sides_of`.
    clusters, energy_clusters : broad clusters by geometry, and energy clusters inside each.
    """
    forces = bool(frames.has_forces.any())
    labelled = has_labels(frames)
    seen = np.flatnonzero((sides != TRAIN) & labelled)
    if not len(seen):
        raise UsageError(
            f"errors need labelled frames that were not trained on; of {len(frames)} frames "
            f"{(sides == TRAIN).sum()} were, and {(~labelled).sum()} have no label"
        )
    alike = len(set(frames.formulas)) == 1  # energies of several compositions do not compare
    made = BroadClusters.fit(
        features, frames.energy if alike else None, n_geometry=clusters, n_energy=energy_clusters, seed=seed
    ).labels
    found, constant = errors(model, frames[seen]), None
    if not forces:
        found, constant = _aligned(found, frames[seen])
    return Outliers(frames, features, sides, made, seen, found, error_unit(forces), constant)


def _aligned(found: Errors, frames: Frames) -> tuple[Errors, float | None]:
    """Return errors of energies without a constant that makes up most of them, and its median, eV.

    Else all frames err by the constant, and which are worst is chance.
    """
    constants = energy_constants(frames, frames.energy + found.energies)
    aligned = replace(found, energies=found.energies - constants)
    if dominates(found.energy_mae, aligned.energy_mae, len(found)):
        return aligned, float(np.nanmedian(constants))
    return found, None


def sides_of(frames: Frames, train: Frames | None, held_out: Frames | None) -> StrArray:
    """Return (n,) "training", "held out" or "pool" for each frame, told by its distances (see `leaks`).

    Raises a `UsageError` where a frame is both trained on and held out.
    """
    sides = np.full(len(frames), POOL, dtype="<U8")
    held = _among(frames, held_out)
    trained = _among(frames, train)
    if (both := held & trained).any():
        raise UsageError(
            f"{both.sum()} of the frames held out are training frames too, and held out means not trained on"
        )
    sides[held], sides[trained] = HELD_OUT, TRAIN
    return sides


def _among(frames: Frames, others: Frames | None) -> BoolArray:
    if others is None or not len(others):
        return np.zeros(len(frames), dtype=bool)
    found = np.zeros(len(frames), dtype=bool)
    found[leaks(frames, others)] = True
    return found
