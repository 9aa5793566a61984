"""Which frames are of one system: what is diagnosed and refined together."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from fidsel.arrays import IntArray, shown
from fidsel.data import Frames
from fidsel.models.combinations.by_system import keys


@dataclass(frozen=True, eq=False)
class System:
    """Frames of one composition, charge and spin.

    Parameters
    ----------
    name : its formula, with charge and spin where others have the same formula.
    rows : (k,) of its frames.
    """

    name: str
    rows: IntArray
    __repr__ = shown


def systems(frames: Frames) -> tuple[System, ...]:
    """Return the systems of some frames, in the order in which they begin.

    Isomers are one system, as are conformers.

    >>> two = Frames.stack([1, 1], np.zeros((2, 2, 3))) + Frames.stack([8], np.zeros((1, 1, 3)))
    >>> [(system.name, system.rows.tolist()) for system in systems(two)]
    [('H2', [0, 1]), ('O', [2])]
    """
    found: dict[str, list[int]] = {}
    for row, key in enumerate(keys(frames)):
        found.setdefault(key, []).append(row)
    formulas = [frames.formulas[rows[0]] for rows in found.values()]
    shared = Counter(formulas)
    return tuple(
        System(
            formula
            if shared[formula] == 1
            else f"{formula} (charge {frames.charge[rows[0]]}, spin {frames.spin[rows[0]]})",
            np.array(rows, dtype=np.int64),
        )
        for formula, rows in zip(formulas, found.values(), strict=True)
    )
