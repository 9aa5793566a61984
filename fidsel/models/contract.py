"""The contract of a force field: frames in, energies and forces out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from ase.calculators.calculator import Calculator

from fidsel.arrays import FloatArray, shown
from fidsel.data import Frames
from fidsel.models.calculator import ForceFieldCalculator
from fidsel.models.device import resolve
from fidsel.models.files import write_state
from fidsel.models.ranges import Ranges, furthest
from fidsel.models.watch import Watch

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Energies and forces of some frames.

    ========== ============= ====== ==============
    field      shape         unit   meaning
    ========== ============= ====== ==============
    energy     (n_frames,)   eV     total energy
    forces     (n_atoms, 3)  eV/Å   F = −∇E
    ========== ============= ====== ==============
    """

    energy: FloatArray
    forces: FloatArray
    __repr__ = shown


class ForceField(ABC):
    """A model of the energy surface at one or several levels of theory.

    Subclasses give `predict`, and `state` with its inverse `from_state`, from which files, copies
    and the ASE calculator follow. A force field is immutable once built: training returns another.

    Parameters
    ----------
    level : level of theory it predicts by default.
    """

    kind: str
    """Name in `fidsel.models.MODELS` and in files."""

    def __init__(self, level: str = "") -> None:
        self.level = level

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join((*self.facts(), f'level {self.level!r}'))})"

    def facts(self) -> tuple[str, ...]:
        """Return what tells the model from others of its kind, in a few words each, for `repr`."""
        return ()

    @abstractmethod
    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return energies (n_frames,) eV and forces (n_atoms, 3) eV/Å, F = −∇E.

        Raises
        ------
        UsageError
            for frames it cannot treat (periodic, unknown element, other molecule, atoms on top of each
            other) or another level.
        """

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Return what defines the model: JSON-able settings and tensors."""

    @classmethod
    @abstractmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from."""

    def to(self, device: str) -> Self:
        """Return the model computing on a device, all else the same; itself where nothing has to move.

        Models with tensors override this and return a copy; models made of others move their parts. What
        is saved does not depend on the device.

        Parameters
        ----------
        device : see `fidsel.models.device.resolve`.

        Raises
        ------
        UsageError
            for a device that is not there.
        """
        resolve(device)
        return self

    def save(self, folder: Path | str) -> Path:
        """Write `model.json` and `model.safetensors` into a folder and return it."""
        settings, tensors = self.state()
        return write_state(Path(folder), {"kind": self.kind, "level": self.level} | settings, tensors)

    @property
    def seen(self) -> tuple[Ranges, ...]:
        """Ranges of the distances in the frames it has learnt from, of each of its parts; none = unknown."""
        return ()

    def extrapolation(self, frames: Frames) -> FloatArray:
        """Return how far each frame is outside of the frames it has learnt from, (n_frames,) Å.

        The largest amount by which a distance between two atoms is shorter or longer than it ever was
        there: 0 inside, infinite for elements that were never together, NaN where the model does not know.
        A kernel and a network both answer far outside, and say nothing of it.
        """
        if not self.seen:
            return np.full(len(frames), np.nan)
        return np.array([found.by for found in furthest(self.seen, frames)])

    def calculator(self) -> Calculator:
        """Return an ASE calculator (energy in eV, forces in eV/Å)."""
        return ForceFieldCalculator(self)


@runtime_checkable
class Fittable(Protocol):
    """A force field with a closed-form fit, such as a kernel model."""

    def fit(
        self, train: Frames, validation: Frames, weights: FloatArray | None = None
    ) -> "tuple[ForceField, Mapping[str, Any]]":
        """Return the fitted model and a record of the fit (plain values).

        Parameters
        ----------
        train, validation : labelled frames of one level.
        weights : (n_train,) importance of each frame, mean 1; None = equal.
        """
        ...


@runtime_checkable
class Watchable(Protocol):
    """A model whose fit takes long enough to be watched."""

    def watched(self, watch: Watch) -> Self:
        """Return a copy whose `fit` tells a watch how far it is and keeps its checkpoints there."""
        ...
