"""Lewis structures: the chemist's one, for the whole molecule's charge."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as build
from rdkit.Chem import rdDistGeom

from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.lewis import lewis_structure
from fidsel.fidelity.molecules.molecule import from_atoms, from_smiles, rdkit_mol

SMILES = [
    "Nc1ccc([N+](=O)[O-])cc1", "O=[N+]([O-])c1ccc([N+](=O)[O-])cc1", "CN=[N+]=[N-]", "[C-]#[N+]C",
    "CS(C)=O", "CS(C)(=O)=O", "O=P(O)(O)O", "[NH3+]CC(=O)[O-]", "c1c[nH]c[nH+]1",
    "NC(N)=[NH2+]", "[O-][n+]1ccccc1", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "CC(=O)Oc1ccccc1C(=O)O", "O.[Na+]",
    "[Cl-].[Na+]", "C#CC#C", "C=C=C", "c1cc2ccc3cccc4ccc(c1)c2c34", "O=S(=O)([O-])O", "[O-]c1ccccc1",
    "C[N+](C)(C)C", "FB(F)F", "C/C=C/C", "C/C=C\\C", "N[C@@H](C)C(=O)O", "N[C@H](C)C(=O)O",
]  # fmt: skip


@pytest.mark.parametrize("smiles", SMILES)
def test_a_structure_gives_back_its_smiles(smiles: str) -> None:
    molecule = from_smiles(smiles)
    mol = rdkit_mol(molecule)
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=1) == 0
    found = from_atoms(Atoms(molecule.numbers, mol.GetConformer().GetPositions()), molecule.charge)
    assert found.smiles == molecule.smiles
    assert found.bonds == molecule.bonds


@pytest.mark.parametrize(
    ("name", "charge", "smiles", "spin"),
    [
        ("CH3", 0, "[CH3]", 1),
        ("C2H3", 0, "[CH]=C", 1),
        ("NO", 0, "[N]=O", 1),
        ("H2O", 1, "[OH2+]", 1),
        ("CH3", 1, "[CH3+]", 0),
        ("SO2", 0, "O=S=O", 0),
        ("LiF", 0, "[F-].[Li+]", 0),
    ],
)
def test_radicals_and_ions(name: str, charge: int, smiles: str, spin: int) -> None:
    found = from_atoms(build(name), charge)
    assert (found.smiles, found.charge, found.spin) == (smiles, charge, spin)


def test_valences_and_charges_add_up() -> None:
    atoms = build("C6H6")
    bonds = from_atoms(atoms, 0).bonds
    structure = lewis_structure(atoms.numbers.tolist(), bonds, 0)
    assert structure is not None
    valence = np.zeros(12, dtype=int)
    for (i, j), order in zip(bonds, structure.orders, strict=True):
        valence[[i, j]] += order
    assert valence.tolist() == [4] * 6 + [1] * 6
    assert set(structure.charges) == {0}


def test_a_charge_no_structure_has_gives_none() -> None:
    assert lewis_structure([8, 1, 1], [(0, 1), (0, 2)], 2) is None


def test_bonding_rdkit_cannot_describe_is_refused() -> None:
    with pytest.raises(UsageError, match="RDKit cannot describe the bonding of ClF3"):
        from_atoms(build("ClF3"), 0)
