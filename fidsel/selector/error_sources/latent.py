"""Errors from how far a model's own features of a frame are from those of its training frames."""

from dataclasses import dataclass

import numpy as np

from fidsel.arrays import FloatArray, IntArray, shown
from fidsel.exceptions import UsageError
from fidsel.selector.error_sources.sources import checked, random_rows
from fidsel.selector.pool import Pool

CHUNK = 1 << 22
"""Distances held at once (32 MiB)."""
SHARES = np.linspace(0.99, 0.01, 99)
"""Values of t that are tried; neither 0 nor 1, so that frames stay ranked and no variance is zero."""


@dataclass(frozen=True, eq=False)
class Latent:
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
    features : (n, d) latent features of the pool's frames, e.g. `mean_latent(model.latent(frames), frames)`.
    training : (m, d) those of the frames the model was trained on.
    neighbours : training frames the distance is averaged over; all where there are fewer.

    References
    ----------
    J. P. Janet, C. Duan, T. Yang, A. Nandy, H. J. Kulik, Chem. Sci. 10, 7913 (2019), doi:10.1039/C9SC02298H.
    """

    features: FloatArray
    training: FloatArray
    neighbours: int = 5
    __repr__ = shown

    def __post_init__(self) -> None:
        shapes = np.shape(self.features), np.shape(self.training)
        if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1] or shapes[1][0] == 0:
            raise UsageError(
                f"latent features must be (n, d), and (m ≥ 1, d) of training frames, got {shapes[0]} and "
                f"{shapes[1]}"
            )
        if not (np.isfinite(self.features).all() and np.isfinite(self.training).all()):
            raise UsageError("latent features must be finite numbers")
        if self.neighbours < 1:
            raise UsageError(f"neighbours must be ≥ 1, got {self.neighbours}")

    def wants(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:
        """Return at most `n` unlabelled rows drawn at random from all."""
        return random_rows(pool, n, rng)

    def estimate(self, pool: Pool, known: FloatArray) -> FloatArray:
        """Return the expected error of each frame, or its known error, (n,) eV/Å.

        Raises
        ------
        UsageError
            where no error is known, or there is not one entry per frame.
        """
        known = checked(pool, known)
        if len(self.features) != len(pool):
            raise UsageError(
                f"latent features must have one row per frame ({len(pool)}), got {len(self.features)}"
            )
        has = ~np.isnan(known)
        if not has.any():
            raise UsageError(
                "the error source 'latent' needs known errors, got none: label the rows of wants()"
            )
        distances = self.distances()
        relative = distances / distances.mean() if distances.any() else np.ones(len(distances))
        return np.where(has, known, _expected(relative, known[has], relative[has]))

    def distances(self) -> FloatArray:
        """Return the mean distance of each frame to its nearest training frames, (n,)."""
        from scipy.spatial.distance import cdist

        k = min(self.neighbours, len(self.training))
        step = max(1, CHUNK // len(self.training))
        blocks = (self.features[start : start + step] for start in range(0, len(self.features), step))
        near = [
            np.partition(cdist(block, self.training), k - 1, axis=1)[:, :k].mean(axis=1) for block in blocks
        ]
        return np.concatenate([np.empty(0), *near])


def _expected(relative: FloatArray, errors: FloatArray, at: FloatArray) -> FloatArray:
    """Return sqrt(v_i) of all frames; `at` (m,) are the relative distances of the known `errors` (m,)."""
    shape = 1 - SHARES[:, None] * (1 - at)
    square = (errors**2 / shape).mean(axis=1)  # s² at each t, in closed form
    if not square.any():
        return np.zeros(len(relative))
    t = int((np.log(shape).mean(axis=1) + np.log(square)).argmin())
    return np.asarray(np.sqrt(square[t] * (1 - SHARES[t] * (1 - relative))))
