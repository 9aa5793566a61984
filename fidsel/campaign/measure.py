"""What a round reports: errors on held-out labels, cluster by cluster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fidsel.campaign.record import Metrics
from fidsel.data import Frames
from fidsel.data.frames import FloatArray, IntArray
from fidsel.models import ForceField, load
from fidsel.selector import DESCRIPTORS, BroadClusters, ClusterErrors, cluster_errors
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


@dataclass(frozen=True, eq=False)
class Regions:
    """The broad clusters of a campaign, made once after round 0 and kept.

    Parameters
    ----------
    clusters : fitted to all frames that may be trained on.
    model : the model of round 0, whose energies tell the energy clusters apart in every round.
    descriptor : name in `fidsel.selector.DESCRIPTORS`.
    """

    clusters: BroadClusters
    model: ForceField
    descriptor: str

    @classmethod
    def load(cls, folder: Path, descriptor: str) -> Self:
        """Return the clusters kept in the folder of round 0."""
        return cls(BroadClusters.load(folder / "clusters.npz"), load(folder / "model"), descriptor)

    def features(self, frames: Frames) -> FloatArray:
        """Return the descriptor of each frame, (n, d)."""
        return DESCRIPTORS[self.descriptor](frames)

    def of(self, frames: Frames) -> IntArray:
        """Return the cluster of each frame, (n,)."""
        return self.clusters.assign(self.features(frames), self.model.predict(frames).energy)

    def errors(self, model: ForceField, frames: Frames) -> ClusterErrors | None:
        """Return the errors of a model by cluster; None where no frame has forces to measure them on."""
        if not frames.has_forces.any():
            return None
        return cluster_errors(self.of(frames), errors(model, frames).per_frame_force_rmse)
