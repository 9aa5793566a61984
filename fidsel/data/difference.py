"""What labels of some frames are above others of the same frames."""

from typing import Protocol

from fidsel.arrays import FloatArray
from fidsel.data.frames import Frames


class Labels(Protocol):
    """Energies and forces: a prediction, or frames with labels."""

    @property
    def energy(self) -> FloatArray:
        """(n_frames,) eV."""
        ...

    @property
    def forces(self) -> FloatArray:
        """(n_atoms, 3) eV/Å."""
        ...


def above(frames: Frames, other: Labels) -> Frames:
    """Return frames whose labels are their own minus others of the same frames; one that is missing stays so.

    >>> import numpy as np
    >>> two = Frames.stack([1], np.zeros((2, 1, 3)), energy=[3.0, np.nan])
    >>> above(two, two.replace(energy=[1.0, 1.0])).energy.tolist()
    [2.0, nan]
    """
    return frames.replace(energy=frames.energy - other.energy, forces=frames.forces - other.forces)
