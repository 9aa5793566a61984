"""`Latent`: errors from how far a model's own features of a frame are from those of its training frames."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence, checked
from fidsel.selector.pool import Pool

CHUNK = 1 << 22
"""Distances held at once (32 MiB)."""
SHARES = np.linspace(0.99, 0.01, 99)
"""Values of t that are tried; neither 0 nor 1, so that frames stay ranked and no variance is zero."""


@dataclass(frozen=True)
class Latent(ErrorSource):
    """Distance to the training frames in a model's latent space, on the scale of known errors.

    ==== ==========================================================================================
    d_i  mean distance of frame i to its `neighbours` nearest training frames, d̄ the mean over all i
    v_i  s² (1 − t + t d_i/d̄), expected squared error of frame i
    s, t least Σ (ln v_i + e_i²/v_i) over the frames of known error e_i (maximum likelihood)
    ==== ==========================================================================================

    The estimate is sqrt(v_i), or the known error itself. Distances have no unit of error, so some errors
    must be known: those of the random frames that `wants` names.

    Parameters
    ----------
    neighbours : training frames the distance is averaged over; all where there are fewer.

    References
    ----------
    J. P. Janet, C. Duan, T. Yang, A. Nandy, H. J. Kulik, Chem. Sci. 10, 7913 (2019), doi:10.1039/C9SC02298H.
    """

    name: ClassVar[str] = "latent"
    needs_probes: ClassVar[bool] = True
    needs_network: ClassVar[bool] = True
    neighbours: int = 5

    def __post_init__(self) -> None:
        check_neighbours(self.neighbours)

    def estimate(self, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:
        """Return the expected error of each frame, or its known error, (n,).

        Raises
        ------
        UsageError
            where no error is known, or features are not one row per frame.
        """
        known = checked(pool, known)
        has = ~np.isnan(known)
        if not has.any():
            raise UsageError(
                "the error source 'latent' needs known errors, got none: label the rows of wants()"
            )
        if evidence.latent is None:
            raise UsageError("the error source 'latent' needs latent features of a network, got none")
        features, training = evidence.latent()
        if len(features) != len(pool):
            raise UsageError(
                f"latent features must have one row per frame ({len(pool)}), got {len(features)}"
            )
        distances = latent_distances(features, training, self.neighbours)
        relative = distances / distances.mean() if distances.any() else np.ones(len(distances))
        return np.where(has, known, _expected(relative, known[has], relative[has]))


def check_neighbours(neighbours: int) -> None:
    """Raise a `UsageError` for a number of training frames that no distance can be averaged over."""
    if neighbours < 1:
        raise UsageError(f"neighbours must be ≥ 1, got {neighbours}")


def latent_distances(features: FloatArray, training: FloatArray, neighbours: int) -> FloatArray:
    """Return the mean distance of each frame to its nearest training frames, (n,).

    Raises a `UsageError` where shapes do not fit, or a feature is no finite number.

    Parameters
    ----------
    features, training : (n, d) and (m ≥ 1, d) latent features.
    neighbours : training frames that are averaged over; all where there are fewer.
    """
    from scipy.spatial.distance import cdist

    shapes = np.shape(features), np.shape(training)
    if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1] or shapes[1][0] == 0:
        raise UsageError(
            f"latent features must be (n, d), and (m ≥ 1, d) of training frames, got {shapes[0]} and "
            f"{shapes[1]}"
        )
    if not (np.isfinite(features).all() and np.isfinite(training).all()):
        raise UsageError("latent features must be finite numbers")
    k, step = min(neighbours, len(training)), max(1, CHUNK // len(training))
    blocks = (features[start : start + step] for start in range(0, len(features), step))
    near = [np.partition(cdist(block, training), k - 1, axis=1)[:, :k].mean(axis=1) for block in blocks]
    return np.concatenate([np.empty(0), *near])


def own_distances(training: FloatArray, neighbours: int) -> FloatArray:
    """Return the mean distance of each training frame (m, d) to its nearest others, (m,); 0 of one alone."""
    count = min(neighbours + 1, len(training))
    # each is its own nearest neighbour, at no distance
    return latent_distances(training, training, count) * count / max(1, count - 1)


def _expected(relative: FloatArray, errors: FloatArray, at: FloatArray) -> FloatArray:
    """Return sqrt(v_i) of all frames; `at` (m,) are the relative distances of the known `errors` (m,)."""
    shape = 1 - SHARES[:, None] * (1 - at)
    square = (errors**2 / shape).mean(axis=1)  # s² at each t, in closed form
    if not square.any():
        return np.zeros(len(relative))
    t = int((np.log(shape).mean(axis=1) + np.log(square)).argmin())
    return np.asarray(np.sqrt(square[t] * (1 - SHARES[t] * (1 - relative))))
