"""`Reference`: the error itself, where every frame of the pool has an accurate label."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence, checked
from fidsel.selector.pool import Pool


@dataclass(frozen=True)
class Reference(ErrorSource):
    """The error itself, where every frame of the pool has an accurate label."""

    name: ClassVar[str] = "reference"
    knows_truth: ClassVar[bool] = True

    def estimate(self, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:  # noqa: ARG002
        """Return the known errors, (n,); NaN on labelled rows whose error is unknown (trained on).

        Raises
        ------
        UsageError
            where the error of an unlabelled row is unknown.
        """
        known = checked(pool, known)
        missing = np.isnan(known) & ~pool.labelled
        if missing.any():
            raise UsageError(
                f"the error source 'reference' needs a known error for every unlabelled frame; "
                f"{missing.sum()} of {(~pool.labelled).sum()} have none: use 'cheap' or 'probe'"
            )
        return known.copy()
