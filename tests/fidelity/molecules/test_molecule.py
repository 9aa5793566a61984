"""Molecules from SMILES and from structures."""

import pickle

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as build
from spring_systems import shaken

from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import (
    check_same_atoms,
    fragments,
    from_atoms,
    from_frames,
    from_smiles,
    rdkit_mol,
)

SMILES = ["[H][H]", "O", "C=O", "[NH4+]", "CC(=O)[O-]", "[Na+].[Cl-]", "c1cc[nH]c1", "C[C@H](F)O", "F/C=C/F"]
CLOSED = {"H2": "[H][H]", "H2O": "O", "H2CO": "C=O", "C6H6": "c1ccccc1", "CO": "[C-]#[O+]", "HCN": "C#N"}


@pytest.mark.parametrize("smiles", SMILES)
def test_a_molecule_survives_pickling_and_keeps_its_order(smiles: str) -> None:
    one = from_smiles(smiles)
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert hash(again) == hash(one)
    mol = rdkit_mol(again)
    assert tuple(atom.GetAtomicNum() for atom in mol.GetAtoms()) == one.numbers
    assert tuple(atom.GetFormalCharge() for atom in mol.GetAtoms()) == one.formal_charges
    assert from_smiles(one.smiles).smiles == one.smiles


def test_stereochemistry_is_kept() -> None:
    left, right = from_smiles("C[C@H](F)O"), from_smiles("C[C@@H](F)O")
    assert left.bonds == right.bonds
    assert left != right
    assert left.smiles != right.smiles


@pytest.mark.parametrize(("name", "smiles"), CLOSED.items())
def test_bonds_are_perceived_from_a_structure(name: str, smiles: str) -> None:
    atoms = build(name)
    found = from_atoms(atoms, 0)
    assert found.smiles == smiles
    assert found.numbers == tuple(atoms.numbers)
    assert (found.charge, found.spin) == (0, 0)


def test_perception_agrees_with_smiles_for_an_ion() -> None:
    acetate = build("CH3COOH")
    oxygens = np.flatnonzero(acetate.numbers == 8).tolist()
    proton = next(j for i, j in from_atoms(acetate, 0).bonds if i in oxygens and acetate.numbers[j] == 1)
    del acetate[proton]
    assert from_atoms(acetate, -1).smiles == from_smiles("CC(=O)[O-]").smiles


@pytest.mark.parametrize(("name", "spin"), [("CH3", 1), ("OH", 1), ("H2O", 0)])
def test_a_radical_has_unpaired_electrons(name: str, spin: int) -> None:
    assert from_atoms(build(name), 0).spin == spin


def test_single_atoms_carry_their_charge() -> None:
    sodium = from_atoms(Atoms("Na"), 1)
    assert (sodium.numbers, sodium.bonds, sodium.charge, sodium.spin) == ((11,), (), 1, 0)
    assert from_atoms(Atoms("H"), 0).spin == 1


@pytest.mark.parametrize("charge", [5, 2, -3, 40])
def test_an_impossible_charge_is_refused(charge: int) -> None:
    with pytest.raises(UsageError, match=r"no Lewis structure of OH2 |too few electrons"):
        from_atoms(build("H2O"), charge)


@pytest.mark.parametrize("smiles", ["C(", "CX", "c1cccc1N(", "C(C)(C)(C)(C)C", ""])
def test_invalid_smiles_are_refused(smiles: str) -> None:
    with pytest.raises(UsageError, match="is not a valid SMILES"):
        from_smiles(smiles)


def test_structures_that_are_no_molecule_are_refused() -> None:
    with pytest.raises(UsageError, match="periodic"):
        from_atoms(Atoms("H2", [[0, 0, 0], [0, 0, 0.74]], cell=np.eye(3) * 9, pbc=True), 0)
    with pytest.raises(UsageError, match="empty structure"):
        from_atoms(Atoms(), 0)


def test_frames_of_other_atoms_are_refused() -> None:
    water = from_smiles("O")
    xyz = [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]
    check_same_atoms(water, Atoms("OHH", xyz))
    with pytest.raises(UsageError, match=r"3 atoms .*, got 2"):
        check_same_atoms(water, Atoms("OH", xyz[:2]))
    with pytest.raises(UsageError, match=r"atom 0 of the frame must be O .*, got H"):
        check_same_atoms(water, Atoms("HHO", xyz))
    with pytest.raises(UsageError, match="must not be periodic"):
        check_same_atoms(water, Atoms("OHH", xyz, cell=np.eye(3) * 9, pbc=True))
    with pytest.raises(UsageError, match="charge 1"):
        check_same_atoms(water, Atoms("OHH", xyz, info={"charge": 1}))


def test_fragments_are_the_connected_components() -> None:
    assert fragments(5, ((0, 3), (1, 2))) == ((0, 3), (1, 2), (4,))
    assert fragments(2, ()) == ((0,), (1,))


def test_bonds_are_those_that_most_frames_show() -> None:
    whole = shaken("CH3OH", 8)[:5]
    torn = whole.dense().positions.copy()
    torn[:2, -1] += 30.0
    frames = whole.replace(positions=torn.reshape(-1, 3))
    assert from_frames(frames).smiles == "CO"
    atoms = shaken("H2O", 2)
    with pytest.raises(UsageError, match="charge"):
        from_frames(atoms.replace(charge=20))
