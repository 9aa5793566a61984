"""MMFF94 as a force field, so that tests of model dynamics have a real and instant model."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch

from fidsel.data import Frames
from fidsel.fidelity.molecules.molecule import Molecule, from_smiles
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.models.contract import ForceField, Prediction


class MMFFForceField(ForceField):
    """MMFF94 labels as predictions; past `reach` Å from the origin an atom is pushed outwards.

    Parameters
    ----------
    molecule : what it predicts.
    reach : Å, a model's typical failure when finite: it lets go of atoms it has not seen there.
    """

    kind = "mmff-test"

    def __init__(self, molecule: Molecule, reach: float = np.inf) -> None:
        super().__init__("mmff")
        self.source, self.reach = MMFFSource(molecule), reach

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        assert level in (None, self.level)
        labels = [self.source.label(atoms) for atoms in frames]
        forces = np.concatenate([label.forces for label in labels if label.forces is not None])
        distance = np.linalg.norm(frames.positions, axis=1, keepdims=True)
        lost = distance > self.reach
        forces = np.where(lost, 50 * frames.positions / np.maximum(distance, 1e-9), forces)
        return Prediction(np.array([label.energy for label in labels]), forces)

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        return {"smiles": self.source.molecule.smiles, "reach": self.reach}, {}

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Self:
        assert not tensors
        return cls(from_smiles(settings["smiles"]), settings["reach"])
