"""Where a model is wrong on labelled frames: clusters, and frames that stand out of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray, StrArray, shown
from fidsel.campaign.selection.held_out import SetErrors, set_errors
from fidsel.campaign.selection.settings import has_labels
from fidsel.data import Frames
from fidsel.data.lookup import Lookup
from fidsel.exceptions import UsageError
from fidsel.models.combinations.baseline import Baseline
from fidsel.models.combinations.ensemble import Ensemble
from fidsel.models.combinations.sum import Sum
from fidsel.models.contract import ForceField
from fidsel.models.sgdml.force_field import SGDML
from fidsel.report import ClusterTable, Report, describe_clusters
from fidsel.selector.cluster_error import ClusterErrors, cluster_errors
from fidsel.selector.clusters.broad import BroadClusters
from fidsel.training.evaluate import errors

TRAIN, POOL, HELD_OUT = "training", "pool", "held out"


@dataclass(frozen=True, eq=False)
class Outliers:
    """Errors of a model by cluster and by frame.

    ========= ========= ====== =================================================================
    field     shape     unit   meaning
    ========= ========= ====== =================================================================
    sides     (n,) text        "training" (left out), "pool" or "held out"
    clusters  (n,)             broad cluster of each frame
    errors    (n,)      eV/Å   force RMSE of each frame; NaN for training frames
    maes      (n,)      eV/Å   force MAE of each frame, the same way
    ratio     (n,)             error of a frame over the RMSE of its cluster, on all sides
    unit      text             "eV/Å", or "eV" where labels are energies alone
    ========= ========= ====== =================================================================
    """

    frames: Frames
    features: FloatArray
    sides: StrArray
    clusters: IntArray
    errors: FloatArray
    maes: FloatArray
    ratio: FloatArray
    unit: str
    __repr__ = shown

    @property
    def weights(self) -> FloatArray:
        """(n,) components of each frame's error: its atoms, or 1 for energies."""
        sizes = np.diff(self.frames.offsets) if self.unit == "eV/Å" else np.ones(len(self.frames))
        return np.asarray(sizes, dtype=np.float64)

    def rows(self, side: str) -> IntArray:
        """Return the frames of a side."""
        return np.flatnonzero(self.sides == side)

    def by_side(self) -> Mapping[str, tuple[SetErrors, ClusterErrors]]:
        """Return the errors of each side that has frames, held-out ones apart from those of the pool."""
        sides = {side: self.rows(side) for side in (POOL, HELD_OUT)}
        found = {}
        for side, rows in sides.items():
            if len(rows):
                errors, clusters, weights = self.errors[rows], self.clusters[rows], self.weights[rows]
                by_cluster = cluster_errors(clusters, errors, weights, self.maes[rows])
                found[side] = set_errors(errors, clusters, weights, by_cluster.overall_mae), by_cluster
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
                f"{1000 * errors.rmse:.4g} and {1000 * (errors.mae or 0.0):.4g} m{self.unit} "
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
    clusters: int = 10,
    energy_clusters: int = 5,
    seed: int = 0,
) -> Outliers:
    """Return where a model is wrong.

    Clusters are made of all frames, by geometry and the energy of their labels; training frames have no
    error, since what a model says of them is no prediction.

    Parameters
    ----------
    model : a force field of any kind.
    frames : n labelled frames.
    features : (n, d) descriptor of each.
    sides : (n,) "training", "pool" or "held out", see `sides_of`.
    clusters, energy_clusters : broad clusters by geometry, and energy clusters inside each.
    seed : draws what the clustering draws.

    Raises
    ------
    UsageError
        where every frame was trained on, or has no label.
    """
    forces = bool(frames.has_forces.any())
    labelled = has_labels(frames)
    seen = np.flatnonzero((sides != TRAIN) & labelled)
    if not len(seen):
        raise UsageError(
            f"errors need labelled frames that were not trained on; of {len(frames)} frames "
            f"{(sides == TRAIN).sum()} were, and {(~labelled).sum()} have no label"
        )
    values, maes = np.full((2, len(frames)), np.nan)
    found = errors(model, frames[seen])
    values[seen] = found.per_frame_force_rmse if forces else found.per_frame_energy
    maes[seen] = found.per_frame_force_mae if forces else found.per_frame_energy
    alike = len(set(frames.formulas)) == 1  # energies of several compositions do not compare
    made = BroadClusters.fit(
        features, frames.energy if alike else None, n_geometry=clusters, n_energy=energy_clusters, seed=seed
    ).labels
    by_cluster = cluster_errors(made, values)
    typical = np.array([by_cluster.of(c) for c in range(int(made.max()) + 1)])[made]
    ratio = np.full(len(frames), np.nan)
    np.divide(values, typical, out=ratio, where=typical > 0)
    return Outliers(frames, features, sides, made, values, maes, ratio, "eV/Å" if forces else "eV")


def sides_of(frames: Frames, train: Frames | None, held_out: Frames | None) -> StrArray:
    """Return (n,) "training", "held out" or "pool" for each frame, told by its coordinates.

    Raises
    ------
    UsageError
        where a frame is both trained on and held out.
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


def training_frames(model: ForceField) -> Frames | None:
    """Return the configurations that a model was trained on, None where it does not keep them all."""
    if isinstance(model, SGDML) and model.fitted is not None:
        positions = model.fitted.train.positions.cpu().numpy()
        return Frames.stack(model.fitted.numbers.cpu().numpy(), positions)
    parts = model.members if isinstance(model, Ensemble) else ()
    if isinstance(model, Sum | Baseline):
        parts = model.parts
    known = [training_frames(part) for part in parts]
    kept = [frames for frames in known if frames is not None]
    return sum(kept[1:], kept[0]) if kept and len(kept) == len(known) else None


def _among(frames: Frames, others: Frames | None) -> BoolArray:
    if others is None or not len(others):
        return np.zeros(len(frames), dtype=bool)
    return Lookup(others).find(frames) >= 0
