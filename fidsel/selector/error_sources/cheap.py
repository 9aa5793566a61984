"""`Cheap`: the error of a model of a cheap level, on cheap labels it has not seen."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence, checked, scaled
from fidsel.selector.pool import Pool


@dataclass(frozen=True)
class Cheap(ErrorSource):
    """The error a pre-trained or surrogate model makes on cheap labels it has not seen.

    It costs no accurate label; known errors scale it, see `scaled`.
    """

    name: ClassVar[str] = "cheap"
    needs_cheap: ClassVar[bool] = True

    def estimate(self, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:
        """Return the scaled cheap error of each frame, or its known error, (n,).

        Raises
        ------
        UsageError
            where no cheap error is known, or there is not one entry per frame.
        """
        ask = evidence.cheap_errors
        cheap = None if ask is None else checked(pool, ask(), "cheap_errors")
        if cheap is None or np.isnan(cheap).all():
            raise UsageError(
                "the error source 'cheap' needs cheap labels the model has not seen, got none: "
                "leave some out of pre-training, or use 'probe'"
            )
        return scaled(pool, cheap, checked(pool, known))
