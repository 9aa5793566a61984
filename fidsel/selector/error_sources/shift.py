"""`Shift`: how far frames are from those of training, with no label at all."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector.error_sources.latent import check_neighbours, latent_distances, own_distances
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence, checked, scaled
from fidsel.selector.pool import Pool


@dataclass(frozen=True)
class Shift(ErrorSource):
    """Distance to the training frames in a model's latent space, over that of these from each other.

    d_i / d̄, with the mean distances d_i of frame i to its `neighbours` nearest training frames, and d̄ of a
    training frame to its nearest others. Where `Latent` fits a law to errors of random frames, this asks for
    no label; errors that are known set its scale, see `scaled`, without any it is a number without unit.

    Parameters
    ----------
    neighbours : training frames the distance is averaged over; all where there are fewer.
    """

    name: ClassVar[str] = "shift"
    needs_network: ClassVar[bool] = True
    neighbours: int = 5

    def __post_init__(self) -> None:
        check_neighbours(self.neighbours)

    def estimate(self, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:
        """Return the scaled distance of each frame, or its known error, (n,).

        Raises
        ------
        UsageError
            where there are no features, or not one row per frame.
        """
        known = checked(pool, known)
        if evidence.latent is None:
            raise UsageError("the error source 'shift' needs latent features of a network, got none")
        features, training = evidence.latent()
        distances = checked(pool, latent_distances(features, training, self.neighbours), "latent features")
        return scaled(pool, distances / own_distance(training, self.neighbours), known)


def own_distance(training: FloatArray, neighbours: int) -> float:
    """Return the mean distance of training frames (m, d) to their nearest others; 1 where it is zero."""
    apart = own_distances(training, neighbours).mean()
    return float(apart) if np.isfinite(apart) and apart > 0 else 1.0
