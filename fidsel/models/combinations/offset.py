"""`Offset`: energies that depend on the composition alone, such as the constant between two levels."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from fidsel.data import Frames
from fidsel.data.given import require_frames
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.reference import EnergyReference
from fidsel.models.require import require_level


class Offset(ForceField):
    """E(x) = Σ_i ε(Z_i), F = 0: a part of a `Sum` that moves a model to the energies of another level.

    Parameters
    ----------
    reference : ε in eV by atomic number.
    level : level of theory of the energies.

    Examples
    --------
    >>> water = Frames.stack([8, 1, 1], np.zeros((1, 3, 3)))
    >>> Offset(EnergyReference({1: -0.5, 8: 2.0}, 1)).predict(water).energy.tolist()
    [1.0]
    """

    kind = "offset"

    def __init__(self, reference: EnergyReference, level: str = "") -> None:
        super().__init__(level)
        self.reference = reference

    def facts(self) -> tuple[str, ...]:
        """Return the elements it knows."""
        return (f"{len(self.reference.per_element)} elements",)

    @classmethod
    def matching(cls, frames: Frames) -> Self:
        """Return the offset nearest to the energies of frames of one level; zero where one is missing."""
        known = np.isfinite(frames.energy).all()
        reference = EnergyReference.fit(frames, frames.energy) if known else EnergyReference.zero(frames)
        return cls(reference, str(frames.level[0]))

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return reference energies and no forces; see `ForceField.predict`."""
        require_frames(frames)
        require_level(level, self.level)
        return Prediction(self.reference.energy(frames), np.zeros_like(frames.positions))

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the energies of the elements."""
        return {"reference": self.reference.state()}, {}

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the offset that `state` came from."""
        del tensors
        return cls(EnergyReference.from_state(settings["reference"]), str(settings["level"]))
