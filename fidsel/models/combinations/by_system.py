"""`BySystem`: a model with a copy of its own for each of some systems."""

import copy
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.data.given import require_frames
from fidsel.fidelity.source import LabelSource
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.ranges import Ranges
from fidsel.models.registry import join, part


class BySystem(ForceField):
    """Predicts each frame by the model refined for its system, and by the common one for all others.

    A system is a composition with a charge and a spin, whatever the order of the atoms: so it never changes
    along a trajectory, and forces are −∇E everywhere.

    Parameters
    ----------
    common : the unrefined model.
    refined : by the key of the system, see `keys`.
    """

    kind = "by-system"

    def __init__(self, common: ForceField, refined: Mapping[str, ForceField]) -> None:
        super().__init__(common.level)
        self.common, self.refined = common, dict(refined)

    def facts(self) -> tuple[str, ...]:
        """Return the unrefined model and how many systems have one of their own."""
        return (repr(self.common), f"{len(self.refined)} systems refined")

    @property
    def seen(self) -> tuple[Ranges, ...]:
        """Of the unrefined model: refinement sees no accurate label."""
        return self.common.seen

    @property
    def training_frames(self) -> Frames | None:
        """Of the unrefined model."""
        return self.common.training_frames

    @property
    def has_latent(self) -> bool:
        """Whether the unrefined model has."""
        return self.common.has_latent

    @property
    def needs_source(self) -> bool:
        """Whether one of its models does."""
        return any(model.needs_source for model in (self.common, *self.refined.values()))

    def with_source(self, source: LabelSource) -> Self:
        """Return a copy whose models have the source; see `ForceField.with_source`."""
        other = copy.copy(self)
        other.common = self.common.with_source(source)
        other.refined = {key: model.with_source(source) for key, model in self.refined.items()}
        return other

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return the predictions of each system's model; see `ForceField.predict`."""
        require_frames(frames)
        energy, forces = np.empty(len(frames)), np.empty_like(frames.positions)
        for model, rows, atoms in self._shares(frames):
            found = model.predict(frames[rows], level)
            energy[rows], forces[atoms] = found.energy, found.forces
        return Prediction(energy, forces)

    def latent(self, frames: Frames) -> FloatArray:
        """Return the features of each system's model, (n_atoms, d)."""
        parts = [(model.latent(frames[rows]), atoms) for model, rows, atoms in self._shares(frames)]
        features = np.empty((len(frames.numbers), parts[0][0].shape[1] if parts else 0))
        for own, atoms in parts:
            features[atoms] = own
        return features

    def _shares(self, frames: Frames) -> Iterator[tuple[ForceField, IntArray, IntArray]]:
        """Yield each model with the frames that it predicts and their atoms; the common one has the rest."""
        names = np.array([key if key in self.refined else "" for key in keys(frames)], dtype=np.str_)
        for name in np.unique(names):
            rows = names == name
            atoms = np.flatnonzero(np.repeat(rows, frames.sizes))
            yield self.refined.get(name, self.common), np.flatnonzero(rows), atoms

    def to(self, device: str) -> Self:
        """Return a copy on a device; see `ForceField.to`."""
        other = copy.copy(self)
        other.common = self.common.to(device)
        other.refined = {key: model.to(device) for key, model in self.refined.items()}
        return other

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the states of all models."""
        names = {f"system-{i}": key for i, key in enumerate(self.refined)}
        models = {"common": self.common} | {name: self.refined[key] for name, key in names.items()}
        settings, tensors = join(models)
        return settings | {"systems": names}, tensors

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from."""
        refined = {str(key): part(name, settings, tensors) for name, key in settings["systems"].items()}
        return cls(part("common", settings, tensors), refined)


def keys(frames: Frames) -> list[str]:
    """Return what tells the system of each frame: numbers of atoms by element, charge and spin.

    >>> keys(Frames.stack([8, 1, 1], np.zeros((1, 3, 3)), charge=1, spin=1))
    ['1:2 8:1 charge 1 spin 1']
    """
    known: dict[bytes, str] = {}
    found = []
    for (a, b), charge, spin in zip(pairwise(frames.offsets), frames.charge, frames.spin, strict=True):
        atoms = frames.numbers[a:b].tobytes()
        if atoms not in known:
            elements, counts = np.unique(frames.numbers[a:b], return_counts=True)
            known[atoms] = " ".join(f"{z}:{n}" for z, n in zip(elements, counts, strict=True))
        found.append(f"{known[atoms]} charge {charge} spin {spin}")
    return found
