"""`Committee`: how far the members of a committee disagree."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence, checked, scaled
from fidsel.selector.pool import Pool


@dataclass(frozen=True)
class Committee(ErrorSource):
    """How far the members of a committee disagree.

    It costs no label; known errors scale it, see `scaled`. Without any it is the disagreement itself, which
    ranks frames but is usually too small: members share their data and so part of their error.

    References
    ----------
    C. Schran, K. Brezina, O. Marsalek, J. Chem. Phys. 153, 104105 (2020), doi:10.1063/5.0016004.
    """

    name: ClassVar[str] = "committee"
    needs_committee: ClassVar[bool] = True

    def estimate(self, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:
        """Return the scaled disagreement on each frame, or its known error, (n,).

        Raises
        ------
        UsageError
            where no disagreement is known, or there is not one entry per frame.
        """
        ask = evidence.disagreement
        found = None if ask is None else checked(pool, ask(), "disagreement")
        if found is None or np.isnan(found).all():
            raise UsageError("the error source 'committee' needs the disagreement of a committee, got none")
        return scaled(pool, found, checked(pool, known))
