"""One batch of a model, or one label after the other."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from mmff_force_field import MMFFForceField

from fidsel.data import Frames
from fidsel.fidelity import Label, LabelError, MMFFSource
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.source import Value
from fidsel.md.surface import surface_of

WATER = from_smiles("O")
STARTS = Frames.stack(WATER.numbers, [[[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]] * 3)


def test_a_surface_is_the_model_of_the_same_atoms_charge_and_spin() -> None:
    moved = STARTS.dense().positions + np.random.default_rng(0).normal(0, 0.05, (3, 3, 3))
    model = MMFFForceField(WATER)
    energy, forces = surface_of(model, STARTS)(moved)
    expected = model.predict(STARTS.replace(positions=moved.reshape(-1, 3)))
    np.testing.assert_array_equal(energy, expected.energy)
    np.testing.assert_array_equal(forces.reshape(-1, 3), expected.forces)
    labelled = surface_of(MMFFSource(WATER), STARTS)(moved)
    np.testing.assert_allclose(labelled[0], energy)
    np.testing.assert_allclose(labelled[1], forces)


@dataclass(frozen=True)
class Fragile:
    """Fails where the first atom is above the plane."""

    forces: bool = True

    def settings(self) -> dict[str, Value]:
        return {"kind": "fragile"}

    def label(self, atoms: Atoms) -> Label:
        if atoms.positions[0, 2] > 1.0:
            raise LabelError("no convergence", cause="unconverged")
        return Label(float(atoms.positions[0, 2]), np.zeros((3, 3)))


def test_a_frame_without_a_label_is_not_a_number_and_the_others_are() -> None:
    moved = STARTS.dense().positions.copy()
    moved[1, 0, 2] = 2.0
    energy, forces = surface_of(Fragile(), STARTS)(moved)
    np.testing.assert_array_equal(energy, [0.12, np.nan, 0.12])
    assert np.isfinite(forces).all(axis=(1, 2)).tolist() == [True, False, True]
