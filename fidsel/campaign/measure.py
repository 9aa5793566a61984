"""What a round reports: errors on held-out labels, cluster by cluster."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fidsel.campaign.record import Metrics
from fidsel.data import Frames
from fidsel.models import ForceField
from fidsel.selector import DESCRIPTORS, BroadClusters, ClusterErrors, cluster_errors, cluster_error_plot
from fidsel.training.evaluate import errors


def metrics(model: ForceField, frames: Frames) -> Metrics:
    """Return the errors of a model on labelled frames."""
    found = errors(model, frames)
    forces = frames.has_forces.any()
    return Metrics(
        len(frames),
        found.force_mae if forces else None,
        found.force_rmse if forces else None,
        found.energy_mae,
    )


def measure_clusters(
    model: ForceField, frames: Frames, clusters: BroadClusters, descriptor: str
) -> ClusterErrors | None:
    """Return the errors of a model cluster by cluster; None without forces to measure them on."""
    if len(frames) == 0 or not frames.has_forces.all():
        return None
    features = DESCRIPTORS[descriptor](frames)
    assigned = clusters.assign(features, model.predict(frames).energy)
    return cluster_errors(assigned, errors(model, frames).per_frame_force_rmse)


def plot_clusters(path: Path, now: ClusterErrors, before: Mapping[str, Any] | None) -> None:
    """Draw the cluster errors of a round over those of the round before."""
    earlier = ClusterErrors.from_dict(before) if before else None
    cluster_error_plot(path, now, before=earlier)


def worst_clusters(found: ClusterErrors, count: int = 3) -> list[tuple[int, float, int]]:
    """Return number, RMSE (eV/Å) and population of the worst clusters."""
    rows = list(zip(found.cluster, found.rmse, found.population, strict=True))
    known = [row for row in rows if np.isfinite(row[1])]
    return sorted(known, key=lambda row: -row[1])[:count]
