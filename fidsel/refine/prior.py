"""Priors: what computes cheap labels of any molecule, and what it says of a system's frames."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from fidsel.arrays import IntArray, shown
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.molecule import Molecule, from_atoms
from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.models.combinations.labels import BaselineError, SourceLabels

Prior = Callable[[Frames], LabelSource]
"""What makes the label source for the frames of one system: a force field needs its bonds."""

TRIES: Final = 10
"""Frames whose bonds are looked at."""
ENOUGH: Final = 0.5
"""Part of the frames of a system that a prior must label."""


class PriorError(FidselError):
    """A prior says too little of a system to refine a model by."""


@dataclass(frozen=True, eq=False)
class PriorLabels:
    """What a prior says of the frames of a system.

    Parameters
    ----------
    rows : (k,) of the frames it could label.
    frames : these, with its labels.
    failed : how many it could not.
    why : of the first of these.
    """

    rows: IntArray
    frames: Frames
    failed: int = 0
    why: str = ""
    __repr__ = shown


def prior_labels(prior: Prior, frames: Frames, level: str) -> PriorLabels:
    """Return the labels of a prior for the frames of one system.

    Parameters
    ----------
    prior : makes the source.
    frames : of one system.
    level : name of the prior's level of theory in the labels.

    Raises
    ------
    PriorError
        where the prior cannot treat the system, or fails for half of its frames or more.
    """
    kept, failed = np.arange(len(frames)), {}
    try:
        labels = SourceLabels(prior(frames))
        found = labels.of(frames)
    except BaselineError as error:
        failed = error.failed
        kept = np.setdiff1d(np.arange(len(frames)), list(failed))
        if len(kept) <= ENOUGH * len(frames):
            first = failed[min(failed)]
            raise PriorError(
                f"the prior failed for {len(failed)} of {len(frames)} frames: {first}"
            ) from error
        found = labels.of(frames[kept])
    except UsageError as error:
        raise PriorError(f"the prior cannot treat it: {error}") from error
    why = str(failed[min(failed)]) if failed else ""
    labelled = frames[kept].replace(energy=found.energy, forces=found.forces, level=level)
    return PriorLabels(kept, labelled, len(failed), why)


def molecule_of(frames: Frames) -> Molecule:
    """Return the molecule of a system: the one that most of some frames show, as one may be torn.

    Raises
    ------
    UsageError
        where the bonds of none of them can be told.
    """
    rows = np.unique(np.linspace(0, len(frames) - 1, min(TRIES, len(frames))).astype(int)).tolist()
    shown_by: Counter[Molecule] = Counter()
    for row in rows:
        try:
            shown_by[from_atoms(frames[row], int(frames.charge[row]))] += 1
        except UsageError:
            if row == rows[-1] and not shown_by:
                raise
    return shown_by.most_common(1)[0][0]


def mmff94(frames: Frames) -> LabelSource:
    """Return MMFF94 with the bonds of a molecule, see `molecule_of`; it must have a type for each atom."""
    return MMFFSource(molecule_of(frames))


def gfn2(frames: Frames) -> LabelSource:
    """Return GFN2-xTB, which has all elements up to radon."""
    from fidsel.fidelity.sources.tblite import TBLiteSource

    del frames
    return TBLiteSource()


PRIORS: Final[Mapping[str, Prior]] = {"gfn2": gfn2, "mmff94": mmff94}
"""Priors that need no settings, by name."""


def always(source: LabelSource) -> Prior:
    """Return the prior that has one source for all systems."""
    return lambda frames: source  # noqa: ARG005 - whatever the frames
