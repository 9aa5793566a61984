"""Conformers are minima, different from each other, and the same for the same seed."""

import numpy as np
import pytest
from ase import Atoms

from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.md.sampling.conformer_search import conformers


def test_conformers_are_minima_in_order_of_energy() -> None:
    molecule = from_smiles("OCCO")
    found = conformers(molecule, 6, seed=1)
    labels = [MMFFSource(molecule).label(Atoms(molecule.numbers, xyz)) for xyz in found]
    energies = [label.energy for label in labels]
    assert len(found) == 6
    assert energies == sorted(energies)
    assert max(np.abs(label.forces).max() for label in labels) < 0.01


@pytest.mark.parametrize(
    ("smiles", "count"), [("O", 1), ("c1ccccc1", 1), ("CCO", 3), ("CCCC", 3), ("[Na+]", 1)]
)
def test_the_number_of_different_conformers(smiles: str, count: int) -> None:
    assert len(conformers(from_smiles(smiles), 10, seed=2)) == count


def test_the_seed_decides() -> None:
    molecule = from_smiles("CCCO")
    np.testing.assert_array_equal(conformers(molecule, 3, seed=5), conformers(molecule, 3, seed=5))


@pytest.mark.parametrize("smiles", ["CCCC", "NCC(=O)O", "CCCCCC"])
def test_every_seed_gives_several_conformers(smiles: str) -> None:
    molecule = from_smiles(smiles)
    found = {seed: conformers(molecule, 4, seed) for seed in [*range(6), 2**31 - 1, 2**31]}
    assert {len(xyz) for xyz in found.values()} <= {3, 4}
    energies = [MMFFSource(molecule).label(Atoms(molecule.numbers, x)).energy for x in found[0]]
    assert np.ptp(energies) > 0.01
    np.testing.assert_array_equal(conformers(molecule, 4, 0), found[0])
    assert not np.array_equal(found[0], found[1])


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(UsageError, match="a seed must be a whole number ≥ 0, got -3"):
        conformers(from_smiles("CCCC"), 2, seed=-3)


def test_a_ring_that_mmff94_does_not_hold_for_aromatic_is_at_its_minimum() -> None:
    molecule = from_smiles("O=c1cc[nH]c(=O)[nH]1")
    (xyz,) = conformers(molecule, 1, seed=1)
    label = MMFFSource(molecule).label(Atoms(molecule.numbers, xyz))
    assert label.forces is not None
    assert np.abs(label.forces).max() < 0.01
    assert np.linalg.norm(xyz[1] - xyz[2]) == pytest.approx(1.46, abs=0.02)  # 1.45 in the crystal


def test_stereochemistry_is_embedded() -> None:
    def handedness(smiles: str) -> float:
        xyz = conformers(from_smiles(smiles), 1, seed=1)[0]
        return float(np.linalg.det(xyz[[0, 2, 3]] - xyz[1]))

    assert handedness("F[C@](Cl)(Br)I") * handedness("F[C@@](Cl)(Br)I") < 0


def test_molecules_without_mmff_types_are_embedded_as_they_are() -> None:
    molecule = from_smiles("[H][H]")
    with pytest.raises(UsageError, match="MMFF94 has no type"):
        conformers(molecule, 1, seed=1)
    found = conformers(molecule, 1, seed=1, variant=None)
    assert np.linalg.norm(found[0, 0] - found[0, 1]) == pytest.approx(0.74, abs=0.1)


def test_none_is_no_number_of_conformers() -> None:
    with pytest.raises(UsageError, match="must be ≥ 1, got 0"):
        conformers(from_smiles("O"), 0, seed=1)
